"""The scheduler: concurrent requests, pages in order within a slice, no request twice or needlessly."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from singer_rest.errors import RateLimitError, RetryableError, TapError, TimedOutError, UnansweredError
from singer_rest.fetch import scheduler as module
from singer_rest.fetch.page import Page
from singer_rest.fetch.scheduler import Scheduler
from singer_rest.fetch.stream_fetch import StreamFetch
from singer_rest.http.rate_limits import RateLimit, RateLimiter
from singer_rest.http.request import Request
from singer_rest.http.retries import RetryPolicy, remaining_budget
from singer_rest.slices.base import Slice
from singer_rest.testing import run_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
SLICES = 12
PAGES = 3


def page_request(number: int, page: int) -> Request:
    return Request(f"/{number}", (("page", str(page)),), "/list")


def position_of(request: Request) -> tuple[int, int]:
    return int(request.path[1:]), int(request.params[0][1])


class Vendor:
    """A list of slices with pages; `act` may delay or raise."""

    def __init__(self, act: Callable[[int, int], None] = lambda number, page: None, pages: int = PAGES) -> None:
        self.act = act
        self.pages = pages
        self.requested: list[tuple[int, int]] = []
        self.size = 10
        self.rows = 1

    def slices(self, count: int = SLICES) -> Iterator[Slice | None]:
        return (Slice(columns={"number": number}) for number in range(count))

    def fetch(self, request: Request, part: Slice) -> Page:
        number, page = position_of(request)
        self.requested.append((number, page))
        self.act(number, page)
        following = [replace(page_request(number, page + 1), expected_rows=self.rows)] if page + 1 < self.pages else []
        return Page([{"id": f"{number}-{page}"}], following, part, self.size, NOW)

    def reading(self, slices: Iterator[Slice | None] | None = None, name: str = "list") -> StreamFetch:
        return StreamFetch(
            name, slices or self.slices(), lambda part: page_request(part.columns["number"], 0), self.fetch, "/list"
        )


@pytest.fixture
def start_scheduler() -> Iterator[Callable[..., Scheduler]]:
    started: list[Scheduler] = []

    def start(workers: int = 4, rate_limiter: RateLimiter | None = None) -> Scheduler:
        started.append(Scheduler(workers, rate_limiter or RateLimiter({}), first_delay=0.001))
        return started[-1]

    yield start
    for scheduler in started:
        scheduler.close()


def read_ids(scheduler: Scheduler, reading: StreamFetch) -> list[str]:
    """Returns the records by slice, in the order of their pages."""
    return by_slice(
        record["id"] for page in scheduler.read_blocking(scheduler.pages(reading)) for record in page.records
    )


def by_slice(found: Iterable[str]) -> list[str]:
    """Sorts ids by slice, and leaves the order within a slice."""
    return sorted(found, key=lambda id_: int(id_.partition("-")[0]))


IN_ORDER = [f"{number}-{page}" for number in range(SLICES) for page in range(PAGES)]
"""All records, by slice."""


@pytest.mark.parametrize("workers", [1, 2, 8, 32])
def test_pages_of_a_slice_are_yielded_in_order_for_any_number_of_workers(
    start_scheduler: Callable[..., Scheduler], workers: int
) -> None:
    scheduler = start_scheduler(workers)
    noise = random.Random(workers)
    vendors = [Vendor(lambda number, page: time.sleep(noise.random() / 200)) for _ in range(3)]
    readings = [vendor.reading() for vendor in vendors]
    for reading in readings:
        scheduler.add(reading)
    assert [read_ids(scheduler, reading) for reading in readings] == [IN_ORDER] * 3
    assert [sorted(vendor.requested) for vendor in vendors] == [sorted(set(vendor.requested)) for vendor in vendors]


def test_slices_and_streams_are_fetched_concurrently(start_scheduler: Callable[..., Scheduler]) -> None:
    together = threading.Barrier(6, timeout=10)  # breaks, and fails the stream, unless six requests meet
    first, second = Vendor(lambda *_: together.wait(), pages=1), Vendor(lambda *_: together.wait(), pages=1)
    scheduler = start_scheduler(6)
    readings = [first.reading(first.slices(3)), second.reading(second.slices(3))]
    for reading in readings:
        scheduler.add(reading)
    assert [len(read_ids(scheduler, reading)) for reading in readings] == [3, 3]


def test_slow_first_slice_does_not_hold_back_the_others(start_scheduler: Callable[..., Scheduler]) -> None:
    others_are_here = threading.Event()

    def act(number: int, page: int) -> None:
        if (number, page) == (0, 0):
            assert others_are_here.wait(timeout=10)

    scheduler = start_scheduler(2)
    reading = Vendor(act).reading()
    scheduler.add(reading)
    came = []
    for page in scheduler.read_blocking(scheduler.pages(reading)):
        came.append(page.records[0]["id"])
        if len(came) == len(IN_ORDER) - PAGES:
            others_are_here.set()
    assert came[-PAGES:] == ["0-0", "0-1", "0-2"]
    assert by_slice(came) == IN_ORDER


def test_slow_first_stream_does_not_hold_back_the_others(start_scheduler: Callable[..., Scheduler]) -> None:
    may_come = threading.Event()
    slow, fast = Vendor(lambda *_: may_come.wait(10), pages=1), Vendor()
    scheduler = start_scheduler(2)
    readings = [slow.reading(slow.slices(1), name="slow"), fast.reading(name="fast")]
    for reading in readings:
        scheduler.add(reading)
    first, second = (scheduler.pages(reading) for reading in readings)
    assert next(first) is None
    came: list[str] = []
    for page in second:
        if page:
            came.append(page.records[0]["id"])
        else:
            assert scheduler.wait_for_pages() == {"fast"}
    assert by_slice(came) == IN_ORDER
    may_come.set()
    assert [page.records for page in scheduler.read_blocking(first)] == [[{"id": "0-0"}]]


def test_missing_page_of_a_slice_does_not_fill_the_budget_with_later_ones(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", 50)
    other_is_read = threading.Event()

    class Counted(Vendor):
        def fetch(self, request: Request, part: Slice) -> Page:
            page = super().fetch(request, part)
            if position_of(request) == (0, 0):
                page.next_requests = [page_request(0, number) for number in range(1, 200)]
            elif position_of(request)[0] == 0:
                page.next_requests = []
            return page

    def act(number: int, page: int) -> None:
        if (number, page) == (0, 1):
            assert other_is_read.wait(timeout=10)

    vendor, scheduler = Counted(act, pages=100), start_scheduler(4)
    reading = vendor.reading(vendor.slices(2))
    scheduler.add(reading)
    came = []
    for page in scheduler.read_blocking(scheduler.pages(reading)):
        came.append(page.records[0]["id"])
        if came[-1] == "1-99":
            other_is_read.set()
    assert by_slice(came) == [*(f"0-{page}" for page in range(200)), *(f"1-{page}" for page in range(100))]


def test_slices_under_way_are_limited(start_scheduler: Callable[..., Scheduler]) -> None:
    vendor, scheduler = Vendor(), start_scheduler(1)
    reading = vendor.reading()
    scheduler.add(reading)
    for _ in scheduler.read_blocking(scheduler.pages(reading)):
        opened = {number for number, _ in vendor.requested}
        ended = {number for number in opened if (number, PAGES - 1) in vendor.requested}
        assert len(opened - ended) <= 2
    assert reading.requests == len(IN_ORDER)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_pages_of_known_number_are_fetched_concurrently_and_yielded_in_order(
    start_scheduler: Callable[..., Scheduler], workers: int
) -> None:
    noise = random.Random(workers)
    vendor = Vendor(lambda number, page: time.sleep(noise.random() / 300), pages=1)
    fetch = vendor.fetch

    def counted(request: Request, part: Slice) -> Page:
        page = fetch(request, part)
        if position_of(request)[1] == 0:
            page.next_requests = [page_request(position_of(request)[0], number) for number in range(1, 20)]
        return page

    vendor.fetch = counted  # type: ignore[method-assign]
    scheduler = start_scheduler(workers)
    reading = vendor.reading(vendor.slices(3))
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == [f"{number}-{page}" for number in range(3) for page in range(20)]
    assert reading.requests == 60


@pytest.mark.parametrize("counted", [False, True])
def test_last_page_of_a_slice_is_marked_unless_a_page_is_missing(
    start_scheduler: Callable[..., Scheduler],
    counted: bool,  # noqa: FBT001
) -> None:
    def act(number: int, page: int) -> None:
        if (number, page) == (2, 2):
            raise TapError("broken")

    vendor = Vendor(act, pages=1 if counted else PAGES)
    fetch = vendor.fetch

    def fetched(request: Request, part: Slice) -> Page:
        page = fetch(request, part)
        if counted and position_of(request)[1] == 0:
            page.next_requests = [page_request(position_of(request)[0], number) for number in range(1, PAGES)]
        return page

    vendor.fetch = fetched  # type: ignore[method-assign]
    scheduler = start_scheduler(4)
    reading = vendor.reading()
    scheduler.add(reading)
    told = {}
    with pytest.raises(TapError, match="broken"):
        for page in scheduler.read_blocking(scheduler.pages(reading)):
            told[page.records[0]["id"]] = page.ends_slice
    assert {name for name in told if name.startswith("2")} == {"2-0", "2-1"}
    assert told == {name: name.endswith("-2") for name in told}
    assert reading.slices_done == sum(told.values())


@pytest.mark.parametrize(("pages_held", "bytes_held"), [(1, 10**9), (10**9, 1)])
def test_full_budget_admits_only_one_awaited_page_at_a_time(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch, pages_held: int, bytes_held: int
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", pages_held)
    monkeypatch.setattr(module, "MAX_BUFFERED_BYTES", bytes_held)
    ahead = Vendor()
    wanted = Vendor()
    scheduler = start_scheduler(4)
    readings = [wanted.reading(), ahead.reading()]
    for reading in readings:
        scheduler.add(reading)
    pages = scheduler.read_blocking(scheduler.pages(readings[0]))
    came = [next(pages).records[0]["id"]]
    time.sleep(0.1)
    # One page over the budget, and what each of the four workers had started before it was full.
    assert len(wanted.requested) + len(ahead.requested) <= 1 + 1 + 4
    came += [record["id"] for page in pages for record in page.records]
    assert by_slice(came) == IN_ORDER
    assert read_ids(scheduler, readings[1]) == IN_ORDER


@pytest.mark.parametrize("workers", [1, 8])
def test_no_more_than_the_budget_is_held_and_it_never_blocks(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", 5)
    held: list[int] = []
    vendors = [Vendor() for _ in range(3)]
    scheduler = start_scheduler(workers)
    readings = [vendor.reading(name=f"list {number}") for number, vendor in enumerate(vendors)]
    for reading in readings:
        scheduler.add(reading)
    reads = {reading.name: scheduler.pages(reading) for reading in readings}
    came: dict[str, list[str]] = {name: [] for name in reads}

    def take(name: str) -> bool:
        for page in reads[name]:
            held.append(scheduler._budget.pages)
            if page is None:
                return True
            came[name] += [record["id"] for record in page.records]
        return False

    waiting = {name for name in reads if take(name)}
    while waiting:
        waiting -= {name for name in scheduler.wait_for_pages() if not take(name)}
    assert [by_slice(found) for found in came.values()] == [IN_ORDER] * 3
    assert max(held) <= 5 + workers
    assert (scheduler._budget.pages, scheduler._budget.size) == (0, 0)


def test_large_page_in_flight_uses_budget_before_it_arrives(start_scheduler: Callable[..., Scheduler]) -> None:
    under_way, may_come = threading.Event(), threading.Event()

    def act(_: int, page: int) -> None:
        if page == 1:
            under_way.set()
            assert may_come.wait(timeout=10)

    large, ahead = Vendor(act), Vendor()
    large.rows = module.MAX_BUFFERED_BYTES // large.size
    scheduler = start_scheduler(4)
    readings = [large.reading(large.slices(1)), ahead.reading()]
    scheduler.add(readings[0])
    pages = scheduler.read_blocking(scheduler.pages(readings[0]))
    next(pages)
    assert under_way.wait(timeout=10)
    scheduler.add(readings[1])
    time.sleep(0.1)
    assert ahead.requested == []
    may_come.set()
    assert [record["id"] for page in pages for record in page.records] == IN_ORDER[1:PAGES]
    assert read_ids(scheduler, readings[1]) == IN_ORDER


@pytest.mark.parametrize("workers", [1, 8])
def test_pages_before_an_error_are_yielded_and_open_slices_are_read(
    start_scheduler: Callable[..., Scheduler], workers: int
) -> None:
    requested_slices: list[int] = []

    def act(number: int, page: int) -> None:
        requested_slices.append(number)
        if (number, page) == (5, 1):
            raise TapError("broken")

    vendor = Vendor(act)
    scheduler = start_scheduler(workers)
    broken, sound = vendor.reading(), Vendor().reading()
    scheduler.add(broken)
    scheduler.add(sound)
    seen: list[str] = []
    with pytest.raises(TapError, match="broken"):
        for page in scheduler.read_blocking(scheduler.pages(broken)):
            seen += [record["id"] for record in page.records]
    assert by_slice(seen) == [
        id_ for id_ in IN_ORDER if int(id_.partition("-")[0]) in requested_slices and id_ not in LOST
    ]
    assert workers > 1 or len(set(requested_slices)) < SLICES
    assert read_ids(scheduler, sound) == IN_ORDER


LOST = {"5-1", "5-2"}


def test_without_a_fallback_only_the_first_error_is_raised_at_the_end(
    start_scheduler: Callable[..., Scheduler],
) -> None:
    first_failed = threading.Event()

    def act(number: int, page: int) -> None:
        if number == 0:
            first_failed.set()
            raise TapError("broken")
        if number == 1:
            first_failed.wait(10)
            raise TapError("broken too")

    vendor, scheduler = Vendor(act), start_scheduler(2)
    reading = vendor.reading(vendor.slices(3))
    scheduler.add(reading)
    with pytest.raises(TapError, match="broken"):
        read_ids(scheduler, reading)


def test_failed_page_is_requested_again(start_scheduler: Callable[..., Scheduler]) -> None:
    noise = random.Random(1)

    def act(number: int, page: int) -> None:
        if noise.random() < 0.3:
            raise RetryableError("status 503")

    scheduler = start_scheduler(8)
    reading = Vendor(act).reading()
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == IN_ORDER
    assert reading.requests > len(IN_ORDER)


def test_attempts_are_limited_and_the_error_describes_the_last_one(start_scheduler: Callable[..., Scheduler]) -> None:
    def act(number: int, page: int) -> None:
        raise RetryableError("status 503")

    vendor = Vendor(act)
    scheduler = start_scheduler(1)
    reading = vendor.reading(vendor.slices(1), name="persons")
    scheduler.add(reading)
    with pytest.raises(TapError, match=r"persons: /list gave no usable response in 8 attempts \(status 503\)"):
        read_ids(scheduler, reading)
    assert len(vendor.requested) == module.MAX_ATTEMPTS


def fail_at(*places: tuple[int, int]) -> Callable[[int, int], None]:
    """Returns a function that fails at these positions."""

    def act(number: int, page: int) -> None:
        if (number, page) in places:
            raise RetryableError("status 500", broken=True)

    return act


def until_unanswered(scheduler: Scheduler, reading: StreamFetch) -> tuple[list[str], str]:
    """Returns the pages that the scheduler yields, and the error that stops it."""
    came: list[str] = []
    with pytest.raises(UnansweredError) as error:
        for page in scheduler.read_blocking(scheduler.pages(reading)):
            came += [record["id"] for record in page.records]
    return by_slice(came), str(error.value)


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_slice_without_a_response_does_not_stop_others_and_fails_the_stream_at_its_end(
    start_scheduler: Callable[..., Scheduler], workers: int
) -> None:
    vendor = Vendor(fail_at((0, 0), (4, 1), (5, 2)))
    scheduler = start_scheduler(workers)
    reading = vendor.reading()
    scheduler.add(reading)
    came, said = until_unanswered(scheduler, reading)
    assert "gave no usable response in 8 attempts (status 500)" in said
    assert "Other parts of the stream that failed: 2." in said
    lost = {"0-0", "0-1", "0-2", "4-1", "4-2", "5-2"}
    assert came == [id_ for id_ in IN_ORDER if id_ not in lost]


@pytest.mark.parametrize("workers", [1, 32])
def test_stream_fails_after_several_failed_slices_in_a_row(
    start_scheduler: Callable[..., Scheduler], workers: int
) -> None:
    slices = 60
    vendor = Vendor(fail_at(*((number, 0) for number in range(2, slices))))
    scheduler = start_scheduler(workers)
    reading = vendor.reading(vendor.slices(slices))
    scheduler.add(reading)
    came, said = until_unanswered(scheduler, reading)
    assert came == IN_ORDER[: 2 * PAGES]
    assert "Other parts of the stream that failed: 2." in said
    assert len({number for number, _ in vendor.requested}) < slices or workers > 1


def test_stream_fails_after_many_scattered_slices_without_a_response(start_scheduler: Callable[..., Scheduler]) -> None:
    vendor = Vendor(fail_at(*((number, 0) for number in range(0, 60, 2))), pages=1)
    scheduler = start_scheduler(8)
    reading = vendor.reading(vendor.slices(60))
    scheduler.add(reading)
    came, said = until_unanswered(scheduler, reading)
    assert set(came) <= {f"{number}-0" for number in range(1, 60, 2)}
    assert "Other parts of the stream that failed: " in said


def test_pages_in_flight_of_a_skipped_slice_are_discarded(
    start_scheduler: Callable[..., Scheduler],
) -> None:
    class Counted(Vendor):
        def fetch(self, request: Request, part: Slice) -> Page:
            page = super().fetch(request, part)
            number, at = position_of(request)
            page.next_requests = [page_request(number, other) for other in range(1, 6)] if at == 0 else []
            return page

    vendor = Counted(fail_at((0, 2)), pages=1)
    scheduler = start_scheduler(8)
    reading = vendor.reading(vendor.slices(2))
    scheduler.add(reading)
    came, _ = until_unanswered(scheduler, reading)
    assert came == ["0-0", "0-1", *(f"1-{page}" for page in range(6))]
    assert (scheduler._budget.pages, scheduler._budget.size) == (0, 0)


def test_host_that_never_responded_gets_fewer_attempts() -> None:
    vendor = Vendor(lambda *_: (_ for _ in ()).throw(RetryableError("the connection broke")))
    scheduler = Scheduler(1, RateLimiter({}), answered=lambda: False, first_delay=0.001)
    reading = vendor.reading(vendor.slices(1))
    scheduler.add(reading)
    with pytest.raises(TapError, match="3 attempts"):
        read_ids(scheduler, reading)
    scheduler.close()


@pytest.mark.slow
def test_too_many_requests_pauses_every_worker_of_that_endpoint(start_scheduler: Callable[..., Scheduler]) -> None:
    throttled_at: list[float] = []
    times: list[float] = []
    lock = threading.Lock()

    def act(number: int, page: int) -> None:
        with lock:
            times.append(time.monotonic())
            first = not throttled_at
            if first:
                throttled_at.append(time.monotonic())
        if first:
            raise RetryableError("too many requests", after=0.3, throttled=True)
        time.sleep(0.05)

    scheduler = start_scheduler(4)
    reading = Vendor(act).reading()
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == IN_ORDER
    # The other three may have been in flight; after that nothing until the pause ends.
    assert sum(throttled_at[0] < at < throttled_at[0] + 0.25 for at in times) <= 3


@pytest.mark.slow
def test_total_time_without_a_response_is_limited_over_all_attempts(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in (
        "singer_rest.fetch.scheduler.MAX_UNANSWERED_SECONDS",
        "singer_rest.http.retries.MAX_UNANSWERED_SECONDS",
    ):
        monkeypatch.setattr(where, 0.3)
    left: list[float] = []

    def act(number: int, page: int) -> None:
        left.append(remaining_budget())
        time.sleep(0.2)
        raise RetryableError("no response in time", slow=True)

    vendor = Vendor(act)
    scheduler = start_scheduler(1)
    reading = vendor.reading(vendor.slices(1), name="persons")
    scheduler.add(reading)
    said = r"persons: /list gave no usable response in 0 seconds, the maximum for one request \(2 attempts"
    with pytest.raises(TimedOutError, match=said):
        run_with_timeout(lambda: read_ids(scheduler, reading))
    assert left[0] == 0.3
    assert left[1] <= 0.1


def test_endless_pauses_delay_a_request_for_max_wait_at_most() -> None:
    class Closed(RateLimiter):
        def acquire(self, endpoint: str) -> float:  # noqa: ARG002
            return 0.01

        def pause_left(self, endpoint: str) -> float:  # noqa: ARG002
            return 0.01

    vendor, scheduler = Vendor(), Scheduler(2, Closed({}), max_wait=0.1)
    reading = vendor.reading(name="persons")
    scheduler.add(reading)
    with pytest.raises(TapError, match=r"persons: /list (is|was) rate-limited"):
        run_with_timeout(lambda: read_ids(scheduler, reading))
    assert vendor.requested == []
    scheduler.close()


def test_limit_that_lasts_too_long_ends_all_slices_at_once(start_scheduler: Callable[..., Scheduler]) -> None:
    def throttle(number: int, page: int) -> None:
        raise RetryableError("status 429", throttled=True, after=10_000)

    vendor, scheduler = Vendor(throttle), start_scheduler(1)
    reading = vendor.reading()
    scheduler.add(reading)
    with pytest.raises(RateLimitError, match="is rate-limited for 3 hours, longer than `max_wait` allows"):
        run_with_timeout(lambda: read_ids(scheduler, reading))
    assert vendor.requested == [(0, 0)]


def test_streams_that_wait_for_their_turn_are_not_failed_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0  # by a clock that advances while a request is delayed

    class Hurried(RateLimiter):
        def acquire(self, endpoint: str) -> float:
            nonlocal now
            delay = super().acquire(endpoint)
            now += 1.0 if delay else 0.0
            return min(delay, 0.001)

    def policy(first_delay: float, max_wait: float) -> RetryPolicy:
        return RetryPolicy(first_delay, max_wait, lambda: now)

    monkeypatch.setattr(module, "RetryPolicy", policy)
    limiter = Hurried({"*": RateLimit(1000, burst=1, shared=True)}, clock=lambda: now)
    used_up = {"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}
    vendor = Vendor(lambda *_: limiter.update("/list", used_up), pages=1)
    scheduler = Scheduler(1, limiter, max_wait=100)
    readings = [vendor.reading(vendor.slices(1), name=f"list {number}") for number in range(10)]
    for reading in readings:
        scheduler.add(reading)
    pages = [scheduler.pages(reading) for reading in readings]
    assert [next(read) for read in pages] == [None] * 10
    assert run_with_timeout(lambda: sum(len([*scheduler.read_blocking(read)]) for read in pages)) == 10
    assert now > 200  # longer than any of them may be delayed
    scheduler.close()


def test_circular_link_fails_the_stream_after_its_pages(start_scheduler: Callable[..., Scheduler]) -> None:
    vendor = Vendor(pages=10**6)
    fetch = vendor.fetch

    def looping(request: Request, part: Slice) -> Page:
        page = fetch(request, part)
        if [position_of(following)[1] for following in page.next_requests] == [3]:
            page.next_requests = [page_request(position_of(request)[0], 1)]
        return page

    vendor.fetch = looping  # type: ignore[method-assign]
    scheduler = start_scheduler(4)
    reading = vendor.reading()
    scheduler.add(reading)
    seen: list[str] = []
    with pytest.raises(TapError, match="leads back to a page already read"):
        for page in scheduler.read_blocking(scheduler.pages(reading)):
            seen += [record["id"] for record in page.records]
    assert by_slice(seen)[:3] == ["0-0", "0-1", "0-2"]
    assert {id_.partition("-")[2] for id_ in seen} == {"0", "1", "2"}


def test_unknown_slices_are_requested_later(start_scheduler: Callable[..., Scheduler]) -> None:
    known: list[int] = []
    complete = False

    def slices() -> Iterator[Slice | None]:
        given = 0
        while given < len(known) or not complete:
            if given == len(known):
                yield None
                continue
            given += 1
            yield Slice(columns={"number": given - 1})

    vendor = Vendor(pages=1)
    scheduler = start_scheduler(2)
    reading = vendor.reading(slices())
    scheduler.add(reading)
    time.sleep(0.02)
    assert vendor.requested == []
    for number in range(5):
        known.append(number)
        scheduler.wake()
    complete = True
    assert read_ids(scheduler, reading) == [f"{number}-0" for number in range(5)]


def test_no_slices_yield_no_pages(start_scheduler: Callable[..., Scheduler]) -> None:
    scheduler = start_scheduler(2)
    reading = Vendor().reading(iter(()))
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == []


def test_abandoned_stream_does_not_block_others(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", 2)
    scheduler = start_scheduler(4)
    left, other = Vendor().reading(), Vendor().reading()
    scheduler.add(left)
    scheduler.add(other)
    pages = scheduler.read_blocking(scheduler.pages(left))
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert read_ids(scheduler, other) == IN_ORDER


def test_closing_ends_the_workers() -> None:
    scheduler = Scheduler(4, RateLimiter({}))
    scheduler.add(Vendor().reading())
    scheduler.close()
    assert not any(thread.is_alive() for thread in scheduler._threads)


def test_prefetched_streams_do_not_slow_down_the_current_one(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", 8)
    go = threading.Event()
    together = threading.Barrier(3, timeout=10)

    def act(number: int, page: int) -> None:
        go.wait(10)
        together.wait()

    current, ahead = Vendor(act, pages=1), Vendor(pages=1)
    scheduler = start_scheduler(3)
    readings = [ahead.reading(ahead.slices(100)), current.reading(current.slices(6))]
    scheduler.add(readings[0])
    end = time.monotonic() + 10
    while len(ahead.requested) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 4 <= len(ahead.requested) < 8
    scheduler.add(readings[1])
    go.set()
    assert len(read_ids(scheduler, readings[1])) == 6
    assert len(read_ids(scheduler, readings[0])) == 100


@pytest.mark.parametrize("workers", [1, 4])
def test_retry_of_the_awaited_page_wakes_the_workers_of_a_full_budget(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_PAGES", 3)
    failed = threading.Event()

    def act(number: int, page: int) -> None:
        if (number, page) == (0, 0) and not failed.is_set():
            time.sleep(0.05)  # the others fill the budget meanwhile
            failed.set()
            raise RetryableError("status 503", after=0.05)

    scheduler = start_scheduler(workers)
    reading = Vendor(act).reading()
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == IN_ORDER


def test_error_while_building_a_request_fails_its_stream(start_scheduler: Callable[..., Scheduler]) -> None:
    def first(part: Slice) -> Request:
        if part.columns["number"] == 2:
            raise OverflowError
        return page_request(part.columns["number"], 0)

    vendor = Vendor(pages=1)
    scheduler = start_scheduler(4)
    reading = StreamFetch("list", vendor.slices(), first, vendor.fetch, "/list")
    scheduler.add(reading)
    seen = []
    with pytest.raises(OverflowError):
        for page in scheduler.read_blocking(scheduler.pages(reading)):
            seen += [record["id"] for record in page.records]
    assert sorted(seen) == ["0-0", "1-0"]


def test_throttled_attempts_do_not_use_up_the_others(
    start_scheduler: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [module.MAX_ATTEMPTS + 4]

    def act(number: int, page: int) -> None:
        if left[0]:
            left[0] -= 1
            raise RetryableError("too many requests", after=0.0, throttled=True)

    vendor = Vendor(act)
    scheduler = start_scheduler(1)
    reading = vendor.reading(vendor.slices(1))
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == IN_ORDER[:PAGES]


class Stuck:
    """A thread that never ends."""

    waits: list[float]

    def __init__(self, waits: list[float]) -> None:
        self.waits = waits

    def join(self, timeout: float) -> None:
        self.waits.append(timeout)
        time.sleep(timeout)


def test_closing_waits_once_for_all_requests_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSING_SECONDS", 0.05)
    scheduler = Scheduler(1, RateLimiter({}))
    waits: list[float] = []
    scheduler._threads = [Stuck(waits) for _ in range(16)]  # type: ignore[misc]
    scheduler.close()
    assert len(waits) == 16
    assert sum(waits) <= module.CLOSING_SECONDS


def test_stream_without_prefetching_sends_one_request_at_a_time(
    start_scheduler: Callable[..., Scheduler],
) -> None:
    under_way: list[int] = []
    most: list[int] = []

    def act(number: int, page: int) -> None:
        under_way.append(number)
        most.append(len(under_way))
        time.sleep(0.002)
        under_way.remove(number)

    slow, fast = Vendor(act), Vendor()
    scheduler = start_scheduler(8)
    shy = StreamFetch(
        "shy",
        slow.slices(),
        lambda part: page_request(part.columns["number"], 0),
        slow.fetch,
        "/list",
        prefetches=False,
    )
    eager = fast.reading(name="eager")
    scheduler.add(shy)
    scheduler.add(eager)
    assert read_ids(scheduler, eager) == IN_ORDER
    assert slow.requested == []
    assert read_ids(scheduler, shy) == IN_ORDER
    assert set(most) == {1}
    assert slow.requested == [(number, page) for number in range(SLICES) for page in range(PAGES)]


def test_stream_without_prefetching_has_its_turn_first(start_scheduler: Callable[..., Scheduler]) -> None:
    go, has_begun, turns = threading.Event(), threading.Event(), []

    def reading_of(name: str) -> StreamFetch:
        def act(number: int, page: int) -> None:
            turns.append(name)
            has_begun.set()
            go.wait(10)

        return Vendor(act, pages=1).reading(Vendor().slices(1), name=name)

    scheduler = start_scheduler(1)
    names = ["first", "second", "third", "shy"]
    readings = [reading_of(name) for name in names]
    readings[-1].prefetches = False
    for reading in readings:
        scheduler.add(reading)
    reads = [scheduler.pages(reading) for reading in readings]
    assert [next(read) for read in reads] == [None] * 4
    assert has_begun.wait(10)
    go.set()
    assert [len([*scheduler.read_blocking(read)]) for read in reads] == [1] * 4
    assert sorted(turns) == sorted(names)
    assert turns.index("shy") <= 1  # one request may have been under way before


def test_stream_without_prefetching_retries(start_scheduler: Callable[..., Scheduler]) -> None:
    failed: list[int] = []

    def act(number: int, page: int) -> None:
        if page == 1 and failed.count(number) < 2:
            failed.append(number)
            raise RetryableError("status 503")

    vendor = Vendor(act)
    reading = vendor.reading()
    reading.prefetches = False
    scheduler = start_scheduler(2)
    scheduler.add(reading)
    assert read_ids(scheduler, reading) == IN_ORDER
