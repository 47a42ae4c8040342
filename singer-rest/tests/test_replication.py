"""Where a stream starts and ends: bookmarks never run ahead of what was read, versions tell what is gone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from singer_rest.errors import RunError
from singer_rest.replication import Replication

NOW = datetime(2026, 11, 22, 5, tzinfo=timezone.utc)
VERSION = int(NOW.timestamp() * 1000)
MINUTES = pendulum.duration(minutes=5)


def replication(
    state: dict[str, Any],
    *,
    key: str | None = "updated_at",
    start_date: datetime | None = None,
    look_back: pendulum.Duration = MINUTES,
) -> Replication:
    return Replication("persons", state, key=key, start_date=start_date, look_back=look_back, now=NOW)


def bookmark(value: str | None, **more: Any) -> dict[str, Any]:
    return {"replication_key": "updated_at", "replication_key_value": value, **more}


def test_a_first_run_reads_everything_under_a_new_version() -> None:
    first = replication({})
    assert (first.whole, first.since, first.version) == (True, None, VERSION)


def test_the_bookmark_is_the_latest_key_in_one_format_whatever_the_records_order() -> None:
    state: dict[str, Any] = {}
    run = replication(state)
    run.see(
        [{"updated_at": text} for text in ("2026-11-02T01:00:00+02:00", "2026-11-01T23:30:00.5Z", None, "2020-01-01")][
            :2
        ]
    )
    run.see([{"updated_at": "2020-01-01T00:00:00Z"}])
    assert run.finish(None)
    assert state == bookmark("2026-11-01T23:30:00.500000Z", version=VERSION, window_start=None)


def test_a_run_that_does_not_finish_leaves_the_state_alone() -> None:
    state = bookmark("2026-11-01T00:00:00Z", version=1)
    before = dict(state)
    replication(state).see([{"updated_at": "2026-11-20T00:00:00Z"}])
    assert state == before


def test_the_next_run_looks_back_and_keeps_the_version() -> None:
    run = replication(bookmark("2026-11-01T00:00:00Z", version=7))
    assert (run.whole, run.since, run.version) == (False, datetime(2026, 10, 31, 23, 55, tzinfo=timezone.utc), 7)


def test_the_bookmark_never_passes_the_runs_own_start() -> None:
    state: dict[str, Any] = {}
    run = replication(state)
    run.see([{"updated_at": "2026-11-22T05:00:07Z"}])
    run.finish(None)
    assert state["replication_key_value"] == "2026-11-22T05:00:00Z"


def test_a_run_without_records_keeps_the_bookmark() -> None:
    state = bookmark("2026-11-01T00:00:00Z", version=7)
    assert not replication(state).finish(None)
    assert state["replication_key_value"] == "2026-11-01T00:00:00Z"


def test_a_start_date_after_the_bookmark_wins() -> None:
    start = NOW - timedelta(days=1)
    assert replication(bookmark("2026-11-01T00:00:00Z"), start_date=start).since == start


def test_looking_back_does_not_reach_before_the_start_date() -> None:
    start = datetime(2026, 11, 1, tzinfo=timezone.utc)
    assert replication(bookmark("2026-11-01T00:01:00Z"), start_date=start).since == start


def test_looking_back_by_months_knows_their_lengths() -> None:
    run = replication(bookmark("2026-05-31T00:00:00Z"), look_back=pendulum.duration(months=3))
    assert run.since == datetime(2026, 2, 28, tzinfo=timezone.utc)


def test_records_without_the_key_set_the_bookmark_to_null_so_that_the_next_run_reads_everything() -> None:
    state = bookmark("2026-11-01T00:00:00Z", version=7)
    run = replication(state)
    run.see([{"id": "1"}, {"id": "2", "updated_at": "2026-11-02T00:00:00Z"}])
    run.finish(None)
    assert run.keyless_rows == 1
    assert "replication_key_value" in state  # null, not removed: Meltano merges
    assert state["replication_key_value"] is None
    assert replication(state).whole


def test_a_bookmark_of_another_key_is_not_used() -> None:
    assert replication({"replication_key": "created_at", "replication_key_value": "2026-11-01T00:00:00Z"}).whole


@pytest.mark.parametrize("value", ["yesterday", 5, ["2026"]])
def test_a_bookmark_that_is_no_date_is_a_sentence_without_its_value(value: object) -> None:
    with pytest.raises(RunError, match="bookmark of persons is not a date") as error:
        replication(bookmark(value))  # type: ignore[arg-type]
    assert str(value) not in str(error.value)


def test_a_full_table_is_read_whole_each_time_under_a_higher_version() -> None:
    state: dict[str, Any] = {"version": VERSION + 5, "window_start": None}
    run = replication(state, key=None)
    run.see([{"id": "1"}])
    assert run.version == VERSION + 6
    assert run.finish(None)
    assert state == {"version": VERSION + 6, "window_start": None}


def test_a_full_read_that_returns_nothing_activates_no_version() -> None:
    assert not replication({"version": 1, "window_start": None}, key=None).finish(None)


def test_a_read_from_a_later_start_than_the_tables_own_activates_no_version() -> None:
    old = {"version": 1, "window_start": "2021-01-01T00:00:00Z"}
    for start, activates in ((2022, False), (2021, True), (2020, True)):
        state = dict(old)
        run = replication(state, key=None)
        run.see([{"id": "1"}])
        assert run.finish(datetime(start, 1, 1, tzinfo=timezone.utc)) is activates
        assert state["window_start"] == ("2021-01-01T00:00:00Z" if start > 2020 else "2020-01-01T00:00:00Z")


def test_a_table_without_a_start_is_not_covered_by_a_read_that_has_one() -> None:
    state = {"version": 1, "window_start": None}
    run = replication(state, key=None)
    run.see([{"id": "1"}])
    assert not run.finish(datetime(2021, 1, 1, tzinfo=timezone.utc))
    assert state["window_start"] is None


def test_the_default_window_does_not_move_on_from_the_tables_own() -> None:
    run = replication({"version": 1, "window_start": "2019-01-01T00:00:00Z"}, key=None)
    assert run.since == datetime(2019, 1, 1, tzinfo=timezone.utc)
