"""One listing that the scheduler walks: which pages there are to ask for, and which have come."""

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
"""After so many slices without an answer, the rest is not asked for: it is the vendor that fails, or the network."""

Position = tuple[int, int]
"""Number of the slice and of the page within it: the order in which pages are handed on."""


@dataclass(order=True)
class Task:
    """One page to ask for."""

    position: Position
    request: Request = field(compare=False)
    slice: Slice = field(compare=False)
    loop_guard: LoopGuard = field(compare=False)
    """Where its slice's list has been."""
    attempts: Attempts = field(default_factory=Attempts, compare=False)
    not_before: float = field(default=0.0, compare=False)
    expected: int = field(default=0, compare=False)
    """Bytes that its page is taken to have, by the one before; none where there was none."""


class StreamFetch:
    """One listing to walk: a stream's records, or the ids that its children need. The scheduler's lock guards it.

    Args:
        name: The stream's name, for messages.
        slices: The slices in order; None in between: not known yet.
        first: Makes the request for a slice's first page.
        fetch: Sends a request and reads the page. It runs in a worker.
        endpoint: What the pacer counts the requests under.
        tentative: Whether there is another way to ask, if this one turns out to be too slow: so the first slice goes
            alone, and few tries are enough.
        ahead: Whether pages are asked for before the main thread waits for them.
        has_key: Whether its records have a key.
        watch: Is told of what comes.
    """

    def __init__(
        self,
        name: str,
        slices: Iterator[Slice | None],
        first: Callable[[Slice], Request],
        fetch: Callable[[Request, Slice], Page],
        endpoint: str,
        *,
        has_fallback: bool = False,
        ahead: bool = True,
        has_key: bool = True,
        watch: Callable[[Page | Exception], None] | None = None,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.has_fallback = has_fallback
        self.ahead = ahead
        self._has_key = has_key
        self._watch = watch
        self.fetch = fetch
        self.requests = 0
        self.last_slice: int | None = None
        self.slices_done = 0.0
        """How many slices were taken; of one whose pages are counted, also the share taken."""
        self._slices = slices
        self._first = first
        self._opened = 0
        self._answered = False
        self._queue: list[Task] = []
        self._results: dict[Position, Page | BaseException] = {}
        self._failed_at: Position | None = None
        self.failures: list[UnansweredError] = []
        """What ended single slices, while the others went on."""
        self._failed_in_a_row = 0
        self._ended_at: dict[int, int] = {}
        """The pages that ended slices early, by the number of the slice."""
        self._pages: dict[int, int] = {}
        self._counted: set[int] = set()
        self._row_bytes = 0.0
        self._under_way = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is under way or waits to be."""
        return not (self._queue or self._under_way)

    def ready(self, now: float, only: Position | None = None) -> tuple[Task | None, float]:
        """The first task (or that at a position) that may run now, left in the queue; else None and seconds to wait."""
        soonest = math.inf
        for task in self._queue:
            if only in {None, task.position}:
                if task.not_before <= now:
                    return task, 0.0
                soonest = min(soonest, task.not_before - now)
        if only is None and self._open():
            return self._queue[-1], 0.0
        return None, soonest

    def start(self, task: Task) -> None:
        """Take a task off the queue: it runs."""
        self._queue.remove(task)
        task.expected = int(self._row_bytes * task.request.expected_rows)
        self.requests += 1
        self._under_way += 1

    def requeue(self, task: Task) -> None:
        """Queue a task once more that ran in vain."""
        self._under_way -= 1
        insort(self._queue, task)

    def drop(self, task: Task, error: TapError) -> None:
        """Take a task that waits off the queue: it does not run, and this is why."""
        self._queue.remove(task)
        self._keep(task, error)

    def finish(self, task: Task, result: Page | Exception) -> bool:
        """Keep a page until it is wanted, and queue those after it; beyond an error nothing is asked for.

        Returns:
            Whether the result is kept.
        """
        self._under_way -= 1
        return self._keep(task, result)

    def _keep(self, task: Task, result: Page | Exception) -> bool:
        number, page = task.position
        if (self._failed_at and task.position > self._failed_at) or page > self._ended_at.get(number, page):
            return False
        self._answered = True
        self._results[task.position] = result
        if self._watch:
            self._watch(result)
        if isinstance(result, UnansweredError) and not self.has_fallback:
            self._ended_at[number] = page
            self._queue = [other for other in self._queue if other.position[0] != number or other < task]
        elif isinstance(result, Exception):
            self._fail(task.position)
        else:
            if result.size:  # not where it only says how else to ask
                self._row_bytes = result.size / task.request.expected_rows
            self._queue_following(task, result)
        return True

    def _queue_following(self, task: Task, page: Page) -> None:
        number, _ = task.position
        if len(page.next_requests) > 1:  # the next page alone may be followed by others
            self._counted.add(number)
        elif page.next_requests and not page.is_placeholder and task.loop_guard.is_looping(page):
            self._end(number, "the same pages come again and again")
            return
        for request in page.next_requests:
            if request.is_first:
                task.loop_guard.reset_read()
            if task.loop_guard.is_repeated_request(request):
                self._end(number, "the link to the next page leads back to a page already read")
                return
            attempts = Attempts(unanswered_seconds=request.unanswered_seconds)
            insort(self._queue, Task((number, self._pages[number]), request, task.slice, task.loop_guard, attempts))
            self._pages[number] += 1

    def _end(self, number: int, why: str) -> None:
        """Ask for no more pages of a list that would go on for ever."""
        position = number, self._pages[number]
        self._pages[number] += 1
        self._fail(position)
        self._results[position] = TapError(
            f"{self.name}: {why}, so the list has no end. Run again later; if it stays so, report it to the vendor."
        )

    def after(self, position: Position) -> Position:
        """The position after one whose page has been taken: the next page of its slice, or the next slice."""
        number, page = position
        if page + 1 < self._pages[number]:
            return number, page + 1
        self._failed_in_a_row = 0
        return self._leave(number)

    def skip_slice(self, position: Position, error: UnansweredError) -> tuple[Position, list[Page]] | None:
        """Go on without the rest of a slice that has no answer, so that the others do not wait for it for ever.

        Returns:
            The first position of the next slice, and pages that nobody takes now; None: there are too many such slices.
        """
        number, _ = position
        self.failures.append(error)
        self._failed_in_a_row += 1
        if number not in self._ended_at or self._failed_in_a_row >= MAX_FAILED_IN_A_ROW:
            return None
        if len(self.failures) >= MAX_FAILED:
            return None
        late = [self._results.pop(place) for place in list(self._results) if place[0] == number]
        return self._leave(number), [page for page in late if not isinstance(page, BaseException)]

    def _leave(self, number: int) -> Position:
        del self._pages[number]
        self._counted.discard(number)
        return number + 1, 0

    def take(self, position: Position) -> Page | BaseException | None:
        """Take out the result at a position; None: not there yet, or (`last_slice` tells) never."""
        if position[0] == self._opened:
            self._open()
        result = self._results.pop(position, None)
        if result is not None and not isinstance(result, BaseException):
            number, page = position
            pages = self._pages[number]
            result.ends_slice = page + 1 == pages
            if result.ends_slice or number in self._counted:
                self.slices_done = number + (page + 1) / pages
        return result

    def abandon(self) -> list[Page]:
        """Forget everything; the pages that nobody took."""
        self._fail((-1, 0))
        left = [page for page in self._results.values() if not isinstance(page, BaseException)]
        self._results.clear()
        return left

    def _fail(self, position: Position) -> None:
        self._failed_at = min(position, self._failed_at or position)
        self.last_slice = self._failed_at[0]
        self._queue = [task for task in self._queue if task.position < position]

    def _open(self) -> bool:
        if self.last_slice is not None or (self.has_fallback and self._opened and not self._answered):
            return False
        try:
            part = next(self._slices)
            request = self._first(part) if part else None
        except StopIteration:
            self.last_slice = self._opened - 1
            return False
        except BaseException as error:  # it is raised where this slice is handed on
            self._fail((self._opened, 0))
            self._results[self._opened, 0] = error
            if not isinstance(error, Exception):
                raise
            return False
        if part is None or request is None:
            return False
        self._queue.append(Task((self._opened, 0), request, part, LoopGuard(request, has_key=self._has_key)))
        self._pages[self._opened] = 1
        self._opened += 1
        return True
