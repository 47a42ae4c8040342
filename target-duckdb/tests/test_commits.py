"""When batches are committed and which states are written."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from target_duckdb import load
from target_duckdb.errors import TargetError

INTEGER = {"type": "integer"}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


def test_state_is_written_only_after_the_commit(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise duckdb.IOException("IO Error: Could not write 'secret': No space left on device")

    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    with monkeypatch.context() as patch:
        patch.setattr(load.Loader, "_write_state", fail)
        with pytest.raises(TargetError, match=r"^The disk that holds the DuckDB file is full: free some space\.$"):
            duck.load(*messages)
        assert capsys.readouterr().out == ""
    assert duck.tables() == []
    assert duck.load(*messages) == ['{"bookmark": 1}']
    assert duck.query("FROM s") == [(1, None)]


def test_null_state_is_ignored(duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture) -> None:
    null = {"type": "STATE", "value": None}
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1})]
    assert duck.load(*messages, null) == []
    assert duck.tables() == ["s"]
    assert duck.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_singer_state'") == [(0,)]
    assert duck.load(*messages, STATE, null) == ['{"bookmark": 1}']
    assert duck.state() == [("main", '{"bookmark": 1}')]
    assert caplog.text.count("A STATE message is ignored because its value is null") == 2


def test_written_state_matches_the_committed_records(duck: Any, schema: Any, record: Any) -> None:
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(6):
        messages += [record("s", {"id": n}), {"type": "STATE", "value": n}]
    assert duck.load(*messages, batch_size_rows=4) == ["2", "5"]
    head = schema("t", COLUMNS)
    states: list[Any] = [{"type": "STATE", "value": {"n": n}} for n in (1, 2)]
    assert duck.load(head, *states, state_id="mine") == ['{"n": 2}']
    assert duck.state() == [("main", "5"), ("mine", '{"n": 2}')]
    assert duck.load() == []


def test_state_before_all_else_is_committed_at_once(duck: Any, schema: Any, record: Any) -> None:
    assert duck.load(STATE, schema("s", COLUMNS), record("s", {"id": 1}), STATE) == ['{"bookmark": 1}'] * 2


def test_run_that_ends_after_repeating_its_state_changes_nothing(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", COLUMNS), record("s", {"id": 1}), STATE)
    assert duck.load(STATE) == ['{"bookmark": 1}']
    assert duck.state() == [("main", '{"bookmark": 1}')]
    assert duck.query("FROM s") == [(1, None)]
    assert duck.query("SELECT status FROM _runs") == [("succeeded",)] * 2


def test_batch_is_committed_after_a_minute(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr("target_duckdb.target.time.monotonic", lambda: float(next(clock)))
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(4):
        messages += [record("s", {"id": n}), {"type": "STATE", "value": n}]
    assert len(duck.load(*messages)) > 1


def test_batch_size_is_limited_in_bytes(duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target_duckdb.target._BATCH_BYTES", 100)
    messages: list[Any] = [schema("s", COLUMNS, ["id"])]
    for n in range(4):
        messages += [record("s", {"id": n, "name": "x" * 40}), {"type": "STATE", "value": n}]
    assert duck.load(*messages) == ["0", "2", "3"]


def test_batch_size_is_limited_in_columns(duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("target_duckdb.target._BATCH_COLUMNS", 5)
    messages = [schema(f"s{n}", COLUMNS, ["id"]) for n in range(5)]
    for n in range(5):
        messages += [record(f"s{n}", {"id": 1}), {"type": "STATE", "value": n}]
    assert duck.load(*messages) == ["0", "2", "4"]
    assert duck.query("SELECT count(*) FROM (FROM s0 UNION ALL FROM s1 UNION ALL FROM s2 UNION ALL FROM s4)") == [(4,)]


def test_state_of_committed_rows_is_written_before_an_error(
    duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def state(number: int) -> dict[str, Any]:
        return {"type": "STATE", "value": number}

    full = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), record("s", {"id": 2})]
    for waiting, expected_state in (
        ([state(2), state(3)], "3"),
        ([state(4), record("s", {"id": 3}), state(5)], "4"),
        ([record("s", {"id": 3}), state(6)], None),
        ([schema("u", COLUMNS), {"type": "ACTIVATE_VERSION", "stream": "u", "version": 1}, state(7)], None),
    ):
        with pytest.raises(TargetError, match="it is not JSON"):
            duck.load(*full, *waiting, "{bad", batch_size_rows=2)
        assert capsys.readouterr().out == (f"{expected_state}\n" if expected_state else "")
        assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
        assert duck.state()[0][1] == (expected_state or "4")


def test_uncommitted_state_is_not_written(
    duck: Any, schema: Any, record: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE]
    monkeypatch.setattr(load.Loader, "_write_state", fail)
    with pytest.raises(TargetError, match="not JSON"):
        duck.load(*messages, "{bad", batch_size_rows=1)
    assert capsys.readouterr().out == ""
