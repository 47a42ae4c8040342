"""One scheduler per run: page requests of several slices and streams under way, pages handed on in order."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_rest.errors import RetryableError, RunError, TapError, TimedOutError, UnansweredError, explain
from singer_rest.http.rate_limits import LONG_WAIT, MAX_WAIT
from singer_rest.http.retries import (
    FIRST_DELAY,
    MAX_ATTEMPTS,
    MAX_UNANSWERED_SECONDS,
    RetriesExhausted,
    RetryPolicy,
    time_budget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from singer_rest.fetch.page import Page
    from singer_rest.fetch.stream_fetch import Position, StreamFetch, Task
    from singer_rest.http.rate_limits import RateLimiter

logger = logging.getLogger(__name__)

PAGES_HELD = 512
BYTES_HELD = 16 * 1024 * 1024
"""What may wait for the main thread or be under way before only the page that it waits for is asked for. The bytes are
those of the bodies; decoded they take about five times as much."""

MAX_ATTEMPTS_SLOW = 2
"""Where there is another way to ask: each may take as long as the time-out."""
MAX_ATTEMPTS_BROKEN = 3
"""Where there is another way to ask, and the answer to the first request of a slice is of no use."""
MAX_ATTEMPTS_UNANSWERED = 3
"""While the host has not answered anything yet."""
CLOSING_SECONDS = 1.0
CHECK_SECONDS = 5.0
"""How often who waits looks whether the workers are alive, though they say when they end."""


class Scheduler:
    """Runs page requests in worker threads and hands the pages on in order, in the thread that asks.

    Args:
        workers: Requests under way at the same time.
        pacer: Says when a request to an endpoint may go.
        answered: Whether the host has answered anything yet; until then little patience is due.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        max_wait: Seconds for which a limit of the vendor's may hold one request back.

    Raises:
        RunError: If the system lets no thread start.
    """

    def __init__(
        self,
        workers: int,
        rate_limiter: RateLimiter,
        answered: Callable[[], bool] = lambda: True,
        first_delay: float = FIRST_DELAY,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self._pacer = rate_limiter
        self._answered = answered
        self._retries = RetryPolicy(first_delay, max_wait)
        self._changed = threading.Condition()
        self._fetches: list[StreamFetch] = []
        self._wanted: tuple[StreamFetch, Position] | None = None
        self._pages_held = 0
        self._bytes_held = 0
        self._stopped = False
        self._died: BaseException | None = None
        self._threads = self._started(workers)

    def _started(self, workers: int) -> list[threading.Thread]:
        threads: list[threading.Thread] = []
        for _ in range(workers):
            thread = threading.Thread(target=self._work, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                break
            threads.append(thread)
        if not threads:
            raise RunError(
                "The system lets no thread start, so nothing can be fetched. Raise its limit of processes, or run "
                "again when less else runs."
            )
        if len(threads) < workers:
            logger.warning("The system lets only %d of %d threads start; the run is slower.", len(threads), workers)
        return threads

    def add(self, reading: StreamFetch) -> None:
        """Let workers fetch for a reading."""
        with self._changed:
            self._fetches.append(reading)
            self._changed.notify_all()

    def pages(self, reading: StreamFetch) -> Generator[Page]:
        """Yield a reading's pages, slice after slice; one that has no answer is left out, and raised at the end.

        Raises:
            Exception: What ended the reading; the pages before it have been handed on.
            RunError: If a worker ended, whatever ended it.
        """
        position = (0, 0)
        try:
            while True:
                try:
                    page = self._wait(reading, position)
                except UnansweredError as error:
                    position = self._after_failure(reading, position, error)
                    continue
                if page is None:
                    break
                yield page
                with self._changed:
                    position = reading.after(position)
            if reading.failures:
                raise _failure(reading)
        finally:
            with self._changed:
                self._fetches.remove(reading)
                for page in reading.abandon():
                    self._held(-1, page)
                self._changed.notify_all()

    def _after_failure(self, reading: StreamFetch, position: Position, error: UnansweredError) -> Position:
        with self._guarded():
            left = reading.skip_slice(position, error)
            for page in left[1] if left else ():
                self._held(-1, page)
            self._changed.notify_all()
        if left is None:
            raise _failure(reading)
        return left[0]

    def wake(self) -> None:
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

    def _wait(self, reading: StreamFetch, position: Position) -> Page | None:
        with self._changed:
            self._wanted = (reading, position)
            self._changed.notify_all()
            self._check_workers()
            while (result := reading.take(position)) is None:
                if reading.last_slice is not None and position[0] > reading.last_slice:
                    return None
                if reading.is_idle:  # what its slices are is told by the thread that waits here
                    raise TapError(
                        f"{reading.name}: there is nothing left to ask for, and yet no end. Please report it with this "
                        "tap's version."
                    )
                self._changed.wait(CHECK_SECONDS)
                self._check_workers()
            if isinstance(result, Exception):
                raise result
            if isinstance(result, BaseException):
                raise RunError(explain(result))
            self._held(-1, result)
            return result

    def _check_workers(self) -> None:
        """Raise what ended a worker: what it had begun would never be finished, and be waited for without end."""
        if self._died:
            raise RunError(explain(self._died))
        if not all(thread.is_alive() for thread in self._threads):
            raise RunError("A worker ended without a word. Please report it with this tap's version.")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold the lock; what fails within ends the run before anybody else sees what it left half done."""
        with self._changed:
            try:
                yield
            except BaseException as error:
                self._died = self._died or error
                self._changed.notify_all()
                raise

    def _held(self, sign: int, page: Page) -> None:
        self._pages_held += sign
        self._bytes_held += sign * page.size

    def _work(self) -> None:
        try:
            while (found := self._next()) is not None:
                self._do(*found)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            with self._changed:
                self._died = self._died or error
                self._changed.notify_all()

    def _do(self, reading: StreamFetch, task: Task) -> None:
        began = time.monotonic()
        result: Page | Exception
        try:
            with time_budget(MAX_UNANSWERED_SECONDS - task.attempts.unanswered_seconds):
                result = reading.fetch(task.request, task.slice)
        except RetryableError as retry:
            error = self._again(reading, task, retry, time.monotonic() - began)
            if error is None:
                return
            result = error
        except RecursionError:
            result = TapError(
                f"{reading.name}: {task.request.endpoint} answered with values that are nested too deep to be read. "
                "Report it to the vendor."
            )
        except Exception as raised:  # noqa: BLE001 - it is raised where this page is handed on
            result = raised
        with self._guarded():
            self._bytes_held -= task.expected
            if reading in self._fetches and reading.finish(task, result) and not isinstance(result, Exception):
                self._held(+1, result)
            self._changed.notify_all()

    def _next(self) -> tuple[StreamFetch, Task] | None:
        """Wait for a task that may run; None when the scheduler is closed."""
        with self._guarded():
            while not self._stopped and not self._died:
                soonest = CHECK_SECONDS
                wanted, position = self._wanted or (None, None)
                # First what the main thread waits for; then the others in turn, for each endpoint has its own limit.
                for reading in sorted(self._fetches, key=lambda reading: reading is not wanted):
                    full = not reading.ahead or self._is_full(ahead=reading is not wanted)
                    if full and reading is not wanted:
                        continue
                    task, seconds = reading.ready(time.monotonic(), only=position if full else None)
                    if task:
                        seconds = self._pacer.acquire(reading.endpoint)
                        if not seconds:
                            reading.start(task)
                            self._bytes_held += task.expected
                            self._fetches.remove(reading)
                            self._fetches.append(reading)
                            return reading, task
                        if reading is wanted and task.position == position:
                            self._hold_back(reading, task)
                    soonest = min(soonest, seconds)
                self._changed.wait(soonest)
            return None

    def _hold_back(self, reading: StreamFetch, task: Task) -> None:
        """End a reading whose page is waited for, if a pause of the vendor's keeps it from being asked for too long."""
        if not (pause := self._pacer.pause_left(reading.endpoint)):
            return
        try:
            self._retries.delayed_by_limit(task.attempts, pause)
        except RetriesExhausted as end:
            reading.drop(task, _error(reading, task, end))
            self._changed.notify_all()

    def _is_full(self, *, ahead: bool) -> bool:
        # Streams ahead get half, so that they cannot slow down the one that is handed on.
        share = 0.5 if ahead else 1.0
        return self._pages_held >= PAGES_HELD * share or self._bytes_held >= BYTES_HELD * share

    def _again(self, reading: StreamFetch, task: Task, retry: RetryableError, took: float) -> TapError | None:
        """Queue a task for another attempt; the error where it had its share."""
        most = MAX_ATTEMPTS if self._answered() else MAX_ATTEMPTS_UNANSWERED
        # A later page that fails is no word on how the list was asked for.
        is_trial = reading.has_fallback and task.request.is_first
        if reading.has_fallback and retry.slow:
            most = min(most, MAX_ATTEMPTS_SLOW)
        elif is_trial and retry.broken:
            most = min(most, MAX_ATTEMPTS_BROKEN)
        try:
            delay = self._retries.delay(task.attempts, retry, took, most)
        except RetriesExhausted as end:
            kind = (
                TimedOutError if retry.slow else TapError if reading.has_fallback and not is_trial else UnansweredError
            )
            return _error(reading, task, end, TapError if end.limited else kind)
        if delay >= LONG_WAIT:
            logger.info("%s: %s; going on in %.0f s", reading.name, retry.reason, delay)
        if retry.throttled or retry.after is not None:
            self._pacer.pause(reading.endpoint, delay)
        with self._guarded():
            self._bytes_held -= task.expected
            task.not_before = time.monotonic() + delay
            reading.requeue(task)
            self._changed.notify_all()
        return None


def _error(reading: StreamFetch, task: Task, end: RetriesExhausted, kind: type[TapError] = TapError) -> TapError:
    part = f" for {task.slice.name}" if task.slice.name else ""
    return kind(f"{reading.name}: {task.request.endpoint} {end}{part}. {end.advice}: what was read before is kept.")


def _failure(reading: StreamFetch) -> UnansweredError:
    """What ends a reading some of whose slices had no answer."""
    first, *others = reading.failures
    return type(first)(f"{first} So it was with {len(others)} more of its slices.") if others else first
