"""Schedules page requests of several slices and streams concurrently and yields pages as they arrive."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from singer_rest.errors import (
    RateLimitError,
    RetryableError,
    RunError,
    TapError,
    TimedOutError,
    UnansweredError,
    describe_error,
)
from singer_rest.fetch.stream_fetch import SLICES_PER_WORKER
from singer_rest.fetch.tasks import Budget
from singer_rest.http.rate_limits import MAX_WAIT
from singer_rest.http.retries import (
    FIRST_DELAY,
    MAX_ATTEMPTS,
    MAX_UNANSWERED_SECONDS,
    RetriesExhaustedError,
    RetryPolicy,
    time_budget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from singer_rest.fetch.page import Page
    from singer_rest.fetch.stream_fetch import StreamFetch
    from singer_rest.fetch.tasks import Task
    from singer_rest.http.rate_limits import RateLimiter

T = TypeVar("T")
logger = logging.getLogger(__name__)

MAX_BUFFERED_PAGES = 512
MAX_BUFFERED_BYTES = 16 * 1024 * 1024
"""Limits of what may wait for the main thread or be in flight. Beyond them only one page is requested at a time, and
only while the main thread has none to take. Bytes are those of the bodies; decoded they take about five times as much.
"""
PREFETCH_SHARE = 0.5
"""The share of these limits that streams may use before the main thread has asked for their first page."""

MAX_ATTEMPTS_SLOW = 2
"""With a fallback, or parts to read instead: each attempt may take as long as the time-out."""
MAX_ATTEMPTS_BROKEN = 3
"""With a fallback, if the response to the first request of a slice is unusable."""
MAX_ATTEMPTS_UNANSWERED = 3
"""While the host has not responded to any request yet."""
CLOSING_SECONDS = 1.0
CHECK_SECONDS = 5.0
"""How often waiting threads check that the workers are alive, in case one ends without a notification."""


class Scheduler:
    """Runs page requests in worker threads and yields the pages in the calling thread.

    Args:
        workers: Number of concurrent requests.
        rate_limiter: Decides when a request to an endpoint may be sent.
        answered: Whether the host has responded to any request yet. Until then fewer attempts are made.
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
        self.first_delay = first_delay
        self._retries = RetryPolicy(first_delay, max_wait)
        self._lock = threading.RLock()
        self._tasks = threading.Condition(self._lock)
        """Notified when a worker may find a task. Each that finds one notifies the next, so that no more wake up than
        there are tasks, and the last one waits for what is due first."""
        self._results = threading.Condition(self._lock)
        """Notified when the main thread may find a page."""
        self._fetches: list[StreamFetch] = []
        self._budget = Budget()
        self._stopped = False
        self._worker_error: BaseException | None = None
        self._threads = self._start_threads(workers)

    def _start_threads(self, workers: int) -> list[threading.Thread]:
        threads: list[threading.Thread] = []
        for _ in range(workers):
            thread = threading.Thread(target=self._run_tasks, daemon=True)
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
            logger.warning("The system started only %d of %d threads; the run will be slower.", len(threads), workers)
        return threads

    def add(self, stream_fetch: StreamFetch) -> None:
        """Queues a stream for fetching."""
        stream_fetch.budget = self._budget
        stream_fetch.max_open = SLICES_PER_WORKER * len(self._threads) if stream_fetch.prefetches else 1
        with self._lock:
            self._queue_after_others(stream_fetch)
            self._tasks.notify()

    def _queue_after_others(self, stream_fetch: StreamFetch) -> None:
        """Gives a stream its turn after the others. Streams that are not prefetched come before all others.

        Streams without prefetching have one request at a time, and their links to the next page may expire soon.
        """
        self._fetches.append(stream_fetch)
        self._fetches.sort(key=lambda other: other.prefetches)

    def pages(self, stream_fetch: StreamFetch) -> Generator[Page | None]:
        """Yields a stream's pages: in order within a slice, and None while there is no page to yield.

        Slices without a usable response are skipped, and their error is raised at the end.

        Raises:
            Exception: Why the read ended early. The pages before it have been yielded.
            RunError: If a worker failed.
        """
        stream_fetch.is_read = True
        try:
            while True:
                with self._lock:
                    self._check_workers()
                    was_full, was_awaited = self._is_full(PREFETCH_SHARE), stream_fetch.is_awaited
                    page = stream_fetch.take_page()
                    stream_fetch.is_awaited = page is None
                    has_opened = stream_fetch.look_ahead()
                    if page is None and stream_fetch.is_over:
                        break
                    if was_full or has_opened or not (page or was_awaited):
                        self._tasks.notify()
                yield page
            stream_fetch.raise_error()
        finally:
            with self._lock:
                self._fetches.remove(stream_fetch)
                stream_fetch.abandon()
                self._tasks.notify()

    def wait_for_pages(self, *, blocks: bool = True) -> set[str]:
        """Waits until a stream with a waiting reader has a page or has ended. Returns the readers of all such streams.

        Args:
            blocks: Whether to wait if no such stream has a page yet.

        Raises:
            RunError: If a worker failed.
        """
        with self._lock:
            while True:
                self._check_workers()
                if not all(thread.is_alive() for thread in self._threads):
                    raise RunError("A worker ended without an error. Please report it with this tap's version.")
                awaited = [stream_fetch for stream_fetch in self._fetches if stream_fetch.is_awaited]
                opened = [stream_fetch.look_ahead() for stream_fetch in awaited]
                if any(opened):
                    self._tasks.notify()
                if readers := {fetch.reader for fetch in awaited if fetch.has_page or fetch.is_over}:
                    return readers
                if not blocks:
                    return set()
                if not awaited:
                    raise RunError("No stream waits for a page. Please report it with this tap's version.")
                if all(stream_fetch.is_idle for stream_fetch in self._fetches):
                    # Only the main thread can make more slices known, and it has nothing left to do but to wait.
                    for stream_fetch in awaited:
                        stream_fetch.fail(_stuck_error(stream_fetch))
                    continue
                self._results.wait(CHECK_SECONDS)

    def read_blocking(self, read: Iterable[T | None]) -> Generator[T]:
        """Yields what a single read yields, and waits for its pages instead of yielding None."""
        for progress in read:
            if progress is None:
                self.wait_for_pages()
            else:
                yield progress

    def wake(self) -> None:
        """Wakes the workers because new slices may be known."""
        with self._lock:
            self._tasks.notify()

    def close(self) -> None:
        """Starts no further requests and abandons the requests in flight."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self._tasks.notify_all()
        deadline = time.monotonic() + CLOSING_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def _check_workers(self) -> None:
        """Raises the error of a failed worker, because the worker's tasks would never finish."""
        if self._worker_error:
            raise RunError(describe_error(self._worker_error))

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        """Holds the lock. An error inside ends the run before other threads see inconsistent data."""
        with self._lock:
            try:
                yield
            except BaseException as error:
                self._worker_error = self._worker_error or error
                self._tasks.notify_all()
                self._results.notify_all()
                raise

    def _run_tasks(self) -> None:
        try:
            while (found := self._next_task()) is not None:
                self._run_task(*found)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            with self._lock:
                self._worker_error = self._worker_error or error
                self._tasks.notify_all()
                self._results.notify_all()

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
                f"{stream_fetch.name}: {task.request.endpoint} sent values that are nested too deeply. "
                "Report it to the vendor."
            )
        except Exception as raised:  # noqa: BLE001 - raised when this stream ends
            result = raised
        if not isinstance(result, RateLimitError):
            self._rate_limiter.count_response(stream_fetch.endpoint)
        with self._hold_lock():
            stream_fetch.finish_task(task, result)
            self._results.notify_all()

    def _next_task(self) -> tuple[StreamFetch, Task] | None:
        """Waits for a task that may run. None: the scheduler is closed."""
        with self._hold_lock():
            while not self._stopped and not self._worker_error:
                min_wait, limited = CHECK_SECONDS, []
                is_closed = self._is_full() and not self._is_starving
                for stream_fetch in self._fetches:  # in turn, since each endpoint has its limit
                    # Streams that nobody takes pages of yet cannot slow down the others.
                    is_full = self._is_full(1.0 if stream_fetch.is_read else PREFETCH_SHARE)
                    needs_waiting = is_full or not stream_fetch.prefetches
                    if is_closed or (needs_waiting and not stream_fetch.is_starving):
                        continue
                    task, seconds = stream_fetch.next_ready_task(time.monotonic(), next_only=is_full)
                    if task:
                        seconds = self._rate_limiter.acquire(stream_fetch.endpoint)
                        if not seconds:
                            stream_fetch.start_task(task)
                            self._fetches.remove(stream_fetch)
                            self._queue_after_others(stream_fetch)
                            self._tasks.notify()
                            return stream_fetch, task
                        limited.append(stream_fetch.endpoint)
                        if stream_fetch.is_awaited:
                            self._check_pause(stream_fetch, task)
                    min_wait = min(min_wait, seconds)
                with self._count_wait(limited) if limited else nullcontext():
                    self._tasks.wait(min_wait)
            return None

    def _count_wait(self, endpoints: Iterable[str]) -> AbstractContextManager[None]:
        limits = {self._rate_limiter.delaying_limit(endpoint) for endpoint in endpoints}
        return self._rate_limiter.activity.count_wait(limits)

    @property
    def _is_starving(self) -> bool:
        """Whether the main thread waits, and no page is under way that it could take."""
        awaited = [stream_fetch for stream_fetch in self._fetches if stream_fetch.is_awaited]
        return all(stream_fetch.is_starving for stream_fetch in awaited)

    def _is_full(self, share: float = 1.0) -> bool:
        return self._budget.pages >= MAX_BUFFERED_PAGES * share or self._budget.size >= MAX_BUFFERED_BYTES * share

    def _check_pause(self, stream_fetch: StreamFetch, task: Task) -> None:
        """Fails an awaited page if the vendor's rate limit would delay it for too long."""
        endpoint = stream_fetch.endpoint
        pause, response_count = self._rate_limiter.pause_left(endpoint), self._rate_limiter.response_count(endpoint)
        if not task.attempts.sent and (
            not pause or response_count != task.response_count
        ):  # it waits for its turn only
            task.attempts.limited_since = None
        task.response_count = response_count
        if not pause:
            return
        try:
            self._retries.record_limit_delay(task.attempts, pause)
        except RetriesExhaustedError as exhausted:
            stream_fetch.drop_task(task, _exhausted_error(stream_fetch, task, exhausted))
            self._tasks.notify()
            self._results.notify_all()

    def _retry_later(
        self, stream_fetch: StreamFetch, task: Task, retry: RetryableError, elapsed: float
    ) -> TapError | None:
        """Queues a task for another attempt. Returns the error if no attempts are left."""
        max_attempts = MAX_ATTEMPTS if self._host_answered() else MAX_ATTEMPTS_UNANSWERED
        # Only the first page shows whether the request itself works.
        may_fall_back = stream_fetch.has_fallback and task.request.is_first
        if retry.slow and (stream_fetch.has_fallback or task.open_slice.is_held):
            max_attempts = min(max_attempts, MAX_ATTEMPTS_SLOW)
        elif may_fall_back and retry.broken:
            max_attempts = min(max_attempts, MAX_ATTEMPTS_BROKEN)
        try:
            delay = self._retries.next_delay(task.attempts, retry, elapsed, max_attempts)
        except RetriesExhaustedError as exhausted:
            error_class = (
                TimedOutError
                if retry.slow
                else TapError
                if stream_fetch.has_fallback and not may_fall_back
                else UnansweredError
            )
            return _exhausted_error(stream_fetch, task, exhausted, RateLimitError if exhausted.limited else error_class)
        self._rate_limiter.activity.add_retry(stream_fetch.name, retry.reason, delay)
        if retry.throttled or retry.after is not None:
            self._rate_limiter.pause(stream_fetch.endpoint, delay)
        with self._hold_lock():
            task.not_before = time.monotonic() + delay
            stream_fetch.requeue_task(task)
            self._results.notify_all()
        return None


def _exhausted_error(
    stream_fetch: StreamFetch,
    task: Task,
    exhausted: RetriesExhaustedError,
    error_class: type[TapError] = RateLimitError,
) -> TapError:
    part = f" for {task.slice.name}" if task.slice.name else ""
    return error_class(
        f"{stream_fetch.name}: {task.request.endpoint} {exhausted}{part}. "
        f"{exhausted.advice}. Records already read are kept."
    )


def _stuck_error(stream_fetch: StreamFetch) -> TapError:
    return TapError(
        f"{stream_fetch.name}: no request is left, but the stream has not ended. Please report it with this tap's "
        "version."
    )
