"""Random records load exactly, whatever the types of their columns. The seed is fixed."""

from __future__ import annotations

import json
import random
from typing import Any

TEXTS = ["", "x", "0", "1.5", "1e5", "true", "null", "2024-01-01", "2024-01-01T00:00:00Z", "12:00:00", "é\0", "[1]"]


def _random_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chance.random() < 0.5
    if kind == 2:
        return chance.choice([0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**37, 10**45])
    if kind == 3:
        return chance.choice([0.5, -1e-9, 1e22, 1.7e308, 123456.789])
    if kind in {4, 5}:
        return chance.choice(TEXTS)
    values = [_random_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return values if kind == 6 else {f"k{n}": value for n, value in enumerate(values)}


def test_untyped_columns_hold_every_value(duck: Any, schema: Any, record: Any) -> None:
    chance = random.Random(1)
    names = [f"c{n}" for n in range(6)]
    rows = [{"id": n, **{name: _random_value(chance) for name in names}} for n in range(300)]
    head = schema("s", {"id": {"type": "integer"}, **{name: {} for name in names}}, ["id"])
    duck.load(head, *(record("s", row) for row in rows), batch_size_rows=77)
    arrived = duck.query("FROM s ORDER BY id")
    assert [(n, *(None if v is None else json.loads(v) for v in values)) for n, *values in arrived] == [
        tuple(row.values()) for row in rows
    ]


def test_text_columns_hold_the_text_of_every_value(duck: Any, schema: Any, record: Any) -> None:
    chance = random.Random(2)
    declared = ["integer", "number", "boolean", "string"]
    rows = [{"id": n, **{kind: _random_value(chance) for kind in declared}} for n in range(300)]
    head = schema("s", {"id": {"type": "integer"}, **{kind: {"type": kind} for kind in declared}}, ["id"])
    duck.load(head, *(record("s", row) for row in rows))
    assert set(duck.types("s").values()) == {"BIGINT", "VARCHAR"}

    def same(sent: Any, arrived: str | None) -> bool:
        if sent is None or sent == arrived:
            return sent == arrived
        # Values of the declared type have a canonical text: 5 for 5.0, false for 0.
        sent_value = json.loads(sent) if isinstance(sent, str) else sent
        return arrived is not None and json.loads(arrived) == sent_value

    for row, (_, *values) in zip(rows, duck.query("FROM s ORDER BY id"), strict=True):
        assert [same(row[kind], value) for kind, value in zip(declared, values, strict=True)] == [True] * 4, row["id"]
