"""One scheduler per run: page requests of several slices and streams under way, pages handed on in order."""

from __future__ import annotations

import logging
import math
import threading
import time
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from singer_rest.errors import Retry, TapError, TooSlow
from singer_rest.pacing import LONG_WAIT, full_jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from singer_rest.pacing import Pacer
    from singer_rest.pages import Page, Request
    from singer_rest.slices import Slice

logger = logging.getLogger(__name__)

PAGES_HELD = 512
BYTES_HELD = 16 * 1024 * 1024
"""What may wait for the main thread or be under way before only the page that it waits for is asked for. The bytes are
those of the bodies; decoded they take about five times as much."""

TRIES = 8
TRIES_TOO_SLOW = 2
"""Where there is another way to ask: each may take as long as the time-out."""
TRIES_THROTTLED = 60
TRIES_UNTIL_FIRST_ANSWER = 3
FIRST_DELAY = 0.5
THROTTLED_DELAY = 1.0
CLOSING_SECONDS = 1.0

Position = tuple[int, int]
"""Number of the slice and of the page within it: the order in which pages are handed on."""


@dataclass(order=True)
class Task:
    """One page to ask for."""

    position: Position
    request: Request = field(compare=False)
    slice: Slice = field(compare=False)
    asked: set[Request] = field(compare=False)
    tries: int = field(default=0, compare=False)
    not_before: float = field(default=0.0, compare=False)
    expected: int = field(default=0, compare=False)
    """Bytes that its page is taken to have, by the one before; none where there was none."""


