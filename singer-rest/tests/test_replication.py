"""Where a stream starts and ends: bookmarks never pass what was read, versions tell which rows are deleted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from singer_rest.errors import RunError
from singer_rest.state.replication import FULL_READ_DUE, Replication

NOW = datetime(2026, 11, 22, 5, tzinfo=timezone.utc)
VERSION = int(NOW.timestamp() * 1000)
MINUTES = pendulum.duration(minutes=5)


def make_replication(
    state: dict[str, Any],
    *,
    key: str | None = "updated_at",
    start_date: datetime | None = None,
    lookback: pendulum.Duration = MINUTES,
    changes_of_all_dates: bool = False,
) -> Replication:
    return Replication(
        "persons",
        state,
        key=key,
        start_date=start_date,
        lookback=lookback,
        now=NOW,
        changes_of_all_dates=changes_of_all_dates,
    )


def make_bookmark(value: str | None, **more: Any) -> dict[str, Any]:
    return {"replication_key": "updated_at", "replication_key_value": value, **more}


def test_first_run_reads_everything_under_a_new_version() -> None:
    first = make_replication({})
    assert (first.whole, first.since, first.version) == (True, None, VERSION)


def finish_read(run: Replication, start: datetime | None = None, end: datetime | None = None) -> bool:
    """Finishes a read. Returns whether its version is activated."""
    activates = run.can_activate_version(start, end)
    run.finish(start, end)
    return activates


def test_bookmark_is_the_latest_key_in_one_format_in_any_order() -> None:
    state: dict[str, Any] = {}
    run = make_replication(state)
    run.observe([{"updated_at": text} for text in ("2026-11-02T01:00:00+02:00", "2026-11-01T23:30:00.5Z")])
    run.observe([{"updated_at": "2020-01-01T00:00:00Z"}])
    assert finish_read(run)
    assert state == make_bookmark("2026-11-01T23:30:00.500000Z", version=VERSION, window_start=None, window_end=None)


@pytest.mark.parametrize("placeholder", ["0001-01-01T00:00:00Z", "1753-01-01T00:00:00Z"])
def test_placeholder_in_place_of_a_timestamp_is_no_bookmark(placeholder: str) -> None:
    state: dict[str, Any] = {}
    run = make_replication(state)
    run.observe([{"updated_at": placeholder}])
    run.finish(None, None)
    again = make_replication(state, lookback=pendulum.duration(months=3))
    assert (again.whole, again.since) == (True, None)
    again.observe([{"updated_at": placeholder}, {"updated_at": "2026-11-01T00:00:00Z"}])
    again.finish(None, None)
    assert make_replication(state).since == datetime(2026, 10, 31, 23, 55, tzinfo=timezone.utc)


def test_bookmark_does_not_move_back_if_the_newest_row_is_deleted() -> None:
    state = make_bookmark("2026-11-01T00:00:00Z", version=7)
    run = make_replication(state)
    run.observe([{"updated_at": "2026-10-31T23:57:00Z"}])
    run.finish(None, None)
    assert state["replication_key_value"] == "2026-11-01T00:00:00Z"


def test_unfinished_run_leaves_the_state() -> None:
    state = make_bookmark("2026-11-01T00:00:00Z", version=1)
    before = dict(state)
    make_replication(state).observe([{"updated_at": "2026-11-20T00:00:00Z"}])
    assert state == before


def test_next_run_looks_back_and_keeps_the_version() -> None:
    run = make_replication(make_bookmark("2026-11-01T00:00:00Z", version=7))
    assert (run.whole, run.since, run.version) == (False, datetime(2026, 10, 31, 23, 55, tzinfo=timezone.utc), 7)


def test_bookmark_never_passes_the_start_of_the_run() -> None:
    state: dict[str, Any] = {}
    run = make_replication(state)
    run.observe([{"updated_at": "2026-11-22T05:00:07Z"}])
    run.finish(None, None)
    assert state["replication_key_value"] == "2026-11-22T05:00:00Z"


def test_run_without_records_keeps_the_bookmark() -> None:
    state = make_bookmark("2026-11-01T00:00:00Z", version=7)
    assert not finish_read(make_replication(state))
    assert state["replication_key_value"] == "2026-11-01T00:00:00Z"


def test_start_date_after_the_bookmark_takes_precedence() -> None:
    start = NOW - timedelta(days=1)
    assert make_replication(make_bookmark("2026-11-01T00:00:00Z"), start_date=start).since == start


def test_lookback_does_not_reach_before_the_start_date() -> None:
    start = datetime(2026, 11, 1, tzinfo=timezone.utc)
    assert make_replication(make_bookmark("2026-11-01T00:01:00Z"), start_date=start).since == start


def test_lookback_by_months_respects_their_lengths() -> None:
    run = make_replication(make_bookmark("2026-05-31T00:00:00Z"), lookback=pendulum.duration(months=3))
    assert run.since == datetime(2026, 2, 28, tzinfo=timezone.utc)


def test_records_without_the_key_set_the_bookmark_to_null() -> None:
    state = make_bookmark("2026-11-01T00:00:00Z", version=7)
    run = make_replication(state)
    run.observe([{"id": "1"}, {"id": "2", "updated_at": "2026-11-02T00:00:00Z"}])
    run.finish(None, None)
    assert run.keyless_rows == 1
    assert "replication_key_value" in state  # null, not removed: Meltano merges
    assert state["replication_key_value"] is None
    assert make_replication(state).whole


def test_bookmark_of_another_key_is_not_used() -> None:
    assert make_replication({"replication_key": "created_at", "replication_key_value": "2026-11-01T00:00:00Z"}).whole


@pytest.mark.parametrize("value", [None, "", "yesterday", 5, ["2026"]])
def test_record_with_an_invalid_key_counts_as_one_without(value: Any) -> None:
    run = make_replication({})
    run.observe([{"updated_at": value}])
    assert run.keyless_rows == 1


@pytest.mark.parametrize("key", ["replication_key_value", "window_start", "window_end", "version"])
@pytest.mark.parametrize("value", ["yesterday", ["2026"], -5])
def test_invalid_state_is_reported_without_its_value(key: str, value: Any) -> None:
    with pytest.raises(RunError, match=f"state's `{key}` of persons cannot be read") as error:
        make_replication({"replication_key": "updated_at", key: value})
    assert str(value) not in str(error.value)


def test_full_table_is_read_completely_each_time_under_a_higher_version() -> None:
    state: dict[str, Any] = {"version": VERSION + 5, "window_start": None}
    run = make_replication(state, key=None)
    run.observe([{"id": "1"}])
    assert run.version == VERSION + 6
    assert finish_read(run)
    assert state == {"version": VERSION + 6, "window_start": None, "window_end": None}


def test_full_read_that_returns_nothing_activates_no_version() -> None:
    assert not finish_read(make_replication({"version": 1, "window_start": None}, key=None))


def january_of(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("start", "end", "covers"),
    [
        (january_of(2022), None, False),
        (january_of(2021), None, True),
        (january_of(2020), None, True),
        (None, None, True),
        (january_of(2021), january_of(2025), True),
        (january_of(2021), january_of(2026), True),
        (january_of(2021), january_of(2024), False),
    ],
)
def test_read_that_covers_less_than_the_table_activates_no_version(
    start: datetime | None,
    end: datetime | None,
    covers: bool,  # noqa: FBT001
) -> None:
    old = {"version": 1, "window_start": "2021-01-01T00:00:00Z", "window_end": "2025-01-01T00:00:00Z"}
    state = dict(old)
    run = make_replication(state, key=None)
    run.observe([{"id": "1"}])
    assert finish_read(run, start, end) is covers
    assert (state["window_start"] == old["window_start"]) == (not covers or start == january_of(2021))


def test_unbounded_table_is_covered_only_by_an_unbounded_read() -> None:
    for start, end, covers in ((None, None, True), (january_of(2021), None, False), (None, january_of(2027), False)):
        state: dict[str, Any] = {"version": 1, "window_start": None, "window_end": None}
        run = make_replication(state, key=None)
        run.observe([{"id": "1"}])
        assert finish_read(run, start, end) is covers
        assert state["window_start"] is None


@pytest.mark.parametrize(
    ("state", "deletes"),
    [
        ({"version": 1}, False),
        ({"version": 1, FULL_READ_DUE: False}, False),
        ({"version": 1, FULL_READ_DUE: True}, True),  # a full refresh failed, and is repeated
        ({}, True),
    ],
)
def test_only_a_requested_full_refresh_limits_a_table_with_changes_of_all_dates_to_the_window(
    state: dict[str, Any], *, deletes: bool
) -> None:
    windows = {"window_start": "2021-01-01T00:00:00Z", "window_end": None} if state else {}
    run = make_replication({**state, **windows}, key=None, changes_of_all_dates=True)
    run.observe([{"id": "1"}])
    assert finish_read(run, january_of(2021)) is deletes
    assert run.covers_less is not deletes


def test_window_of_the_table_is_known_but_limits_nothing() -> None:
    run = make_replication({"version": 1, "window_start": "2019-01-01T00:00:00Z"}, key=None)
    assert run.table_since == january_of(2019)
    assert run.since is None


def test_records_without_versions_leave_the_version() -> None:
    state: dict[str, Any] = {}
    run = make_replication(state)
    run.observe([{"updated_at": "2026-11-01T00:00:00Z"}])
    run.finish(None, None, versions=False)
    assert state == make_bookmark("2026-11-01T00:00:00Z")


@pytest.mark.parametrize(("ahead", "whole"), [(timedelta(minutes=4), False), (timedelta(days=400), True)])
def test_bookmark_in_the_future_is_ignored(ahead: timedelta, whole: bool) -> None:  # noqa: FBT001
    state = make_bookmark((NOW + ahead).isoformat(), version=7)
    run = make_replication(state)
    assert (run.whole, run.bookmark_is_ahead) == (whole, whole)
    if whole:
        run.observe([{"updated_at": "2026-10-31T23:57:00Z"}])
        run.finish(None, None)
        assert state["replication_key_value"] == "2026-10-31T23:57:00Z"
