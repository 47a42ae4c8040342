"""The fast path and the retry with more memory, combined with load methods, flattening, nested types and BATCH."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from target_duckdb.errors import TargetError
from target_duckdb.load import Loader
from target_duckdb.streams import Stream

pytestmark = pytest.mark.slow

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
DECIMAL = {"type": ["null", "string"], "format": "singer.decimal"}


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {"type": ["null", "object"], "properties": properties}


@pytest.fixture(name="fast_path_used")
def fast_path_used_fixture(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each run of records, whether it took the fast path."""
    fast_path_used: list[bool] = []
    add_lines = Stream.add_lines

    def watched(stream: Stream, *run: Any) -> bool:
        fast_path_used.append(add_lines(stream, *run))
        return fast_path_used[-1]

    monkeypatch.setattr(Stream, "add_lines", watched)
    return fast_path_used


@pytest.fixture(name="one_by_one")
def one_by_one_fixture(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Disables the fast path when called."""
    return lambda: monkeypatch.setattr(Stream, "add_lines", lambda *_: False)


@pytest.fixture(name="low_memory_tries")
def low_memory_tries_fixture(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Makes the first try run out of memory. Lists `low_memory` of each try."""
    monkeypatch.setattr("target_duckdb.database._LOW_MEMORY_BYTES", 1_000_000)
    tried: list[bool] = []
    commit = Loader._commit_once

    def watched(*arguments: Any, low_memory: bool) -> None:
        tried.append(low_memory)
        commit(*arguments, low_memory=low_memory)

    monkeypatch.setattr(Loader, "_commit_once", watched)
    return tried


def _activate_version(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}


# Load methods


@pytest.mark.parametrize("keys", [["id"], []])
def test_versions_in_one_run_are_separated(
    *, duck: Any, schema: Any, record: Any, fast_path_used: list[bool], keys: list[str]
) -> None:
    head = schema("s", {"id": INTEGER}, keys)
    rows = [record("s", {"id": n}, version=n // 10) for n in range(40)]
    duck.load(head, *rows, _activate_version(3), *rows[30:35], load_method="overwrite")
    assert fast_path_used == [False, True]  # a run with four versions, then one
    expected = [*range(30, 40)] if keys else sorted([*range(30, 40), *range(30, 35)])
    assert duck.query("SELECT id FROM s ORDER BY id") == [(n,) for n in expected]
    newer = [record("s", {"id": n}, version=4 + n // 10) for n in range(30)]
    duck.load(head, *newer, load_method="overwrite")
    assert duck.query("SELECT id FROM s__next ORDER BY id") == [(n,) for n in range(20, 30)]
    assert duck.query("SELECT count(*) FROM s") == [(len(expected),)]


def test_run_with_another_version_starts_a_segment(
    duck: Any, schema: Any, record: Any, fast_path_used: list[bool]
) -> None:
    head = schema("s", {"id": INTEGER}, ["id"])
    state = {"type": "STATE", "value": {}}  # ends a run but not a batch
    runs = [[record("s", {"id": 10 * version + n}, version=version) for n in range(5)] for version in (1, 2)]
    bare = [record("s", {"id": n}) for n in range(4)]
    duck.load(head, *runs[0], _activate_version(1), *runs[0], state, *bare, state, *runs[1], load_method="overwrite")
    assert fast_path_used == [True] * 4
    assert duck.query("SELECT id FROM s ORDER BY id") == [(n,) for n in [*range(4), *range(10, 15)]]
    assert duck.query("SELECT id FROM s__next ORDER BY id") == [(n,) for n in range(20, 25)]


def test_append_only_keeps_the_order_of_a_run(duck: Any, schema: Any, record: Any, fast_path_used: list[bool]) -> None:
    head = schema("s", {"id": INTEGER, "n": INTEGER}, ["id"])
    rows = [record("s", {"id": n % 3, "n": n}) for n in range(30)]
    duck.load(head, *rows, *rows[:1], {"type": "STATE", "value": {}}, rows[1], load_method="append-only")
    assert fast_path_used == [True]
    assert duck.query("SELECT n FROM s") == [(n,) for n in [*range(30), 0, 1]]


def test_overwrite_creates_the_table_when_schemas_alternate(duck: Any, schema: Any, record: Any) -> None:
    first, second = (schema("s", {"id": INTEGER, name: STRING}, ["id"]) for name in "ab")
    messages = [first, record("s", {"id": 1, "a": "x"}, version=1), second, record("s", {"id": 1, "b": "y"}, version=1)]
    messages += [record("s", {"id": 1, "b": "z"}, version=2), first, record("s", {"id": 2, "a": "w"}, version=2)]
    duck.load(*messages, _activate_version(2), load_method="overwrite")
    assert duck.query("SELECT id, a, b FROM s ORDER BY id") == [(1, None, "z"), (2, "w", None)]
    duck.load(*messages[:4], _activate_version(1), load_method="overwrite", default_target_schema="other")
    assert duck.query("SELECT id, a, b FROM other.s") == [(1, "x", "y")]


# Flattening and nested types


def test_flattened_records_are_loaded_one_by_one(
    duck: Any, schema: Any, record: Any, fast_path_used: list[bool]
) -> None:
    head = schema("s", {"id": INTEGER, "home": _object_schema(city=STRING, at=_object_schema(lat=DECIMAL))}, ["id"])
    rows = [
        record("s", {"id": n, "home": {"city": f"c{n}", "at": {"lat": f"{n}.5"}, **({"x": n} if n == 7 else {})}})
        for n in range(10)
    ]
    # The first ten add a column `home`, which could hold any later object.
    more = [record("s", {**row["record"], "id": 10 + n}) for n, row in enumerate(rows[:5])]
    duck.load(head, *rows, {"type": "STATE", "value": {}}, *more, data_flattening_max_level=2)
    assert not any(fast_path_used)
    found = duck.query("SELECT id, home__city, CAST(home__at__lat AS DOUBLE), home FROM s ORDER BY id")
    assert found == [(n, f"c{n % 10}", n % 10 + 0.5, '{"x":7}' if n == 7 else None) for n in range(15)]


NATIVE = {
    "id": INTEGER,
    "home": _object_schema(city=STRING, rent=DECIMAL, since={"type": ["null", "string"], "format": "date-time"}),
    "tags": {"type": ["null", "array"], "items": STRING},
    "pay": {"type": ["null", "array"], "items": _object_schema(month=INTEGER, net=DECIMAL)},
}
#: For each property, JSON texts that the fast path supports, and some that it does not.
TEXTS: dict[str, tuple[list[str], list[str]]] = {
    "home": (
        [
            "null",
            "{}",
            '{"city": "é\\n\\ud83d\\ude00", "rent": 1234567890123.25, "since": null}',
            '{"since": "2024-01-01T02:00:00+02:00"}',
        ],
        ['{"street": 1}', '"x"', '{"city": "\\ud800"}', '{"\\ud800": 1}'],
    ),
    "tags": (["null", "[]", '["a", null, "\\"b\\""]'], ["[NaN]", '{"a": 1}']),
    "pay": (["null", "[]", '[{"month": 1, "net": 1.50}, null, {}]'], ['[{"month": 36893488147419103232}]']),
}


@pytest.mark.parametrize("irregular", [0.0, 0.01])
def test_nested_values_in_runs_equal_those_loaded_one_by_one(
    *, duck: Any, schema: Any, fast_path_used: list[bool], one_by_one: Any, irregular: float
) -> None:
    chance = random.Random(5)
    lines = []
    for n in range(400):
        fields = [f'"id": {n}'] + [
            f'"{name}": {chance.choice(strange if chance.random() < irregular else plain)}'
            for name, (plain, strange) in TEXTS.items()
            if chance.random() < 0.9
        ]
        lines.append(f'{{"type": "RECORD", "stream": "s", "record": {{{", ".join(fields)}}}}}')
    state = '{"type": "STATE", "value": {}}'
    blocks = [line for start in range(0, 400, 20) for line in [*lines[start : start + 20], state]]
    head = schema("s", NATIVE, ["id"])
    duck.load(head, *blocks, nested="native", default_target_schema="together")
    assert set(fast_path_used) == ({True} if irregular == 0 else {True, False})
    one_by_one()
    duck.load(head, *lines, nested="native", default_target_schema="one_by_one")
    columns = ", ".join(f"typeof({name}), CAST({name} AS VARCHAR)" for name in NATIVE)
    arrived = duck.query(f"SELECT {columns} FROM together.s ORDER BY id")
    assert arrived == duck.query(f"SELECT {columns} FROM one_by_one.s ORDER BY id")
    assert len(arrived) == 400
    assert (arrived[0][2] == "JSON") == (irregular > 0)


def test_invalid_nested_json_error_has_the_line_number(duck: Any, schema: Any, fast_path_used: list[bool]) -> None:
    lines = [f'{{"type": "RECORD", "stream": "s", "record": {{"id": {n}, "home": {{}}}}}}' for n in range(10)]
    lines[6] = lines[6].replace("{}", r'{"\q": 1}')
    with pytest.raises(TargetError, match=r"^Line 8 of the input cannot be loaded: it is not JSON"):
        duck.load(schema("s", NATIVE, ["id"]), *lines, nested="native")
    assert fast_path_used == [False]


def test_nested_values_with_alternating_schemas_are_merged(duck: Any, schema: Any, record: Any) -> None:
    first = schema("s", {"id": INTEGER, "home": _object_schema(city=STRING)}, ["id"])
    second = schema("s", {"id": INTEGER, "tags": {"type": "array", "items": INTEGER}}, ["id"])
    rows = [(first, {"home": {"city": "x"}}), (second, {"tags": [1, 2]}), (first, {"home": {"city": "y"}})]
    messages = [message for head, more in rows for message in (head, record("s", {"id": 1, **more}))]
    duck.load(*messages, nested="native")
    assert duck.types("s")["home"] == "STRUCT(city VARCHAR)"
    assert duck.query("SELECT home, tags FROM s") == [({"city": "y"}, [1, 2])]
    gone = record("s", {"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z"})
    duck.load(first, record("s", {"id": 1, "home": {"city": "z"}}), gone, nested="native")
    assert duck.query("SELECT home, tags, year(_sdc_deleted_at) FROM s") == [({"city": "z"}, [1, 2], 2024)]


# BATCH


@pytest.mark.parametrize("method", ["upsert", "overwrite"])
def test_batch_message_between_runs(
    *, duck: Any, schema: Any, record: Any, fast_path_used: list[bool], method: str
) -> None:
    head = schema("s", {"id": INTEGER, "n": INTEGER}, ["id"])
    first = [record("s", {"id": n, "n": 1}, version=1) for n in range(10)]
    last = [record("s", {"id": n, "n": 3}, version=1) for n in range(8, 12)]
    path = duck.folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": n, "n": 2}) + "\n" for n in range(5, 10)))
    batch = {"type": "BATCH", "stream": "s", "encoding": {"format": "jsonl"}, "manifest": [str(path)], "version": 1}
    duck.load(head, *first, batch, *last, _activate_version(1), load_method=method, batch_size_rows=13)
    assert all(fast_path_used)
    expected = [(n, 1 if n < 5 else 2 if n < 8 else 3) for n in range(12)]
    assert duck.query("SELECT id, n FROM s ORDER BY id") == expected


# Memory


@pytest.mark.parametrize("method", ["append-only", "overwrite"])
@pytest.mark.parametrize("attached", [False, True])
def test_retry_with_more_memory_loads_each_row_once(
    *, duck: Any, schema: Any, record: Any, low_memory_tries: list[bool], method: str, attached: bool
) -> None:
    head = schema("s", {"id": INTEGER, "text": STRING}, ["id"])
    settings: dict[str, Any] = {"load_method": method}
    if attached:
        settings |= {"path": ":memory:", "attach": [{"path": str(duck.path), "alias": "hr"}], "catalog": "hr"}
    duck.load(head, record("s", {"id": -1, "text": ""}, version=1), _activate_version(1), **settings)
    low_memory_tries.clear()
    rows = [record("s", {"id": n, "text": random.Random(n).randbytes(500).hex()}, version=2) for n in range(3000)]
    states = duck.load(head, *rows, _activate_version(2), {"type": "STATE", "value": 1}, **settings)
    assert low_memory_tries == [True, False]
    assert states == ["1"]
    before = method == "append-only"
    assert duck.query("SELECT count(*), sum(length(text)) FROM s") == [(3000 + before, 3_000_000)]
    assert duck.tables() == ["s"]
