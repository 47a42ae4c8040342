"""Schedules page requests of several slices and streams concurrently and yields pages in order."""

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
"""Limits of what may wait for the main thread or be in flight. Beyond them only the page that the main thread waits
for is requested. Bytes are those of the bodies; decoded they take about five times as much.
"""

MAX_ATTEMPTS_SLOW = 2
"""With a fallback: each attempt may take as long as the time-out."""
MAX_ATTEMPTS_BROKEN = 3
"""With a fallback, if the answer to the first request of a slice is unusable."""
MAX_ATTEMPTS_UNANSWERED = 3
"""While the host has not answered any request yet."""
CLOSING_SECONDS = 1.0
CHECK_SECONDS = 5.0
"""How often waiting threads check that the workers are alive, in case one ends without a notification."""


class Scheduler:
    """Runs page requests in worker threads and yields the pages in order in the calling thread.

    Args:
        workers: Number of concurrent requests.
        rate_limiter: Decides when a request to an endpoint may be sent.
        answered: Whether the host has answered any request yet. Until then fewer attempts are made.
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        max_wait: Maximum number of seconds that the vendor's rate limit may delay one request.

    Raises:
        RunError: If the system cannot start a thread.
    """

    def __init__(
        self,
        workers: int,
        rate_limiter: RateLimiter,
        answered: Callable[[], bool] = lambda: True,
        first_delay: float = FIRST_DELAY,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self._rate_limiter = rate_limiter
        self._host_answered = answered
        self._retries = RetryPolicy(first_delay, max_wait)
        self._changed = threading.Condition()
        self._fetches: list[StreamFetch] = []
        self._awaited: tuple[StreamFetch, Position] | None = None
        self._pages_held = 0
        self._bytes_held = 0
        self._stopped = False
        self._worker_error: BaseException | None = None
        self._threads = self._start_threads(workers)

    def _start_threads(self, workers: int) -> list[threading.Thread]:
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
                "The system cannot start a thread, so nothing can be fetched. Raise its limit of processes, or run "
                "again when fewer processes run."
            )
        if len(threads) < workers:
            logger.warning("The system can start only %d of %d threads; the run is slower.", len(threads), workers)
        return threads

    def add(self, stream_fetch: StreamFetch) -> None:
        """Queues a stream for fetching."""
        with self._changed:
            self._fetches.append(stream_fetch)
            self._changed.notify_all()

    def pages(self, stream_fetch: StreamFetch) -> Generator[Page]:
        """Yields a stream's pages, slice after slice. Skips slices without an answer and raises their error at the end.

        Raises:
            Exception: Why the read ended early. The pages before it have been yielded.
            RunError: If a worker failed.
        """
        position = (0, 0)
        try:
            while True:
                try:
                    page = self._wait(stream_fetch, position)
                except UnansweredError as error:
                    position = self._after_failure(stream_fetch, position, error)
                    continue
                if page is None:
                    break
                yield page
                with self._changed:
                    position = stream_fetch.after(position)
            if stream_fetch.failures:
                raise _combined_error(stream_fetch)
        finally:
            with self._changed:
                self._fetches.remove(stream_fetch)
                for page in stream_fetch.abandon():
                    self._count_held(-1, page)
                self._changed.notify_all()

    def _after_failure(self, stream_fetch: StreamFetch, position: Position, error: UnansweredError) -> Position:
        with self._guarded():
            skipped = stream_fetch.skip_slice(position, error)
            for page in skipped[1] if skipped else ():
                self._count_held(-1, page)
            self._changed.notify_all()
        if skipped is None:
            raise _combined_error(stream_fetch)
        return skipped[0]

    def wake(self) -> None:
        """Wakes the workers because new slices may be known."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Starts no further requests and abandons those in flight."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSING_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _wait(self, stream_fetch: StreamFetch, position: Position) -> Page | None:
        with self._changed:
            self._awaited = (stream_fetch, position)
            self._changed.notify_all()
            self._check_workers()
            while (result := stream_fetch.take(position)) is None:
                if stream_fetch.last_slice is not None and position[0] > stream_fetch.last_slice:
                    return None
                if stream_fetch.is_idle:  # only the thread that waits here can make more slices known
                    raise TapError(
                        f"{stream_fetch.name}: no request is left, but the stream has not ended. Please report it "
                        "with this tap's version."
                    )
                self._changed.wait(CHECK_SECONDS)
                self._check_workers()
            if isinstance(result, Exception):
                raise result
            if isinstance(result, BaseException):
                raise RunError(explain(result))
            self._count_held(-1, result)
            return result

    def _check_workers(self) -> None:
        """Raises the error of a failed worker, whose tasks would never finish."""
        if self._worker_error:
            raise RunError(explain(self._worker_error))
        if not all(thread.is_alive() for thread in self._threads):
            raise RunError("A worker ended without an error. Please report it with this tap's version.")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Holds the lock. An error inside ends the run before other threads see inconsistent data."""
        with self._changed:
            try:
                yield
            except BaseException as error:
                self._worker_error = self._worker_error or error
                self._changed.notify_all()
                raise

    def _count_held(self, sign: int, page: Page) -> None:
        self._pages_held += sign
        self._bytes_held += sign * page.size

    def _work(self) -> None:
        try:
            while (found := self._next_task()) is not None:
                self._run_task(*found)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            with self._changed:
                self._worker_error = self._worker_error or error
                self._changed.notify_all()

    def _run_task(self, stream_fetch: StreamFetch, task: Task) -> None:
        started = time.monotonic()
        result: Page | Exception
        try:
            with time_budget(MAX_UNANSWERED_SECONDS - task.attempts.unanswered_seconds):
                result = stream_fetch.fetch(task.request, task.slice)
        except RetryableError as retry:
            error = self._retry_later(stream_fetch, task, retry, time.monotonic() - started)
            if error is None:
                return
            result = error
        except RecursionError:
            result = TapError(
                f"{stream_fetch.name}: {task.request.endpoint} answered with values that are nested too deeply. "
                "Report it to the vendor."
            )
        except Exception as raised:  # noqa: BLE001 - raised when this page is yielded
            result = raised
        with self._guarded():
            self._bytes_held -= task.expected
            if (
                stream_fetch in self._fetches
                and stream_fetch.finish(task, result)
                and not isinstance(result, Exception)
            ):
                self._count_held(+1, result)
            self._changed.notify_all()

    def _next_task(self) -> tuple[StreamFetch, Task] | None:
        """Waits for a task that may run. None: the scheduler is closed."""
        with self._guarded():
            while not self._stopped and not self._worker_error:
                min_wait = CHECK_SECONDS
                awaited, position = self._awaited or (None, None)
                # First the stream that the main thread waits for, then the others in turn: each endpoint has its limit.
                for stream_fetch in sorted(self._fetches, key=lambda stream_fetch: stream_fetch is not awaited):
                    is_full = not stream_fetch.prefetches or self._is_full(is_ahead=stream_fetch is not awaited)
                    if is_full and stream_fetch is not awaited:
                        continue
                    task, seconds = stream_fetch.ready(time.monotonic(), only=position if is_full else None)
                    if task:
                        seconds = self._rate_limiter.acquire(stream_fetch.endpoint)
                        if not seconds:
                            stream_fetch.start(task)
                            self._bytes_held += task.expected
                            self._fetches.remove(stream_fetch)
                            self._fetches.append(stream_fetch)
                            return stream_fetch, task
                        if stream_fetch is awaited and task.position == position:
                            self._check_pause(stream_fetch, task)
                    min_wait = min(min_wait, seconds)
                self._changed.wait(min_wait)
            return None

    def _check_pause(self, stream_fetch: StreamFetch, task: Task) -> None:
        """Fails an awaited page if the vendor's rate limit would delay it for too long."""
        if not (pause := self._rate_limiter.pause_left(stream_fetch.endpoint)):
            return
        try:
            self._retries.delayed_by_limit(task.attempts, pause)
        except RetriesExhausted as exhausted:
            stream_fetch.drop(task, _exhausted_error(stream_fetch, task, exhausted))
            self._changed.notify_all()

    def _is_full(self, *, is_ahead: bool) -> bool:
        # Other streams get half, so that they cannot slow down the one being yielded.
        share = 0.5 if is_ahead else 1.0
        return self._pages_held >= PAGES_HELD * share or self._bytes_held >= BYTES_HELD * share

    def _retry_later(
        self, stream_fetch: StreamFetch, task: Task, retry: RetryableError, elapsed: float
    ) -> TapError | None:
        """Queues a task for another attempt. Returns the error if no attempts are left."""
        max_attempts = MAX_ATTEMPTS if self._host_answered() else MAX_ATTEMPTS_UNANSWERED
        # Only the first page shows whether the request itself works.
        may_fall_back = stream_fetch.has_fallback and task.request.is_first
        if stream_fetch.has_fallback and retry.slow:
            max_attempts = min(max_attempts, MAX_ATTEMPTS_SLOW)
        elif may_fall_back and retry.broken:
            max_attempts = min(max_attempts, MAX_ATTEMPTS_BROKEN)
        try:
            delay = self._retries.delay(task.attempts, retry, elapsed, max_attempts)
        except RetriesExhausted as exhausted:
            error_class = (
                TimedOutError
                if retry.slow
                else TapError
                if stream_fetch.has_fallback and not may_fall_back
                else UnansweredError
            )
            return _exhausted_error(stream_fetch, task, exhausted, TapError if exhausted.limited else error_class)
        if delay >= LONG_WAIT:
            logger.info("%s: %s; retrying in %.0f s", stream_fetch.name, retry.reason, delay)
        if retry.throttled or retry.after is not None:
            self._rate_limiter.pause(stream_fetch.endpoint, delay)
        with self._guarded():
            self._bytes_held -= task.expected
            task.not_before = time.monotonic() + delay
            stream_fetch.requeue(task)
            self._changed.notify_all()
        return None


def _exhausted_error(
    stream_fetch: StreamFetch, task: Task, exhausted: RetriesExhausted, error_class: type[TapError] = TapError
) -> TapError:
    part = f" for {task.slice.name}" if task.slice.name else ""
    return error_class(
        f"{stream_fetch.name}: {task.request.endpoint} {exhausted}{part}. "
        f"{exhausted.advice}: what was read before is kept."
    )


def _combined_error(stream_fetch: StreamFetch) -> UnansweredError:
    """The error of a stream that got no answer for some slices."""
    first, *others = stream_fetch.failures
    return type(first)(f"{first} The same happened for {len(others)} more slices.") if others else first
