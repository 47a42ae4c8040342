"""`_runs`, `_run_streams` and `_schema_changes` say what each run did."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from target_duckdb import load
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
README = (Path(__file__).parents[1] / "README.md").read_text()
COUNTS = "stream, table_name, received, inserted, changed, deleted, rejected"


def _make_state(**bookmarks: Any) -> dict[str, Any]:
    return {
        "type": "STATE",
        "value": {"bookmarks": {name: {"replication_key_value": value} for name, value in bookmarks.items()}},
    }


def _last_run(duck: Any, columns: str = COUNTS) -> list[tuple[Any, ...]]:
    last = "SELECT run_id FROM _runs ORDER BY started_at DESC LIMIT 1"
    return list(duck.query(f"SELECT {columns} FROM _run_streams WHERE run_id = ({last}) ORDER BY stream"))


def test_upserts_are_counted(duck: Any, schema: Any, record: Any) -> None:
    head = [schema("s", COLUMNS, ["id"]), schema("empty", COLUMNS, ["id"])]
    duck.load(*head, *(record("s", {"id": number}) for number in (1, 2, 2, 3)), record("s", {"name": "x"}))
    assert _last_run(duck) == [("empty", "empty", 0, 0, 0, 0, 0), ("s", "s", 5, 3, 0, 0, 1)]
    duck.load(*head, *(record("s", {"id": number}) for number in (3, 4, 5, 6)), batch_size_rows=3)
    assert _last_run(duck) == [("empty", "empty", 0, 0, 0, 0, 0), ("s", "s", 4, 3, 1, 0, 0)]
    duck.load(head[0], record("s", {"name": "x"}), record("s", {"id": 9}), batch_size_rows=1)
    assert _last_run(duck) == [("s", "s", 2, 1, 0, 0, 1)]
    assert duck.query("SELECT status, ended_at >= started_at, error FROM _runs") == [("succeeded", True, None)] * 3


@pytest.mark.parametrize("hard", [False, True])
def test_deletions_are_counted(*, duck: Any, schema: Any, record: Any, hard: bool) -> None:
    head = schema("s", COLUMNS | {"_sdc_deleted_at": STRING}, ["id"])
    rows = [record("s", {"id": number, "name": "x"}, version=1) for number in range(5)]
    duck.load(head, *rows, {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1}, hard_delete=hard)
    marks = [record("s", {"id": number, "_sdc_deleted_at": "2024-01-01"}, version=1) for number in (0, 1, 9)]
    duck.load(head, record("s", {"id": 2}, version=1), *marks, hard_delete=hard)
    assert _last_run(duck) == [("s", "s", 4, 0, 1, 2, 0)]
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 2}
    duck.load(head, record("s", {"id": 2}, version=2), activate, hard_delete=hard)
    assert _last_run(duck) == [("s", "s", 1, 0, 1, 2, 0)]
    assert duck.query("SELECT count(*) FROM s") == [(1 if hard else 5,)]


@pytest.mark.parametrize("hard", [False, True])
def test_rows_deleted_by_a_version_that_precedes_its_rows_are_counted_once(
    *, duck: Any, schema: Any, record: Any, hard: bool
) -> None:
    head = schema("s", COLUMNS, ["id"])
    first, second = ({"type": "ACTIVATE_VERSION", "stream": "s", "version": number} for number in (1, 2))
    duck.load(head, *(record("s", {"id": number}, version=1) for number in range(5)), first, hard_delete=hard)
    rows = [record("s", {"id": number}, version=2) for number in (1, 2)]
    duck.load(head, second, rows[0], head, second, rows[1], _make_state(), batch_size_rows=1, hard_delete=hard)
    assert _last_run(duck) == [("s", "s", 2, 0, 2, 3, 0)]


def test_rows_of_other_load_methods_are_counted(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    for version, rows in ((1, 3), (2, 2)):
        sent = [record("s", {"id": number}, version=version) for number in range(rows)]
        duck.load(head, *sent, {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}, load_method="overwrite")
    assert _last_run(duck) == [("s", "s", 2, 2, 0, 3, 0)]
    duck.load(head, *(record("s", {"id": 1}) for _ in range(2)), load_method="append-only")
    assert _last_run(duck) == [("s", "s", 2, 2, 0, 0, 0)]
    for _ in range(2):
        duck.load(schema("keyless", COLUMNS), *(record("keyless", {"id": 1}) for _ in range(2)))
    assert _last_run(duck) == [("keyless", "keyless", 2, 2, 0, 0, 0)]


def test_rows_of_merged_schemas_are_counted_once(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", COLUMNS | {"more": STRING}, ["id"]), *(record("s", {"id": number}) for number in range(3)))
    messages = []
    for number in (1, 2, 3):
        messages += [
            schema("s", {"id": INTEGER, "name": STRING}, ["id"]),
            record("s", {"id": number, "name": "x"}),
            schema("s", {"id": INTEGER, "more": STRING}, ["id"]),
            record("s", {"id": number, "more": "y"}),
        ]
    duck.load(*messages)
    assert _last_run(duck) == [("s", "s", 6, 1, 2, 0, 0)]


def test_bookmarks_before_and_after_are_recorded(duck: Any, schema: Any, record: Any) -> None:
    duck.load(
        _make_state(a="2024-01-01", b="2024-01-01"),
        *(message for name in ("a", "b") for message in (schema(name, COLUMNS, ["id"]), record(name, {"id": 1}))),
        _make_state(a="2024-01-02", b="2024-01-01"),
        _make_state(a="2024-01-02", b="2024-01-03"),
        batch_size_rows=1,
    )
    columns = "stream, bookmark_before, bookmark_after"
    assert _last_run(duck, columns) == [("a", "2024-01-01", "2024-01-02"), ("b", "2024-01-01", "2024-01-03")]
    other = {"type": "STATE", "value": {"bookmarks": {"c": {"updated": "2024", "n": None}, "d": 5}}}
    heads = [schema(name, COLUMNS, ["id"]) for name in ("c", "d")]
    duck.load(heads[0], record("c", {"id": 1}), heads[1], other)  # the first STATE follows a record of c
    assert _last_run(duck, columns) == [("c", None, '{"updated": "2024"}'), ("d", None, None)]


@pytest.mark.parametrize("value", [1, "x", [], {"bookmarks": []}, {"bookmarks": {"s": [1]}}])
def test_states_of_any_structure_are_committed(duck: Any, schema: Any, value: Any) -> None:
    messages = [{"type": "STATE", "value": value}, schema("s", COLUMNS, ["id"]), {"type": "STATE", "value": value}]
    assert duck.load(*messages) == [json.dumps(value)] * 2  # the first is committed before the SCHEMA
    assert _last_run(duck, "bookmark_before, bookmark_after") == [(None, None)]


def test_schema_changes_are_recorded(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1}))
    duck.load(schema("s", COLUMNS, ["id"]), record("s", {"id": 2**63}))
    columns = "table_name, column_name, change, old_type, new_type"
    changes = [
        ("s", None, "table created", None, None),
        ("s", "name", "column added", None, "VARCHAR"),
        ("s", "id", "column widened", "BIGINT", "HUGEINT"),
    ]
    assert duck.query(f"SELECT {columns} FROM _schema_changes") == changes
    assert duck.query("SELECT count(*) FROM _schema_changes JOIN _runs USING (run_id) WHERE changed_at <= now()") == [
        (3,)
    ]


def test_schema_changes_of_an_overwritten_table_are_recorded(duck: Any, schema: Any, record: Any) -> None:
    for version, columns in ((1, {"id": INTEGER}), (2, COLUMNS)):
        activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}
        duck.load(
            schema("s", columns, ["id"]), record("s", {"id": 1}, version=version), activate, load_method="overwrite"
        )
    assert duck.query("SELECT table_name, change, column_name FROM _schema_changes ORDER BY ALL") == [
        ("s", "column added", "name"),
        ("s", "table created", None),
        ("s", "table replaced", None),
        ("s", "table replaced", None),
    ]


def test_rolled_back_batch_is_not_counted(duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise TargetError("It fails.")

    duck.load(schema("s", COLUMNS, ["id"]), record("s", {"id": 1}))
    with monkeypatch.context() as patch:
        patch.setattr(load.Loader, "_write_state", fail)
        with pytest.raises(TargetError, match="It fails"):
            duck.load(schema("s", COLUMNS, ["id"]), record("s", {"id": 2}), _make_state())
    assert duck.query("SELECT status FROM _runs ORDER BY started_at") == [("succeeded",), ("unfinished",)]
    assert _last_run(duck) == []


def test_run_is_recorded_before_its_first_batch(duck: Any, schema: Any, record: Any) -> None:
    """An existing file may have no tables of the loader yet, or a table of the user's with the same name."""
    statuses = "SELECT (SELECT count(*) FROM {}), status FROM {} ORDER BY started_at DESC LIMIT 1"

    def kill_after(*messages: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(load.Loader, "commit", lambda *_: (_ for _ in ()).throw(TargetError("It fails.")))
            with pytest.raises(TargetError, match="It fails"):
                duck.load(*messages)

    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1})]
    kill_after(*messages)
    assert not duck.path.exists()
    duck.query("CREATE TABLE other AS SELECT 1 AS n")
    for number in (1, 2):
        kill_after(*messages)
        assert duck.query(statuses.format("_runs", "_runs")) == [(number, "unfinished")]
    duck.query("DROP TABLE _runs")
    duck.query("CREATE TABLE _runs (run_id VARCHAR, state_id VARCHAR, status VARCHAR, started_at VARCHAR)")
    for number in (1, 2):
        kill_after(*messages)
        assert duck.query(statuses.format("_runs_2", "_runs_2")) == [(number, "unfinished")]
    assert duck.query("FROM _runs") == []


