"""A key column keeps one text per key after its type has changed, so that records still replace their rows."""

from __future__ import annotations

import itertools
import json
from typing import Any

import duckdb
import pytest

STRING = {"type": ["null", "string"]}
INTEGER = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
DATE_TIME = {**STRING, "format": "date-time"}
DATE = {**STRING, "format": "date"}
TIME = {**STRING, "format": "time"}
DECIMAL = {**STRING, "format": "singer.decimal"}
LOCAL = {**DATE_TIME, "x-sql-datatype": "TIMESTAMP"}

CASES = [
    (DATE_TIME, "2024-01-01T00:00:00Z", "2024-01-01 00:00:00+00"),
    (DATE_TIME, "2024-01-01T02:00:00.5+02:00", "2024-01-01 00:00:00.5+00"),
    (DATE_TIME, "20240101t000000z", "2024-01-01 00:00:00+00"),
    (LOCAL, "2024-01-01T00:00:00", "2024-01-01 00:00:00"),
    (DATE, "2024-01-01T00:00:00Z", "2024-01-01"),
    (TIME, "10:00", "10:00:00"),
    (DECIMAL, "1.50", "1.5"),
    (DECIMAL, "-0.250", "-0.25"),
    (DECIMAL, "7", "7"),
    ({"type": "number", "multipleOf": 0.01}, 2.5, "2.5"),
    (NUMBER, 1.0, "1"),
    (NUMBER, 0.00001, "1e-05"),
    (INTEGER, 12, "12"),
    ({"type": "integer", "maximum": 2**70}, 2**65, str(2**65)),
    ({"type": "boolean"}, True, "true"),
]


def _make_messages(schema: Any, record: Any, columns: dict[str, Any], *values: Any, stream: str = "s") -> list[Any]:
    head = schema(stream, {"part": STRING, "id": columns, "v": STRING}, ["part", "id"])
    return [head, *(record(stream, {"part": "a", "id": value, "v": str(value)}) for value in values)]


# The cases are streams of the same runs: opening a file takes longer than loading a record.
@pytest.mark.parametrize(("method", "runs"), [("upsert", True), ("upsert", False), ("overwrite", True)])
def test_key_that_becomes_text_stays_the_same_key(
    *, duck: Any, schema: Any, record: Any, method: str, runs: bool
) -> None:
    steps: list[list[Any]] = [[], [], [], []]
    for number, (old, value, text) in enumerate(CASES):
        sent = value if isinstance(value, str) else json.dumps(value)
        rows = [(old, [value]), (STRING, [sent, "other"]), (STRING, [sent, text, "other"]), (old, [value, "other"])]
        for step, (columns, values) in zip(steps, rows, strict=True):
            step.extend(_make_messages(schema, record, columns, *values, stream=f"s{number}"))
    for messages in steps if runs else [[*itertools.chain(*steps)]]:
        duck.load(*messages, load_method=method)
    for number, (_, value, text) in enumerate(CASES):
        rows = duck.query(f"SELECT id, v FROM s{number} ORDER BY id = 'other'")
        assert rows == [(text, str(value)), ("other", "other")], CASES[number]


TEXT_FIRST = [case[:2] for case in CASES if case[1] not in {1.0, 0.00001}]


@pytest.mark.parametrize("size", [2 * len(TEXT_FIRST), 1000])  # each type in a batch of its own, and all in one
def test_text_key_that_gets_a_type_stays_the_same_key(*, duck: Any, schema: Any, record: Any, size: int) -> None:
    first, second = [], []
    for number, (new, value) in enumerate(TEXT_FIRST):
        sent = value if isinstance(value, str) else json.dumps(value)
        first += _make_messages(schema, record, STRING, sent, "other", stream=f"s{number}")
        second += _make_messages(schema, record, new, value, value, stream=f"s{number}")
    counts = " UNION ALL ".join(f"SELECT count(*) FROM s{number}" for number in range(len(TEXT_FIRST)))
    for _ in range(2):
        duck.load(*first, batch_size_rows=size)
        duck.load(*second, batch_size_rows=size)
    assert duck.query(counts) == [(2,)] * len(TEXT_FIRST)
    duck.load(*first, *second, *first, batch_size_rows=size)
    assert duck.query(counts) == [(2,)] * len(TEXT_FIRST)


def test_key_with_several_former_types_stays_the_same_key(duck: Any, schema: Any, record: Any) -> None:
    for columns in (DECIMAL, DATE, DATE_TIME, STRING, DATE, DECIMAL):
        duck.load(*_make_messages(schema, record, columns, "1.50", "2024-01-01", "2024-01-01T10:00Z"))
    assert duck.query("SELECT count(*) FROM s") == [(3,)]


def test_different_texts_stay_different_keys(duck: Any, schema: Any, record: Any) -> None:
    texts = ["1.5", "1.50", "01", "1", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00+00", "", " "]
    duck.load(*_make_messages(schema, record, STRING, *texts))
    assert duck.query("SELECT count(*) FROM s") == [(len(texts),)]
    duck.load(*_make_messages(schema, record, DECIMAL, *texts))
    assert duck.query("SELECT count(*) FROM s") == [(len(texts),)]


def test_user_defined_comment_is_kept(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (part VARCHAR, id TIMESTAMPTZ, v VARCHAR); COMMENT ON TABLE s IS 'mine'")
    for columns in (DATE_TIME, STRING, DATE_TIME):
        duck.load(*_make_messages(schema, record, columns, "2024-01-01T00:00:00Z"))
    with duckdb.connect(str(duck.path)) as connection:
        assert connection.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 's'").fetchall() == [
            ("mine",)
        ]
    assert duck.query("SELECT count(*) FROM s") == [(1,)]
