"""The pages of one stream that the scheduler fetches: those still to request and those received."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from singer_rest.errors import TapError, UnansweredError
from singer_rest.fetch.loop_guard import LoopGuard
from singer_rest.http.retries import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice

MAX_FAILED_IN_A_ROW = 3
MAX_FAILED = 20
"""Number of consecutive slices without an answer after which the stream fails: the vendor or the network is down."""

Position = tuple[int, int]
"""Number of the slice, and of the page within it. Pages are yielded in this order."""


@dataclass(order=True)
class Task:
    """One page to request."""

    position: Position
    request: Request = field(compare=False)
    slice: Slice = field(compare=False)
    loop_guard: LoopGuard = field(compare=False)
    """Detects endless lists in its slice."""
    attempts: Attempts = field(default_factory=Attempts, compare=False)
    not_before: float = field(default=0.0, compare=False)
    expected: int = field(default=0, compare=False)
    """Estimated size of its page in bytes, from the page before it. 0: unknown."""


class StreamFetch:
    """Fetches one stream's records, or the ids that its children need. Guarded by the scheduler's lock.

    Args:
        name: Name of the stream, for messages.
        slices: The slices in order. A None in between means that the next one is not known yet.
        first_request: Returns the request for a slice's first page.
        fetch: Sends a request and returns the page. Runs in a worker thread.
        endpoint: The endpoint that rate limits apply to.
        has_fallback: Whether another read replaces this one if it fails. The first slice is then requested alone,
            with fewer attempts.
        prefetches: Whether pages are requested before the main thread waits for them.
        has_key: Whether its records have a key.
        on_result: Called with each page or error.
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
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.has_fallback = has_fallback
        self.prefetches = prefetches
        self._has_key = has_key
        self._on_result = on_result
        self.fetch = fetch
        self.requests = 0
        self.last_slice: int | None = None
        self.slices_done = 0.0
        """Number of slices yielded, with the yielded fraction of a slice whose number of pages is known."""
        self._slices = slices
        self._first_request = first_request
        self._slices_opened = 0
        self._has_result = False
        self._queue: list[Task] = []
        self._results: dict[Position, Page | BaseException] = {}
        self._failed_at: Position | None = None
        self.failures: list[UnansweredError] = []
        """Errors that ended single slices while the others went on."""
        self._failed_in_a_row = 0
        self._ended_at: dict[int, int] = {}
        """The pages that ended slices early, by the number of the slice."""
        self._pages: dict[int, int] = {}
        self._with_known_pages: set[int] = set()
        self._row_bytes = 0.0
        self._in_flight = 0

    @property
    def is_idle(self) -> bool:
        """Whether no task is queued or in flight."""
        return not (self._queue or self._in_flight)

    def ready(self, now: float, only: Position | None = None) -> tuple[Task | None, float]:
        """The first task (or the one at a position) that may run now; it stays queued. If none, the seconds to wait."""
        min_wait = math.inf
        for task in self._queue:
            if only in {None, task.position}:
                if task.not_before <= now:
                    return task, 0.0
                min_wait = min(min_wait, task.not_before - now)
        if only is None and self._open_slice():
            return self._queue[-1], 0.0
        return None, min_wait

    def start(self, task: Task) -> None:
        """Takes a task off the queue to run it."""
        self._queue.remove(task)
        task.expected = int(self._row_bytes * task.request.expected_rows)
        self.requests += 1
        self._in_flight += 1

    def requeue(self, task: Task) -> None:
        """Queues a failed task again."""
        self._in_flight -= 1
        insort(self._queue, task)

    def drop(self, task: Task, error: TapError) -> None:
        """Takes a task off the queue that will not run, and stores the error."""
        self._queue.remove(task)
        self._store(task, error)

    def finish(self, task: Task, result: Page | Exception) -> bool:
        """Stores the result of a task and queues the pages after it. After an error nothing more is queued.

        Returns:
            Whether the result was stored.
        """
        self._in_flight -= 1
        return self._store(task, result)

    def _store(self, task: Task, result: Page | Exception) -> bool:
        number, page = task.position
        if (self._failed_at and task.position > self._failed_at) or page > self._ended_at.get(number, page):
            return False
        self._has_result = True
        self._results[task.position] = result
        if self._on_result:
            self._on_result(result)
        if isinstance(result, UnansweredError) and not self.has_fallback:
            self._ended_at[number] = page
            self._queue = [other for other in self._queue if other.position[0] != number or other < task]
        elif isinstance(result, Exception):
            self._fail(task.position)
        else:
            if result.size:  # placeholders have no size
                self._row_bytes = result.size / task.request.expected_rows
            self._queue_following(task, result)
        return True

    def _queue_following(self, task: Task, page: Page) -> None:
        number, _ = task.position
        if len(page.next_requests) > 1:  # only a single next page can start a loop
            self._with_known_pages.add(number)
        elif page.next_requests and not page.is_placeholder and task.loop_guard.is_looping(page):
            self._fail_looping(number, "the vendor sends the same pages over and over")
            return
        for request in page.next_requests:
            if request.is_first:
                task.loop_guard.reset_read()
            if task.loop_guard.is_repeated_request(request):
                self._fail_looping(number, "the link to the next page leads back to a page already read")
                return
            attempts = Attempts(unanswered_seconds=request.unanswered_seconds)
            insort(self._queue, Task((number, self._pages[number]), request, task.slice, task.loop_guard, attempts))
            self._pages[number] += 1

    def _fail_looping(self, number: int, reason: str) -> None:
        """Fails a list that would never end."""
        position = number, self._pages[number]
        self._pages[number] += 1
        self._fail(position)
        self._results[position] = TapError(
            f"{self.name}: {reason}, so the list never ends. Run again later; "
            "if it happens again, report it to the vendor."
        )

    def after(self, position: Position) -> Position:
        """The position after one whose page has been yielded: the next page of its slice, or the next slice."""
        number, page = position
        if page + 1 < self._pages[number]:
            return number, page + 1
        self._failed_in_a_row = 0
        return self._start_next_slice(number)

    def skip_slice(self, position: Position, error: UnansweredError) -> tuple[Position, list[Page]] | None:
        """Skips the rest of a slice that got no answer, so that the other slices go on.

        Returns:
            The position of the next slice and the pages that are discarded. None: too many slices failed.
        """
        number, _ = position
        self.failures.append(error)
        self._failed_in_a_row += 1
        if number not in self._ended_at or self._failed_in_a_row >= MAX_FAILED_IN_A_ROW:
            return None
        if len(self.failures) >= MAX_FAILED:
            return None
        unused = [self._results.pop(place) for place in list(self._results) if place[0] == number]
        return self._start_next_slice(number), [page for page in unused if not isinstance(page, BaseException)]

    def _start_next_slice(self, number: int) -> Position:
        del self._pages[number]
        self._with_known_pages.discard(number)
        return number + 1, 0

    def take(self, position: Position) -> Page | BaseException | None:
        """Removes and returns the result at a position. None: not there yet, or past `last_slice`."""
        if position[0] == self._slices_opened:
            self._open_slice()
        result = self._results.pop(position, None)
        if result is not None and not isinstance(result, BaseException):
            number, page = position
            pages = self._pages[number]
            result.ends_slice = page + 1 == pages
            if result.ends_slice or number in self._with_known_pages:
                self.slices_done = number + (page + 1) / pages
        return result

    def abandon(self) -> list[Page]:
        """Discards all tasks and results. Returns the pages that were not yielded."""
        self._fail((-1, 0))
        unused = [page for page in self._results.values() if not isinstance(page, BaseException)]
        self._results.clear()
        return unused

    def _fail(self, position: Position) -> None:
        self._failed_at = min(position, self._failed_at or position)
        self.last_slice = self._failed_at[0]
        self._queue = [task for task in self._queue if task.position < position]

    def _open_slice(self) -> bool:
        if self.last_slice is not None or (self.has_fallback and self._slices_opened and not self._has_result):
            return False
        try:
            part = next(self._slices)
            request = self._first_request(part) if part else None
        except StopIteration:
            self.last_slice = self._slices_opened - 1
            return False
        except BaseException as error:  # raised when this slice is yielded
            self._fail((self._slices_opened, 0))
            self._results[self._slices_opened, 0] = error
            if not isinstance(error, Exception):
                raise
            return False
        if part is None or request is None:
            return False
        self._queue.append(Task((self._slices_opened, 0), request, part, LoopGuard(request, has_key=self._has_key)))
        self._pages[self._slices_opened] = 1
        self._slices_opened += 1
        return True