class Reading:
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
    """

    def __init__(
        self,
        name: str,
        slices: Iterator[Slice | None],
        first: Callable[[Slice], Request],
        fetch: Callable[[Request, Slice], Page],
        endpoint: str,
        *,
        tentative: bool = False,
        ahead: bool = True,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.tentative = tentative
        self.ahead = ahead
        self.fetch = fetch
        self.requests = 0
        self.last_slice: int | None = None
        self.done = 0.0
        """How many slices were taken; of one whose pages are counted, also the share taken."""
        self._slices = slices
        self._first = first
        self._opened = 0
        self._answered = False
        self._queue: list[Task] = []
        self._results: dict[Position, Page | Exception] = {}
        self._failed_at: Position | None = None
        self._pages: dict[int, int] = {}
        self._counted: set[int] = set()
        self._row_bytes = 0.0

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
        task.expected = int(self._row_bytes * task.request.rows)
        self.requests += 1

    def again(self, task: Task) -> None:
        """Queue a task once more."""
        insort(self._queue, task)

    def finish(self, task: Task, result: Page | Exception) -> bool:
        """Keep a page until it is wanted, and queue those after it; beyond an error nothing is asked for.

        Returns:
            Whether the result is kept.
        """
        if self._failed_at and task.position > self._failed_at:
            return False
        self._answered = True
        self._results[task.position] = result
        if isinstance(result, Exception):
            self._fail(task.position)
        else:
            if result.size:  # not where it only says how else to ask
                self._row_bytes = result.size / task.request.rows
            self._queue_following(task, result.following)
        return True

    def _queue_following(self, task: Task, following: Sequence[Request]) -> None:
        number, _ = task.position
        if len(following) > 1:  # the next page alone may be followed by others
            self._counted.add(number)
        for request in following:
            page = self._pages[number]
            self._pages[number] += 1
            if request.begins:  # a part of its own, or all of it again: its links may come up once more
                task.asked.clear()
            if request in task.asked:
                self._fail((number, page))
                self._results[number, page] = TapError(
                    f"{self.name}: the link to the next page leads back to a page already read, so the list has no "
                    "end. Run again later; if it stays so, report it to the vendor."
                )
                return
            task.asked.add(request)
            insort(self._queue, Task((number, page), request, task.slice, task.asked))

    def after(self, position: Position) -> Position:
        """The position after one whose page has been taken: the next page of its slice, or the next slice."""
        number, page = position
        if page + 1 < self._pages[number]:
            return number, page + 1
        del self._pages[number]
        self._counted.discard(number)
        return number + 1, 0

    def take(self, position: Position) -> Page | Exception | None:
        """Take out the result at a position; None: not there yet, or (`last_slice` tells) never."""
        if position[0] == self._opened:
            self._open()
        result = self._results.pop(position, None)
        if result is not None and not isinstance(result, Exception):
            number, page = position
            pages = self._pages[number]
            result.ends_slice = page + 1 == pages
            if result.ends_slice or number in self._counted:
                self.done = number + (page + 1) / pages
        return result

    def abandon(self) -> list[Page]:
        """Forget everything; the pages that nobody took."""
        self._fail((-1, 0))
        left = [page for page in self._results.values() if not isinstance(page, Exception)]
        self._results.clear()
        return left

    def _fail(self, position: Position) -> None:
        self._failed_at = min(position, self._failed_at or position)
        self.last_slice = self._failed_at[0]
        self._queue = [task for task in self._queue if task.position < position]

    def _open(self) -> bool:
        if self.last_slice is not None or (self.tentative and self._opened and not self._answered):
            return False
        try:
            part = next(self._slices)
            request = self._first(part) if part else None
        except StopIteration:
            self.last_slice = self._opened - 1
            return False
        except Exception as error:  # noqa: BLE001 - it is raised where this slice is handed on
            self._fail((self._opened, 0))
            self._results[self._opened, 0] = error
            return False
        if part is None or request is None:
            return False
        self._queue.append(Task((self._opened, 0), request, part, {request}))
        self._pages[self._opened] = 1
        self._opened += 1
        return True


class Scheduler:
    """Runs page requests in worker threads and hands the pages on in order, in the thread that asks.

    Args:
        workers: Requests under way at the same time.
        pacer: Says when a request to an endpoint may go.
        answered: Whether the host has answered anything yet; until then little patience is due.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
    """

    def __init__(
        self,
        workers: int,
        pacer: Pacer,
        answered: Callable[[], bool] = lambda: True,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self._pacer = pacer
        self._answered = answered
        self._first_delay = first_delay
        self._changed = threading.Condition()
        self._readings: list[Reading] = []
        self._wanted: tuple[Reading, Position] | None = None
        self._pages_held = 0
        self._bytes_held = 0
        self._stopped = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def add(self, reading: Reading) -> None:
        """Let workers fetch for a reading."""
        with self._changed:
            self._readings.append(reading)
            self._changed.notify_all()

    def pages(self, reading: Reading) -> Generator[Page]:
        """Yield a reading's pages, slice after slice.

        Raises:
            Exception: What ended the reading; the pages before it have been handed on.
        """
        position = (0, 0)
        try:
            while (page := self._wait(reading, position)) is not None:
                yield page
                with self._changed:
                    position = reading.after(position)
        finally:
            with self._changed:
                self._readings.remove(reading)
                for page in reading.abandon():
                    self._held(-1, page)
                self._changed.notify_all()

    def poke(self) -> None:
        """Wake the workers: slices that were not known may be known now."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Start no further request. Those under way are let go: their answers are of no use any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        end = time.monotonic() + CLOSING_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def _wait(self, reading: Reading, position: Position) -> Page | None:
        with self._changed:
            self._wanted = (reading, position)
            self._changed.notify_all()
            while (result := reading.take(position)) is None:
                if reading.last_slice is not None and position[0] > reading.last_slice:
                    return None
                self._changed.wait()
            if isinstance(result, Exception):
                raise result
            self._held(-1, result)
            return result

    def _held(self, sign: int, page: Page) -> None:
        self._pages_held += sign
        self._bytes_held += sign * page.size

    def _work(self) -> None:
        while (found := self._next()) is not None:
            reading, task = found
            result: Page | Exception
            try:
                result = self._fetch(reading, task)
            except Retry as retry:
                if self._again(reading, task, retry):
                    continue
                error = TooSlow if retry.slow else TapError
                result = error(
                    f"{reading.name}: {task.request.endpoint} gave no answer in {task.tries} tries "
                    f"({retry.reason}). Run again later: what was read before is kept."
                )
            except Exception as raised:  # noqa: BLE001 - it is raised where this page is handed on
                result = raised
            with self._changed:
                if reading in self._readings and reading.finish(task, result) and not isinstance(result, Exception):
                    self._held(+1, result)
                self._changed.notify_all()

    def _fetch(self, reading: Reading, task: Task) -> Page:
        try:
            return reading.fetch(task.request, task.slice)
        finally:
            with self._changed:
                self._bytes_held -= task.expected

    def _next(self) -> tuple[Reading, Task] | None:
        """Wait for a task that may run; None when the scheduler is closed."""
        with self._changed:
            while not self._stopped:
                soonest = math.inf
                wanted, position = self._wanted or (None, None)
                # First what the main thread waits for; then the others in turn, for each endpoint has its own limit.
                for reading in sorted(self._readings, key=lambda reading: reading is not wanted):
                    full = not reading.ahead or self._is_full(ahead=reading is not wanted)
                    if full and reading is not wanted:
                        continue
                    task, seconds = reading.ready(time.monotonic(), only=position if full else None)
                    if task:
                        seconds = self._pacer.take(reading.endpoint)
                        if not seconds:
                            reading.start(task)
                            self._bytes_held += task.expected
                            self._readings.remove(reading)
                            self._readings.append(reading)
                            return reading, task
                    soonest = min(soonest, seconds)
                self._changed.wait(None if soonest == math.inf else soonest)
            return None

    def _is_full(self, *, ahead: bool) -> bool:
        # Streams ahead get half, so that they cannot slow down the one that is handed on.
        share = 0.5 if ahead else 1.0
        return self._pages_held >= PAGES_HELD * share or self._bytes_held >= BYTES_HELD * share

    def _again(self, reading: Reading, task: Task, retry: Retry) -> bool:
        """Queue a task for another try, unless it had its share."""
        task.tries += 1
        tries = TRIES_TOO_SLOW if retry.slow and reading.tentative else TRIES_THROTTLED if retry.throttled else TRIES
        if task.tries >= (tries if self._answered() else TRIES_UNTIL_FIRST_ANSWER):
            return False
        delay = retry.after
        if delay is None:
            delay = full_jitter(self._first_delay, task.tries)
            delay = max(delay, THROTTLED_DELAY) if retry.throttled else delay
        if delay >= LONG_WAIT:
            logger.info("%s: %s; going on in %.0f s", reading.name, retry.reason, delay)
        if retry.throttled or retry.after is not None:
            self._pacer.pause(reading.endpoint, delay)
        with self._changed:
            task.not_before = time.monotonic() + delay
            reading.again(task)
            self._changed.notify_all()
        return True