def test_run_ends_with_one_line(duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    duck.load(schema("s", COLUMNS, ["id"]), *(record("s", {"id": number}) for number in range(1000)))
    duck.load(schema("s", COLUMNS, ["id"]), schema("t", COLUMNS, ["id"]), record("s", {"id": 1}), record("t", {}))
    lines = [message for message in caplog.messages if " inserted, " in message]
    assert re.fullmatch(
        r"1 stream, 1,000 rows: 1,000 inserted, 0 changed, 0 deleted, 0 rejected, \d+\.\d s\.", lines[0]
    )
    assert re.fullmatch(r"2 streams, 2 rows: 0 inserted, 1 changed, 0 deleted, 1 rejected, \d+\.\d s\.", lines[1])
    assert caplog.messages[-1] == lines[1]
    assert not any("Committed a batch" in message for message in caplog.messages)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_run_that_is_stopped_is_recorded(duck: Any, schema: Any, record: Any, number: signal.Signals) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), {"type": "STATE", "value": 1}]
    messages += [record("s", {"id": 2}), record("s", {"id": 3})]
    with duck.start(batch_size_rows=2) as run:
        run.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        run.stdin.flush()
        assert run.stdout.readline() == "1\n"
        run.send_signal(number)
        assert run.wait() in {-9, 143}
        with contextlib.suppress(BrokenPipeError):
            run.stdin.close()
    assert duck.query("SELECT status, ended_at IS NULL, error FROM _runs") == [
        ("unfinished", True, None) if number == signal.SIGKILL else ("stopped", False, "Stopped by signal 15.")
    ]
    assert _last_run(duck) == [("s", "s", 2, 2, 0, 0, 0)]


