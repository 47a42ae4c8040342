"""Tables that lack older rows, and columns that keep old values."""

from __future__ import annotations

from typing import Any

import pytest
from target_duckdb.errors import TargetError

COLUMNS = {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}
OLD = {"replication_key": "updated_at", "replication_key_value": "2024-05-01"}
NEW = {"replication_key": "updated_at", "replication_key_value": "2024-06-01"}
SENTENCE = (
    "Tables that lack older rows, because the tap continued from an older state when they were created:"
    " 's' (before 2024-05-01). For a full read, run the tap without its state, with Meltano by `--full-refresh`."
)


def _make_state(**bookmarks: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": bookmarks}}


def _fragment_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [message for message in caplog.messages if "older rows" in message]
    caplog.clear()
    return found


@pytest.fixture(name="rows")
def rows_fixture(schema: Any, record: Any) -> Any:
    """Returns the messages of a stream."""

    def rows(*numbers: int, stream: str = "s", version: int | None = None) -> list[dict[str, Any]]:
        more = {} if version is None else {"version": version}
        return [schema(stream, COLUMNS, ["id"]), *(record(stream, {"id": number}, **more) for number in numbers)]

    return rows


def test_new_table_under_an_old_state_is_a_fragment_until_it_is_read_in_full(
    duck: Any, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(_make_state(s=OLD), *rows(7), _make_state(s=NEW))
    assert _fragment_warnings(caplog) == [SENTENCE]
    assert duck.query("SELECT fragment_since FROM _tables") == [("2024-05-01",)]
    duck.load(_make_state(s=NEW), *rows(8), _make_state(s=NEW), batch_size_rows=1)
    assert _fragment_warnings(caplog) == [SENTENCE]
    duck.load(*rows(1, 7, 8), _make_state(s=NEW))
    assert _fragment_warnings(caplog) == []
    duck.load(_make_state(s=NEW), *rows(9), _make_state(s=NEW))
    assert _fragment_warnings(caplog) == []
    assert duck.query("SELECT fragment_since FROM _tables") == [(None,)]


def test_empty_new_table_under_an_old_state_is_a_fragment(
    duck: Any, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    parts = {"partitions": [{"context": {"a": n}, "replication_key_value": f"2024-05-0{n}"} for n in (2, 1)]}
    duck.load(_make_state(s=parts), *rows(), _make_state(s=parts), batch_size_rows=1)
    assert _fragment_warnings(caplog) == [SENTENCE]


def test_first_run_is_not_a_fragment(duck: Any, rows: Any, caplog: pytest.LogCaptureFixture) -> None:
    filtered = {"stream_maps": {"t": {"__filter__": "id > 5"}}}
    duck.load(
        _make_state(s={}, u={"replication_key_value": None}, v={"version": 1, "starting_replication_value": "2020"}),
        *rows(1, stream="s"),
        *rows(1, stream="u"),
        *rows(1, stream="v"),
        _make_state(s=NEW, u=NEW, v=NEW),
        on_fragment="fail",
    )
    # Taps without a STATE at the start: the first one follows the records of some streams, which a filter may remove.
    duck.load(
        *rows(1, stream="t"),
        _make_state(t=NEW),
        *rows(1, stream="w"),
        _make_state(t=NEW, w=NEW),
        batch_size_rows=1,
        on_fragment="fail",
        **filtered,
    )
    assert _fragment_warnings(caplog) == []


def test_complete_read_under_an_old_state_is_not_a_fragment(
    duck: Any, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 5}
    duck.load(_make_state(s=OLD), *rows(1, 2, 3, version=5), activate, batch_size_rows=2)
    assert _fragment_warnings(caplog) == []
    duck.load(_make_state(t=OLD), *rows(1, stream="t", version=5), activate | {"stream": "t"}, on_fragment="fail")
    assert duck.query("SELECT count(*) FROM _tables WHERE fragment_since IS NOT NULL") == [(0,)]


def test_fragment_can_be_refused(duck: Any, rows: Any) -> None:
    with pytest.raises(TargetError, match="Stream 's': its table lacks rows from before 2024-05-01, because the tap"):
        duck.load(_make_state(s=OLD), *rows(7), _make_state(s=NEW), on_fragment="fail")
    assert duck.tables() == []
    duck.load(_make_state(s=OLD), *rows(7), _make_state(s=NEW))
    with pytest.raises(TargetError, match="--full-refresh"):
        duck.load(_make_state(s=NEW), *rows(8), on_fragment="fail")
    duck.load(*rows(7, 8), _make_state(s=NEW), on_fragment="fail")


def test_column_that_is_no_longer_sent_is_reported(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    columns = COLUMNS | {"note": COLUMNS["name"], "empty": COLUMNS["name"]}
    duck.query("CREATE TABLE s (id BIGINT, mine VARCHAR DEFAULT 'x')")
    duck.load(schema("s", columns, ["id"]), record("s", {"id": 1, "name": "a", "note": "b"}))
    caplog.clear()
    head = schema("s", {"id": COLUMNS["id"]}, ["id"])
    duck.load(head, record("s", {"id": 2}), batch_size_rows=1)
    (sentence,) = [message for message in caplog.messages if "To empty them" in message]
    start, update = sentence.split("To empty them: ")
    assert start == "Stream 's': columns that the tap no longer sends keep their old values. "
    assert update == 'UPDATE "hr"."main"."s" SET "name" = NULL, "note" = NULL;'
    caplog.clear()
    duck.load(head, record("s", {"id": 2}))
    assert not any("no longer sends" in message for message in caplog.messages)
    gone = "SELECT column_name FROM _schema_changes WHERE change = 'column no longer sent' ORDER BY 1"
    assert duck.query(gone) == [("empty",), ("name",), ("note",)]
    duck.query(update)
    assert duck.query("SELECT id, mine, name, note FROM s ORDER BY 1") == [(1, "x", None, None), (2, "x", None, None)]


def test_alternating_schemas_of_a_run_send_all_their_columns(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        messages = []
        for name in ("a", "b", "a"):
            messages += [
                schema("s", {"id": COLUMNS["id"], name: COLUMNS["name"]}, ["id"]),
                record("s", {"id": 1, name: "x"}),
            ]
        duck.load(*messages, batch_size_rows=1)
    assert not any("no longer sends" in message for message in caplog.messages)
