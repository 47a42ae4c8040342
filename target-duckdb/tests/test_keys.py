"""A key column whose type changes keeps one text per key, so that records still replace their rows."""

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


def _messages(schema: Any, record: Any, columns: dict[str, Any], *values: Any) -> list[Any]:
    head = schema("s", {"part": STRING, "id": columns, "v": STRING}, ["part", "id"])
    return [head, *(record("s", {"part": "a", "id": value, "v": str(value)}) for value in values)]


@pytest.mark.parametrize(("method", "runs"), [("upsert", True), ("upsert", False), ("overwrite", True)])
@pytest.mark.parametrize(("old", "value", "text"), CASES)
def test_key_that_becomes_text_stays_the_same_key(
    *, duck: Any, schema: Any, record: Any, old: Any, value: Any, text: str, method: str, runs: bool
) -> None:
    sent = value if isinstance(value, str) else json.dumps(value)
    steps = [
        _messages(schema, record, old, value),
        _messages(schema, record, STRING, sent, "other"),
        _messages(schema, record, STRING, sent, text, "other"),
        _messages(schema, record, old, value, "other"),
    ]
    for messages in steps if runs else [[*itertools.chain(*steps)]]:
        duck.load(*messages, load_method=method)
    assert duck.query("SELECT id, v FROM s ORDER BY id = 'other'") == [(text, str(value)), ("other", "other")]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(("new", "value"), [case[:2] for case in CASES if case[1] not in {1.0, 0.00001}])
def test_text_key_that_gets_a_type_stays_the_same_key(
    *, duck: Any, schema: Any, record: Any, new: Any, value: Any, size: int
) -> None:
    sent = value if isinstance(value, str) else json.dumps(value)
    first, second = _messages(schema, record, STRING, sent, "other"), _messages(schema, record, new, value)
    for _ in range(2):
        duck.load(*first, batch_size_rows=size)
        duck.load(*second, batch_size_rows=size)
    assert duck.query("SELECT count(*) FROM s") == [(2,)]
    duck.load(*first, *second, *first, batch_size_rows=size)
    assert duck.query("SELECT count(*) FROM s") == [(2,)]


def test_key_with_several_former_types(duck: Any, schema: Any, record: Any) -> None:
    for columns in (DECIMAL, DATE, DATE_TIME, STRING, DATE, DECIMAL):
        duck.load(*_messages(schema, record, columns, "1.50", "2024-01-01", "2024-01-01T10:00Z"))
    assert duck.query("SELECT count(*) FROM s") == [(3,)]


def test_different_texts_stay_different_keys(duck: Any, schema: Any, record: Any) -> None:
    texts = ["1.5", "1.50", "01", "1", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00+00", "", " "]
    duck.load(*_messages(schema, record, STRING, *texts))
    assert duck.query("SELECT count(*) FROM s") == [(len(texts),)]
    duck.load(*_messages(schema, record, DECIMAL, *texts))
    assert duck.query("SELECT count(*) FROM s") == [(len(texts),)]


def test_user_defined_comment_is_kept(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (part VARCHAR, id TIMESTAMPTZ, v VARCHAR); COMMENT ON TABLE s IS 'mine'")
    for columns in (DATE_TIME, STRING, DATE_TIME):
        duck.load(*_messages(schema, record, columns, "2024-01-01T00:00:00Z"))
    with duckdb.connect(str(duck.path)) as connection:
        assert connection.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 's'").fetchall() == [
            ("mine",)
        ]
    assert duck.query("SELECT count(*) FROM s") == [(1,)]