@pytest.mark.slow
def test_run_that_fails_records_the_reason(duck: Any, schema: Any, record: Any) -> None:
    run = duck.run(schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), "broken")
    assert run.returncode == 1
    ((status, error),) = duck.query("SELECT status, error FROM _runs")
    assert status == "failed"
    assert error == "Line 3 of the input cannot be loaded: it is not JSON, or it is truncated."
    assert _last_run(duck) == []


def test_queries_of_the_readme_return_the_changes(duck: Any, schema: Any, record: Any) -> None:
    part = README.split("\n## What a run did\n")[1].split("\n## ")[0]
    queries = re.findall(r"```sql\n(.*?)```", part, re.DOTALL)
    duck.load(schema("s", COLUMNS, ["id"]), *(record("s", {"id": number}) for number in range(4)))
    duck.query("UPDATE _runs SET started_at = started_at - INTERVAL 3 DAY")
    duck.query("UPDATE _schema_changes SET changed_at = changed_at - INTERVAL 3 DAY")
    for rows in ((3, 4), (5,)):
        duck.load(schema("s", COLUMNS | {"born": STRING}, ["id"]), *(record("s", {"id": number}) for number in rows))
    changed, columns, runs = (duck.query(query) for query in queries)
    assert changed == [("s", 2, 1, 0, 0)]
    assert [row[:4] for row in columns] == [("s", "born", "column added", "VARCHAR")]
    assert [row[1] for row in runs] == ["succeeded"] * 3
