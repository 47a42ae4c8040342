"""The progress line: nothing that is not known, and nothing of the records."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Months, Slice
from singer_rest.http.activity import Activity
from singer_rest.singer.progress import PROGRESS_SECONDS, Progress
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def progress_line(clock: Clock, seconds: float, share: float | None) -> str:
    progress = Progress(31, Activity(clock), clock)
    clock.seconds += seconds
    return progress.line(19, 120_000, {"attendance_periods": share})


def test_line_has_percentage_and_time_left_if_the_total_is_known(clock: Clock) -> None:
    assert progress_line(clock, 60, 0.35) == (
        "12 of 31 streams done, 120000 rows in 0 requests, 2000 rows/s; "
        "reading attendance_periods (35 %, about 2 min left)"
    )


def test_line_has_neither_if_the_total_is_unknown(clock: Clock) -> None:
    assert progress_line(clock, 60, None).endswith("2000 rows/s; reading attendance_periods")


@pytest.mark.parametrize(
    ("seconds", "share", "left"),
    [
        (30, 0.5, "(50 %, about 30 s left)"),
        (80, 0.5, "(50 %, about 80 s left)"),
        (100, 0.5, "(50 %, about 2 min left)"),
        (3600, 0.5, "(50 %, about 60 min left)"),
        (3600, 0.25, "(25 %, about 3 h left)"),
        (60, 0.999, "(99 %, about 0 s left)"),
        (60, 1.0, "(100 %)"),
    ],
)
def test_time_left_is_rounded(clock: Clock, seconds: float, share: float, left: str) -> None:
    assert progress_line(clock, seconds, share).endswith(f"rows/s; reading attendance_periods {left}")


def test_line_names_the_streams_with_most_left(clock: Clock) -> None:
    fractions = {"a": 0.9, "b": 0.5, "c": None, "d": 0.2, "e": 0.8}
    progress = Progress(6, Activity(clock), clock)
    assert progress.line(5, 7, fractions) == (
        "1 of 6 streams done, 7 rows in 0 requests; "
        "reading c, d (20 %, about 0 s left), b (50 %, about 0 s left), 2 more"
    )


def test_line_is_due_every_ten_seconds(clock: Clock) -> None:
    progress = Progress(1, Activity(clock), clock)
    due = []
    for _ in range(25):
        clock.seconds += 1
        if progress.is_due:
            progress.line(1, 1, {})
            due.append(clock.seconds)
    assert PROGRESS_SECONDS == 10
    assert due == [1010, 1020]


def test_outcome_counts_streams_requests_retries_and_waits(clock: Clock) -> None:
    activity = Activity(clock)
    progress = Progress(5, activity, clock)
    activity.add_request()
    activity.add_retry("owners", "status 503", 0.2)
    with activity.count_wait(["a"]), activity.count_wait(["a", "b"]):
        clock.seconds += 3
    clock.seconds += 1
    assert progress.outcome(120, ["reports", "webhooks"], ["owners"]) == (
        "5 streams: 2 read, 2 skipped (reports, webhooks), 1 failed (owners); 120 rows, 1 requests, 1 retries, "
        "3.0 s of waiting for rate limits, 4.0 s in total"
    )


def test_outcome_lists_at_most_ten_streams(clock: Clock) -> None:
    names = [f"s{number}" for number in range(12)]
    said = Progress(12, Activity(clock), clock).outcome(0, names, [])
    assert "12 skipped (s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more)" in said


def test_retries_are_one_line_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    activity = Activity(clock)
    for _ in range(61):
        activity.add_retry("owners", "status 503", 0.2)
        activity.add_retry("pets", "too many requests", 30)
        clock.seconds += 1
    assert [record.getMessage() for record in caplog.records] == [
        "owners: status 503; retrying",
        "owners: status 503 (60 times), pets: too many requests (60 times); retrying",
    ]
    assert activity.retries == 122


def test_long_wait_before_a_retry_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Activity(clock).add_retry("pets", "too many requests", 30)
    assert caplog.messages == ["pets: too many requests; retrying in 30 s"]


@pytest.fixture
def progress_lines(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., list[str]]:
    """Runs the tap with a line after each page. Returns what each says after the rate, without the time left."""
    monkeypatch.setattr("singer_rest.singer.progress.PROGRESS_SECONDS", 0.0)
    caplog.set_level(logging.INFO)

    def progress_lines(stream: str, *others: str, **options: Any) -> list[str]:
        caplog.clear()
        run(stream, *others, **options)
        said = [record.getMessage() for record in caplog.records]
        return [
            found.group(1) or ""
            for message in said
            if (found := re.search(rf"; reading .*\b{stream}(?: \((\d+ %))?", message))
        ]

    return progress_lines


def test_fraction_of_slices_is_known_from_the_first_on(progress_lines: Callable[..., list[str]]) -> None:
    assert progress_lines("sales", start_date="2021-01-01", end_date="2021-04-30") == [
        "25 %",
        "50 %",
        "75 %",
        "100 %",
    ]


def test_fraction_of_a_resumed_read_is_that_of_the_rest(progress_lines: Callable[..., list[str]], shop: Any) -> None:
    config_fingerprint = {
        "start_date": "2021-01-01T00:00:00Z",
        "end_date": "2021-04-30T00:00:00Z",
        "window_start": "2021-01-01T00:00:00Z",
        "replication_key": "month",
    }
    begun = {
        "version": 5,
        "began": "2021-05-01",
        "made_with": config_fingerprint,
        "rows": 1,
        "keyless_rows": 0,
        "latest": None,
    }
    state = {"bookmarks": {"sales": {"finished_slices": [begun, "2021-01-01/2021-01-31", "2021-02-01/2021-02-28"]}}}
    assert progress_lines("sales", state=state, start_date="2021-01-01", end_date="2021-04-30") == ["50 %", "100 %"]


def test_fraction_is_one_if_no_slice_is_left(
    progress_lines: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, planned = Months.plan, list[bool]()

    def left(self: Months, *args: Any) -> Iterator[Slice | None]:
        planned.append(True)
        return plan(self, *args) if len(planned) == 1 else iter(())

    monkeypatch.setattr(Months, "plan", left)
    assert progress_lines("sales", start_date="2021-03-01", end_date="2021-04-30") == ["100 %", "100 %"]


def test_fraction_of_children_is_that_of_their_parents(progress_lines: Callable[..., list[str]], shop: Any) -> None:
    shop.data["/owners"].append({"id": "4", "updated_at": "2026-01-04T00:00:00Z"})
    shop.data["/owners/4/pets"] = []
    shares = ["25 %", "50 %", "75 %", "100 %"]
    for found in (progress_lines("pets"), progress_lines("pets", "owners", start_date=None)):
        known = list(dict.fromkeys(share for share in found if share))  # not before all parents are known
        assert len(found) >= len(shares)  # a line after a page of the parents names the children, too
        assert known == shares[-len(known) :]


def test_fraction_of_children_is_unknown_if_the_list_of_parents_failed(
    progress_lines: Callable[..., list[str]], shop: Any
) -> None:
    shop.before = lambda request: Response({}, 418) if request.path == "/owners" and "cursor" in request.query else None
    assert progress_lines("pets", fails=[]) == ["", ""]


def test_fraction_of_one_slice_is_known_if_its_pages_are_counted(
    progress_lines: Callable[..., list[str]], shop: Any
) -> None:
    def counted(request: Any) -> Response:
        rows = [{"id": request.query.get("cursor", "0")}]
        return Response({"data": rows, "all": ["1", "2", "3"]} if "cursor" not in request.query else {"data": rows})

    shop.before = counted
    assert progress_lines("kinds") == ["25 %", "50 %", "75 %", "100 %"]


def test_fraction_of_one_slice_is_unknown_if_pages_are_linked(progress_lines: Callable[..., list[str]]) -> None:
    assert progress_lines("kinds") == ["", "100 %"]


def test_line_contains_nothing_of_the_records(
    progress_lines: Callable[..., list[str]], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/kinds"] = [{"id": "Jane", "name": "Doe"}]
    assert progress_lines("kinds") == ["100 %"]
    assert "1 rows in 1 requests" in caplog.text
    assert "Jane" not in caplog.text
    assert "Doe" not in caplog.text
