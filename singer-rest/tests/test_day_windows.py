"""A list that returns 24 hours at most, of records without a modification time."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import DateWindows, DayWindows
from singer_rest.slices.base import Window
from singer_rest.state.checkpoint import KEY
from singer_rest.testing import Output, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Host, ReceivedRequest

NOW = datetime(2026, 2, 10, 8, 30, 0, 5, tzinfo=timezone.utc)
LATER = datetime(2026, 2, 11, 9, tzinfo=timezone.utc)
OPTIONS: dict[str, Any] = {"optional_streams": ["strolls"], "start_date": None, "end_date": None}


def window_bounds(since: datetime | None = None, until: datetime | None = None) -> list[tuple[Any, ...]]:
    slices = DayWindows("after", "before", days_back=2).plan(Window(since, until, NOW), None)
    return [(*part.params.values(), part.name) for part in slices if part]


def test_days_are_adjacent_and_the_last_one_ends_when_the_run_begins() -> None:
    assert window_bounds() == [
        ("2026-02-08T00:00:00", "2026-02-09T00:00:00", "2026-02-08/2026-02-08"),
        ("2026-02-09T00:00:00", "2026-02-10T00:00:00", "2026-02-09/2026-02-09"),
        ("2026-02-10T00:00:00", "2026-02-10T08:30:01", None),
    ]


def test_first_window_starts_at_the_lower_bound_in_whole_seconds() -> None:
    assert window_bounds(NOW.replace(day=9, hour=23)) == [
        ("2026-02-09T23:30:00", "2026-02-10T00:00:00", "2026-02-09/2026-02-09"),
        ("2026-02-10T00:00:00", "2026-02-10T08:30:01", None),
    ]
    assert window_bounds(LATER) == []


@pytest.mark.parametrize(("until", "last"), [(9, "2026-02-10T00:00:00"), (10, "2026-02-10T08:30:01"), (28, None)])
def test_last_day_is_read_completely_but_nothing_in_the_future(until: int, last: str | None) -> None:
    end = datetime(2026, 2, until, tzinfo=timezone.utc)
    assert window_bounds(None, end)[-1][1] == last or window_bounds()[-1][1]


def test_day_windows_can_start_a_number_of_days_ago() -> None:
    windows = DateWindows("from", "to", days=31, days_back=30).plan(Window(None, None, NOW), None)
    asked = [tuple(part.params.values()) for part in windows if part]
    assert (asked[0][0], asked[-1][1]) == ("2026-01-11", "2026-02-10")


@pytest.fixture
def read_strolls(run: Callable[..., Output], vendor: Host) -> Callable[..., Output]:
    """Runs the tap over strolls, one a day."""
    vendor.respond = lambda request: Response({"data": [{"id": request.query["after"]}]})

    def read_strolls(started: datetime, state: dict[str, Any] | None = None, **options: Any) -> Output:
        vendor.requests.clear()
        return run("strolls", state=state, started=started, max_concurrency=1, **{**OPTIONS, **options})

    return read_strolls


def bookmark_of(output: Output) -> dict[str, Any]:
    place: dict[str, Any] = output.state["bookmarks"]["strolls"]
    return place


def test_next_run_continues_where_this_one_began(read_strolls: Callable[..., Output], vendor: Host) -> None:
    first = read_strolls(NOW)
    assert bookmark_of(first)["replication_key_value"] == "2026-02-10T08:30:00.000005Z"
    assert not first.messages_of("ACTIVATE_VERSION")
    read_strolls(LATER, first.state)
    windows = [(query["after"], query["before"]) for query in vendor.queries("/strolls")]
    assert windows == [
        ("2026-02-10T08:25:00", "2026-02-11T00:00:00"),
        ("2026-02-11T00:00:00", "2026-02-11T09:00:01"),
    ]


def test_bookmark_is_no_later_than_what_was_read(read_strolls: Callable[..., Output]) -> None:
    assert bookmark_of(read_strolls(NOW, end_date="2026-02-08"))["replication_key_value"] == "2026-02-08T00:00:00Z"
    assert (
        bookmark_of(read_strolls(NOW, end_date="2026-03-08"))["replication_key_value"] == "2026-02-10T08:30:00.000005Z"
    )


def until_the_ninth(received_request: ReceivedRequest) -> Response:
    return Response(
        {"data": [{"id": received_request.query["after"]}]},
        422 if received_request.query["after"] > "2026-02-09T12" else 200,
    )


def test_interrupted_read_resumes_the_next_day_where_it_began(
    read_strolls: Callable[..., Output], vendor: Host
) -> None:
    response, vendor.respond = vendor.respond, until_the_ninth
    first = read_strolls(NOW, fails=[])
    assert bookmark_of(first)[KEY][1:] == ["2026-02-07/2026-02-09"]
    vendor.respond = response
    second = read_strolls(LATER, first.state)
    assert [query["after"] for query in vendor.queries("/strolls")] == ["2026-02-10T00:00:00", "2026-02-11T00:00:00"]
    assert bookmark_of(second)[KEY] is None
    assert bookmark_of(second)["replication_key_value"] == "2026-02-10T08:30:00.000005Z"


def test_removed_start_date_does_not_become_the_default(read_strolls: Callable[..., Output], vendor: Host) -> None:
    response, vendor.respond = vendor.respond, until_the_ninth
    first = read_strolls(NOW, start_date="2025-12-01", fails=[])
    vendor.respond = response
    read_strolls(LATER, first.state)
    assert vendor.queries("/strolls")[0]["after"] == "2026-02-08T00:00:00"
