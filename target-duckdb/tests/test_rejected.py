"""Records that cannot be loaded go to the table `_rejected`; all others are loaded."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}
NO_KEY = "The record has no value for the key property 'id'."


def _raw_record(record: str, stream: str = "s") -> bytes:
    return f'{{"type": "RECORD", "stream": "{stream}", "record": {record}}}'.encode("latin-1")


def _warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]


@pytest.mark.parametrize("size", [2, 1000])
@pytest.mark.parametrize("method", ["upsert", "append-only", "overwrite"])
def test_invalid_records_are_rejected_and_others_loaded(
    *, duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture, size: int, method: str
) -> None:
    good = [record("s", {"id": n, "name": "x"}) for n in range(6)]
    bad = ['{"name": "secret"}', '{"id": null, "name": "b"}', '["secret"]', '"secret"', "5", "null"]
    messages = [message for pair in zip(good, map(_raw_record, bad), strict=True) for message in pair]
    states = duck.load(
        schema("s", COLUMNS, ["id"]),
        *messages,
        '{"type": "RECORD", "stream": "s"}',
        schema("t", COLUMNS, ["id"]),
        record("t", {"id": 1}),
        STATE,
        batch_size_rows=size,
        load_method=method,
    )
    assert states[-1] == '{"bookmark": 1}'
    assert duck.query("SELECT count(*) FROM s") == [(6,)]
    assert duck.query("SELECT count(*) FROM t") == [(1,)]
    rows = duck.query(
        "SELECT stream, record, reason, received > now() - INTERVAL 1 HOUR FROM _rejected ORDER BY received"
    )
    no_object, missing = "The record is not an object.", "The record is missing."
    reasons = [NO_KEY, NO_KEY, no_object, no_object, no_object, no_object, missing]
    assert rows == [("s", text, reason, True) for text, reason in zip([*bad, None], reasons, strict=True)]
    (logged,) = [warning for warning in _warnings_in(caplog) if "_rejected" in warning]
    assert logged.startswith("Stream 's': 7 of its records could not be loaded and are in the table '_rejected'.")
    assert logged.endswith(f" {no_object} (4) {NO_KEY} (2) {missing} (1)")
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        (r'{"name": "\ud800"}', r'{"name": "\\ud800"}'),
        ('{"name": NaN}', '{"name": "NaN"}'),
        ('{"id": 1, "name": "\xff"}', json.dumps(r'{"id": 1, "name": "\xff"}')),
        ('{"id": 1, "\xff": 1}', json.dumps(r'{"id": 1, "\xff": 1}')),
        ('{"n": 12345678901234567.890, "a":[ ]}', '{"n": 12345678901234567.890, "a":[ ]}'),
    ],
)
def test_rejected_record_keeps_its_text(duck: Any, schema: Any, record: str, kept: str) -> None:
    duck.load(schema("s", COLUMNS, ["id"]), _raw_record('{"id": 1}'), _raw_record(record))
    assert duck.query("SELECT CAST(record AS VARCHAR) FROM _rejected") == [(kept,)]
    assert duck.query("SELECT id FROM s") == [(1,)]


def test_record_that_cannot_be_decoded_is_rejected(duck: Any, schema: Any) -> None:
    deep = "[" * 5000 + "]" * 5000
    messages = [
        schema("s", {"id": INTEGER, "v": {}}, ["id"]),
        _raw_record(f'{{"id": 1, "v": {deep}}}'),
        _raw_record('{"id": 2}'),
    ]
    duck.load(*messages)
    assert duck.query("SELECT id FROM s") == [(2,)]
    ((text, reason),) = duck.query("SELECT record ->> '$', reason FROM _rejected")
    assert deep in text
    assert reason == "The record is nested too deeply."
    with pytest.raises(TargetError, match=r"^Line 2 of the input cannot be loaded: its record is nested too deeply\.$"):
        duck.load(*messages, on_bad_record="fail")


INVALID_VERSIONS = ['"7"', "7.0", "9223372036854775808", "1e999", "true", "{}", r'"\ud800"', "NaN"]


@pytest.mark.parametrize("settings", [{}, {"data_flattening_max_level": 1}, {"load_method": "overwrite"}])
def test_record_with_invalid_version_is_rejected(
    *, duck: Any, schema: Any, record: Any, settings: dict[str, Any]
) -> None:
    cases = {}
    for number, version in enumerate(INVALID_VERSIONS):
        name = f"s{number}"
        invalid = f'{{"version": {version}, "type": "RECORD", "stream": "{name}", "record": {{"id": 9}}}}'
        good = [record(name, {"id": n}, version=7) for n in range(6)]
        activate = {**_activate_version(7), "stream": name}
        cases[name] = [schema(name, COLUMNS, ["id"]), *good[:5], invalid, good[5], activate, STATE]
    # All in one run: opening a file takes longer than loading records.
    assert duck.load(*itertools.chain(*cases.values()), **settings)[-1] == '{"bookmark": 1}'
    reason = "The record has a version that is not a 64-bit integer."
    rejected = duck.query("SELECT stream, record, reason FROM _rejected ORDER BY stream")
    assert rejected == [(name, '{"id": 9}', reason) for name in cases]
    for name, messages in cases.items():
        assert duck.query(f"SELECT count(*) FROM {name}") == [(6,)]
        with pytest.raises(TargetError, match=r"^Line 7 of the input cannot be loaded: its record has a version that"):
            duck.load(*messages, on_bad_record="fail", **settings)


INVALID_TIMES = ["1700000000", "1e999", "[[]]", "false", "null", '"yesterday"', r'"\ud800"', '"\xff"']


def test_record_with_invalid_time_extracted_is_loaded_without_it(duck: Any, schema: Any, record: Any) -> None:
    messages = []
    for number, time in enumerate(INVALID_TIMES):
        name = f"s{number}"
        line = f'{{"type": "RECORD", "stream": "{name}", "record": {{"id": 9}}, "time_extracted": {time}}}'
        state = f'{{"type": "STATE", "value": {number}, "time_extracted": {time}}}'
        good = [record(name, {"id": n}, time_extracted="2024-01-01T00:00:00Z") for n in range(5)]
        messages += [schema(name, COLUMNS, ["id"]), *good, line.encode("latin-1"), state.encode("latin-1")]
    states = [str(number) for number in range(len(INVALID_TIMES))]
    assert duck.load(*messages, add_metadata_columns=True, batch_size_rows=6) == states
    for number, time in enumerate(INVALID_TIMES):
        assert duck.query(f"SELECT count(*), count(_sdc_extracted_at) FROM s{number}") == [(6, 5)], time


def test_invalid_records_in_batch_files_are_rejected(duck: Any, schema: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = duck.folder / "a.jsonl"
    deep = '{"id": 5, "name": ' + "[" * 5000 + "]" * 5000 + "}"
    rows = ['{"id": 1}', '{"name": "x"}', "[1]", deep, '{"id": 2}']
    path.write_text("\n".join(rows))
    batch = {"type": "BATCH", "stream": "s", "encoding": {"format": "jsonl"}, "manifest": [str(path)]}
    duck.load(schema("s", COLUMNS, ["id"]), batch)
    assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
    assert duck.query("SELECT reason FROM _rejected ORDER BY received") == [
        (NO_KEY,),
        ("The record is not an object.",),
        ("The record is nested too deeply.",),
    ]
    assert len(_warnings_in(caplog)) == 1


def test_rejected_record_is_not_flattened(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "a": {"type": "object", "properties": {"b": INTEGER}}}, ["id"])
    messages = [record("s", {"a": {"b": 1}}), _raw_record("[1]"), record("s", {"id": 1, "a": {"b": 2}})]
    duck.load(head, *messages, data_flattening_max_level=1)
    assert duck.query("FROM s") == [(1, 2)]
    assert duck.query("SELECT record FROM _rejected ORDER BY received") == [('{"a": {"b": 1}}',), ("[1]",)]


def test_rejected_records_are_rolled_back_with_their_batch(
    duck: Any, schema: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [schema("s", COLUMNS, ["id"]), *(_raw_record(f'{{"name": "{n}"}}') for n in range(5))]
    with pytest.raises(TargetError, match="not JSON"):
        duck.load(*messages, "{bad", batch_size_rows=2)
    assert duck.query("SELECT record ->> 'name' FROM _rejected ORDER BY 1") == [("0",), ("1",), ("2",), ("3",)]
    assert [warning for warning in _warnings_in(caplog) if "4 of its records" in warning]


def test_stream_named_like_the_rejected_table_gets_a_suffix(duck: Any, schema: Any, record: Any) -> None:
    messages = [
        schema("_rejected", COLUMNS, ["id"]),
        record("_rejected", {"id": 1}),
        record("_rejected", {"name": "x"}),
    ]
    for n in (1, 2):
        duck.load(*messages)
        assert duck.query("SELECT id FROM _rejected_2") == [(1,)]
        assert duck.query("SELECT stream FROM _rejected") == [("_rejected",)] * n


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE _rejected (id BIGINT, reason VARCHAR); INSERT INTO _rejected VALUES (7, 'mine')",
        "CREATE VIEW _Rejected AS SELECT 7 AS id, 'mine' AS reason",
    ],
)
def test_user_defined_table_named_rejected_is_kept(duck: Any, schema: Any, record: Any, sql: str) -> None:
    duck.query(sql)
    head = schema("s", COLUMNS, ["id"])
    for n in (1, 2):
        duck.load(
            head, record("s", {"name": "x"}), schema("_rejected_2", COLUMNS, ["id"]), record("_rejected_2", {"id": n})
        )
    assert duck.query("SELECT id, reason FROM _rejected") == [(7, "mine")]
    assert duck.query("SELECT id FROM _rejected_2 ORDER BY 1") == [(1,), (2,)]
    assert duck.query("SELECT stream FROM _rejected_3") == [("s",)] * 2


def test_user_defined_columns_of_the_rejected_table_are_kept(duck: Any, schema: Any, record: Any) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"name": "x"})]
    duck.load(*messages)
    duck.query("ALTER TABLE _rejected ADD COLUMN seen BOOLEAN DEFAULT false; COMMENT ON TABLE _rejected IS 'look here'")
    duck.load(*messages)
    assert duck.query("SELECT stream, seen FROM _rejected") == [("s", False)] * 2


@pytest.mark.parametrize("bad", ['{"name": "x"}', "5", '{"id": 2, "name": "\xff"}'])
@pytest.mark.parametrize("size", [1, 100])
def test_version_with_rejected_records_deletes_nothing(
    *, duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture, bad: str, size: int
) -> None:
    head = schema("s", COLUMNS, ["id"])
    numbers = range(1, 6)
    duck.load(head, *(record("s", {"id": n}, version=1) for n in numbers), _activate_version(1))
    invalid = f'{{"type": "RECORD", "stream": "s", "record": {bad}, "version": 2}}'.encode("latin-1")
    rest = [record("s", {"id": n}, version=2) for n in numbers if n != 2]
    other = [schema("t", COLUMNS, ["id"]), record("t", {"id": 1}, version=2), {**_activate_version(2), "stream": "t"}]
    duck.load(head, rest[0], invalid, *rest[1:], _activate_version(2), *other, batch_size_rows=size, hard_delete=True)
    assert _live_ids(duck) == [*numbers]
    (logged,) = [warning for warning in _warnings_in(caplog) if "ACTIVATE_VERSION was ignored" in warning]
    assert logged.startswith("Stream 's': ACTIVATE_VERSION was ignored because 1 records were rejected (4 loaded)")
    duck.load(
        head, *(record("s", {"id": n}, version=3) for n in numbers if n != 2), _activate_version(3), hard_delete=True
    )
    assert _live_ids(duck) == [1, 3, 4, 5]


@pytest.mark.parametrize(("bad", "live"), [(1, [1]), (2, [1, 2])])
def test_table_is_overwritten_if_more_records_were_loaded_than_rejected(
    *, duck: Any, schema: Any, record: Any, bad: int, live: list[int]
) -> None:
    head = schema("s", COLUMNS, ["id"])
    duck.load(head, *(record("s", {"id": n}, version=1) for n in (1, 2)), _activate_version(1), load_method="overwrite")
    rejected = [record("s", {"name": "x"}, version=2)] * bad
    duck.load(head, record("s", {"id": 1}, version=2), *rejected, _activate_version(2), load_method="overwrite")
    assert _live_ids(duck) == live


def _activate_version(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}


def _live_ids(duck: Any) -> list[int]:
    return [number for (number,) in duck.query("SELECT id FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1")]
