"""The pages of one stream that the scheduler fetches: pages to request and pages received."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from singer_rest.errors import RateLimitError, RunError, TapError, TimedOutError, UnansweredError, describe_error
from singer_rest.fetch.loop_guard import LoopGuard
from singer_rest.fetch.tasks import Budget, OpenSlice, Task
from singer_rest.http.retries import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice

logger = logging.getLogger(__name__)

SLICES_PER_WORKER = 2
"""Number of slices of a stream that are read concurrently, per worker."""
WAITING_FACTOR = 4
"""Factor on `SLICES_PER_WORKER` while slices wait for a retry."""
MIN_PAGES_AHEAD = 32
"""Number of pages of a slice that are requested beyond one that has not arrived, so that the others stay under way."""
MAX_FAILED_IN_A_ROW = 3
MAX_FAILED = 20
"""Number of slices without a response, consecutive or in total, after which the stream fails: the vendor or the network
is down."""


class StreamFetch:
    """Fetches one stream's records, or the ids that its children need. Guarded by the scheduler's lock.

    Args:
        name: Name of the stream, for messages.
        slices: The slices. A None in between means that the next one is not known yet.
        first_request: Returns the request for a slice's first page.
        fetch: Sends a request and returns the page. Runs in a worker thread.
        endpoint: The endpoint that rate limits apply to.
        has_fallback: Whether another read replaces this one if it fails. The first slice is then requested alone,
            with fewer attempts.
        prefetches: Whether pages are requested before the main thread waits for them.
        has_key: Whether its records have a key.
        on_result: Called with each page or error.
        reader: The stream whose read takes the pages. None: this one.
        pause: Seconds before the first request.
    """

    def __init__(
        self,
        name: str,
        slices: Iterator[Slice | None],
        first_request: Callable[[Slice], Request],
        fetch: Callable[[Request, Slice], Page],
        endpoint: str,
        *,
        has_fallback: bool = False,
        prefetches: bool = True,
        has_key: bool = True,
        on_result: Callable[[Page | Exception], None] | None = None,
        reader: str | None = None,
        pause: float = 0.0,
    ) -> None:
        self.name = name
        self._not_before = time.monotonic() + pause if pause else 0.0
        self.reader = reader or name
        self.endpoint = endpoint
        self.has_fallback = has_fallback
        self.prefetches = prefetches
        self._has_key = has_key
        self._on_result = on_result
        self.fetch = fetch
        self.requests = 0
        self.budget = Budget()
        self.max_open = SLICES_PER_WORKER
        """Number of slices that are read concurrently. More if all of those wait for a retry."""
        self.is_read = False
        """Whether the main thread takes its pages."""
        self.is_awaited = False
        """Whether the main thread waits for a page."""
        self._slices = slices
        self._first_request = first_request
        self._parts: deque[Slice] = deque()
        """Slices that replace one that is too long."""
        self.parts_added = 0
        self._is_planned = False
        self._slices_opened = self._slices_taken = 0
        self._has_result = False
        self._open: set[OpenSlice] = set()
        self._queue: deque[Task] = deque()
        self._in_flight: set[Task] = set()
        self._pages: deque[tuple[OpenSlice, Page]] = deque()
        self._begun: set[OpenSlice] = set()
        """Slices of which some pages have been taken."""
        self._error: BaseException | None = None
        self._failures: list[UnansweredError] = []
        """Errors that ended single slices while the others went on."""
        self._failed_in_a_row = 0
        self._row_bytes = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no task is queued or in flight."""
        return not (self._queue or self._in_flight)

    @property
    def has_page(self) -> bool:
        """Whether a page can be yielded."""
        return bool(self._pages)

    @property
    def is_over(self) -> bool:
        """Whether no further page comes."""
        return self.is_idle and self._is_planned and not (self._pages or self._parts)

    @property
    def is_starving(self) -> bool:
        """Whether the main thread waits for a page and none is under way that it could take."""
        if not self.prefetches:  # one request at a time
            return self.is_awaited and not self._pages and not self._in_flight
        return self.is_awaited and not self._pages and not any(not task.pages_ahead for task in self._in_flight)

    @property
    def slices_done(self) -> float:
        """Number of slices taken. A slice that is being taken counts as a fraction if its number of pages is known."""
        counted = (opened for opened in self._begun if opened.is_counted and not opened.error)
        return self._slices_taken + sum(opened.taken / opened.pages for opened in counted)

    def next_ready_task(self, now: float, *, next_only: bool = False) -> tuple[Task | None, float]:
        """Returns the first task that may run now, which stays queued. If there is none, returns the seconds to wait.

        Args:
            now: The time by the monotonic clock.
            next_only: Whether only pages are requested that can be yielded as soon as they arrive.
        """
        if now < self._not_before:
            return None, self._not_before - now
        if len(self._open) < self.max_open and not (next_only and self._queue):
            self._open_slice()
        min_wait = math.inf
        ahead = 0 if next_only else max(MIN_PAGES_AHEAD, self.max_open)
        for task in self._queue:
            if task.pages_ahead > ahead:
                continue
            if task.not_before <= now:
                return task, 0.0
            min_wait = min(min_wait, task.not_before - now)
        # All of them wait for a retry. If that is so for many, the vendor is down.
        if not next_only and len(self._open) < WAITING_FACTOR * self.max_open and self._open_slice():
            return self._queue[-1], 0.0
        return None, min_wait

    def look_ahead(self) -> bool:
        """Opens the next slice if no page is queued, in flight or available. Returns whether there is such a slice."""
        return self.is_idle and not self._pages and self._open_slice()

    def start_task(self, task: Task) -> None:
        """Removes a task from the queue to run it."""
        self._queue.remove(task)
        self._in_flight.add(task)
        task.expected = int(self._row_bytes * task.request.expected_rows)
        self.budget.size += task.expected
        self.requests += 1

    def requeue_task(self, task: Task) -> None:
        """Queues a failed task again, before the others, since pages may wait for it."""
        self._leave_flight(task)
        if self._is_wanted(task):
            self._queue.appendleft(task)

    def drop_task(self, task: Task, error: TapError) -> None:
        """Removes a task from the queue without running it, and stores the error."""
        self._queue.remove(task)
        self._store_result(task, error)

    def finish_task(self, task: Task, result: Page | Exception) -> None:
        """Stores the result of a task and queues the pages after it."""
        self._leave_flight(task)
        if self._is_wanted(task):
            self._store_result(task, result)

    def _leave_flight(self, task: Task) -> None:
        self._in_flight.discard(task)
        self.budget.size -= task.expected

    def _is_wanted(self, task: Task) -> bool:
        return task.open_slice in self._open and task.number < task.open_slice.pages

    def _store_result(self, task: Task, result: Page | Exception) -> None:
        self._has_result = True
        if self._on_result:
            self._on_result(result)
        opened = task.open_slice
        if isinstance(result, TimedOutError) and opened.is_held:
            logger.info("%s: requesting the whole list takes too long; reading it in parts.", self.name)
            self._read_parts(opened)
            return
        if isinstance(result, Exception):
            self._end_at(task.number, opened, result)
        else:
            self.budget.count_page(result)
            opened.arrived[task.number] = result
            if result.size:  # placeholders have no size
                self._row_bytes = result.size / task.request.expected_rows
            is_long = opened.is_held and opened.is_long(result)
            if is_long:
                self._read_parts(opened)
                return
            opened.is_held = is_long is None
            self._queue_following(task, result)
        if not opened.is_held:
            self._yield_arrived(opened)

    def _read_parts(self, opened: OpenSlice) -> None:
        """Replaces a slice by its parts, and drops its pages."""
        self._drop_pages(opened)
        self._open.remove(opened)
        if not self._error:
            self._parts.extend(opened.slice.parts)
            self.parts_added += len(opened.slice.parts) - 1

    def _queue_following(self, task: Task, page: Page) -> None:
        opened, guard = task.open_slice, task.open_slice.loop_guard
        if len(page.next_requests) > 1:  # only a single next page can start a loop
            opened.is_counted = True
        elif page.next_requests and not page.is_placeholder and guard.is_looping(page):
            self._end_at(
                opened.pages, opened, self._endless_list_error("the vendor sends the same pages over and over")
            )
            return
        for request in page.next_requests:
            if request.is_first:
                guard.reset_read()
            if guard.is_repeated_request(request):
                reason = "the link to the next page leads back to a page already read"
                self._end_at(opened.pages, opened, self._endless_list_error(reason))
                return
            attempts = Attempts(unanswered_seconds=request.unanswered_seconds)
            self._queue.append(Task(opened, opened.pages, request, attempts))
            opened.pages += 1

    def _endless_list_error(self, reason: str) -> TapError:
        return TapError(
            f"{self.name}: {reason}, so the list never ends. Run again later; if it happens again, report it to the "
            "vendor."
        )

    def _end_at(self, number: int, opened: OpenSlice, error: Exception) -> None:
        """Ends a slice with an error before one of its pages. If others may still be read, they are."""
        if self.has_fallback or isinstance(error, (RunError, RateLimitError)):  # the others would wait as long
            self.fail(error)
            return
        if not isinstance(error, UnansweredError):
            self._end_plan(error)
        opened.error, opened.pages, opened.is_held = error, number, False
        self._queue = deque(task for task in self._queue if self._is_wanted(task))
        for late in [late for late in opened.arrived if late >= number]:
            self.budget.count_page(opened.arrived.pop(late), -1)

    def _yield_arrived(self, opened: OpenSlice) -> None:
        """Makes the pages of a slice available that have arrived in order."""
        while (page := opened.arrived.pop(opened.yielded, None)) is not None:
            opened.yielded += 1
            page.ends_slice = opened.yielded == opened.pages and opened.error is None
            page.memory = opened.memory
            self._pages.append((opened, page))
        if opened.yielded < opened.pages or opened not in self._open:
            return
        self._open.remove(opened)
        if opened.error is None:
            self._failed_in_a_row = 0
        elif isinstance(opened.error, UnansweredError):
            self._failures.append(opened.error)
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= MAX_FAILED_IN_A_ROW or len(self._failures) >= MAX_FAILED:
                self._discard_open()

    def _open_slice(self) -> bool:
        if self.has_fallback and self._slices_opened and not self._has_result:
            return False
        if self._is_planned and not self._parts:
            return False
        try:
            part = self._parts.popleft() if self._parts else next(self._slices)
            request = self._first_request(part) if part else None
        except StopIteration:
            self._is_planned = True
            return False
        except BaseException as error:  # raised once the open slices have been read
            self._end_plan(error)
            if not isinstance(error, Exception):
                raise
            return False
        if part is None or request is None:
            return False
        opened = OpenSlice(part, LoopGuard(request, has_key=self._has_key), is_held=bool(part.parts))
        self._open.add(opened)
        self._queue.append(Task(opened, 0, request))
        self._slices_opened += 1
        return True

    def take_page(self) -> Page | None:
        """Removes and returns the next page. Returns None if no page has arrived yet."""
        if not self._pages:
            return None
        opened, page = self._pages.popleft()
        self.budget.count_page(page, -1)
        opened.taken += 1
        if page.ends_slice:
            self._begun.discard(opened)
            self._slices_taken += 1
        else:
            self._begun.add(opened)
        return page

    def fail(self, error: BaseException) -> None:
        """Ends the read with an error, after the pages that are available."""
        self._end_plan(error)
        self._discard_open()

    def abandon(self) -> None:
        """Discards all tasks and pages."""
        self.fail(TapError(f"{self.name}: the read was abandoned"))
        while self.take_page():
            pass

    def _end_plan(self, error: BaseException) -> None:
        """Opens no further slices. The error is raised at the end."""
        self._error = self._error or error
        self._is_planned = True
        self._parts.clear()

    def _discard_open(self) -> None:
        self._is_planned = True
        self._parts.clear()
        self._queue.clear()
        for opened in self._open:
            self._drop_pages(opened)
        self._open.clear()

    def _drop_pages(self, opened: OpenSlice) -> None:
        for page in opened.arrived.values():
            self.budget.count_page(page, -1)
        opened.arrived.clear()

    def raise_error(self) -> None:
        """Raises why the read ended early, if it did.

        Raises:
            Exception: The error.
            RunError: If it is none that a stream may cause.
        """
        if self._error and not isinstance(self._error, Exception):
            raise RunError(describe_error(self._error))
        if self._error:
            raise self._error
        if self._failures:
            first, *others = self._failures
            raise type(first)(f"{first} Other parts of the stream that failed: {len(others)}.") if others else first
