"""The progress line: nothing that is not known, and nothing of the records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Months, Slice
from singer_rest.singer.progress import PROGRESS_SECONDS, Progress
from singer_rest.testing import Answer

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


def line(clock: Clock, seconds: float, share: float | None, rows: int = 120_000) -> str | None:
    progress = Progress("attendance_periods", clock)
    clock.seconds += seconds
    return progress.line(rows, 1300, lambda: share)


def test_line_has_percentage_and_time_left_if_the_total_is_known(clock: Clock) -> None:
    assert line(clock, 60, 0.35) == (
        "attendance_periods: 120000 rows in 1300 requests so far, 2000 rows/s, 35 % done, about 2 min left"
    )


def test_line_has_neither_if_the_total_is_unknown(clock: Clock) -> None:
    assert line(clock, 60, None) == "attendance_periods: 120000 rows in 1300 requests so far, 2000 rows/s"


@pytest.mark.parametrize(
    ("seconds", "share", "left"),
    [
        (30, 0.5, "50 % done, about 30 s left"),
        (80, 0.5, "50 % done, about 80 s left"),
        (100, 0.5, "50 % done, about 2 min left"),
        (3600, 0.5, "50 % done, about 60 min left"),
        (3600, 0.25, "25 % done, about 3 h left"),
        (60, 0.999, "99 % done, about 0 s left"),
        (60, 1.0, "100 % done"),
    ],
)
def test_time_left_is_rounded(clock: Clock, seconds: float, share: float, left: str) -> None:
    said = line(clock, seconds, share)
    assert said
    assert said.endswith(f"rows/s, {left}")


def test_line_is_due_every_ten_seconds(clock: Clock) -> None:
    progress = Progress("kinds", clock)
    due = []
    for _ in range(25):
        clock.seconds += 1
        if progress.line(1, 1, lambda: None):
            due.append(clock.seconds)
    assert PROGRESS_SECONDS == 10
    assert due == [1010, 1020]


def test_fraction_is_not_computed_before_a_line_is_due(clock: Clock) -> None:
    def never() -> float:
        raise AssertionError

    assert Progress("kinds", clock).line(1, 1, never) is None


@pytest.fixture
def lines(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., list[str]]:
    """Runs the tap with a line after each page. Returns what each says after the rate, without the time left."""
    monkeypatch.setattr("singer_rest.singer.progress.PROGRESS_SECONDS", 0.0)
    caplog.set_level(logging.INFO)

    def lines(stream: str, *others: str, **options: Any) -> list[str]:
        caplog.clear()
        run(stream, *others, **options)
        said = [record.getMessage() for record in caplog.records]
        return [
            next((part for part in message.split(", ") if "%" in part), "")
            for message in said
            if message.startswith(f"{stream}: ") and "so far" in message
        ]

    return lines


def test_fraction_of_slices_is_known_from_the_first_on(lines: Callable[..., list[str]]) -> None:
    assert lines("sales", start_date="2021-01-01", end_date="2021-04-30") == [
        "25 % done",
        "50 % done",
        "75 % done",
        "100 % done",
    ]


def test_fraction_of_a_resumed_read_is_that_of_the_rest(lines: Callable[..., list[str]], shop: Any) -> None:
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
    assert lines("sales", state=state, start_date="2021-01-01", end_date="2021-04-30") == ["50 % done", "100 % done"]


def test_fraction_is_one_if_no_slice_is_left(lines: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    plan, planned = Months.plan, list[bool]()

    def left(self: Months, *args: Any) -> Iterator[Slice | None]:
        planned.append(True)
        return plan(self, *args) if len(planned) == 1 else iter(())

    monkeypatch.setattr(Months, "plan", left)
    assert lines("sales", start_date="2021-03-01", end_date="2021-04-30") == ["100 % done", "100 % done"]


def test_fraction_of_children_is_that_of_their_parents(lines: Callable[..., list[str]], shop: Any) -> None:
    shop.data["/owners"].append({"id": "4", "updated_at": "2026-01-04T00:00:00Z"})
    shop.data["/owners/4/pets"] = []
    shares = ["25 % done", "50 % done", "75 % done", "100 % done"]
    for found in (lines("pets"), lines("pets", "owners", start_date=None)):
        known = [share for share in found if share]  # not before all parents are known
        assert len(found) == len(shares)
        assert known == shares[-len(known) :]


def test_fraction_of_children_is_unknown_if_the_list_of_parents_failed(
    lines: Callable[..., list[str]], shop: Any
) -> None:
    shop.before = lambda asked: Answer({}, 418) if asked.path == "/owners" and "cursor" in asked.query else None
    assert lines("pets", fails=[]) == ["", ""]


def test_fraction_of_one_slice_is_known_if_its_pages_are_counted(lines: Callable[..., list[str]], shop: Any) -> None:
    def counted(asked: Any) -> Answer:
        rows = [{"id": asked.query.get("cursor", "0")}]
        return Answer({"data": rows, "all": ["1", "2", "3"]} if "cursor" not in asked.query else {"data": rows})

    shop.before = counted
    assert lines("kinds") == ["25 % done", "50 % done", "75 % done", "100 % done"]


def test_fraction_of_one_slice_is_unknown_if_pages_are_linked(lines: Callable[..., list[str]]) -> None:
    assert lines("kinds") == ["", "100 % done"]


def test_line_contains_nothing_of_the_records(
    lines: Callable[..., list[str]], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.data["/kinds"] = [{"id": "Jane", "name": "Doe"}]
    assert lines("kinds") == ["100 % done"]
    assert "kinds: 1 rows in 1 requests so far" in caplog.text
    assert "Jane" not in caplog.text
    assert "Doe" not in caplog.text
