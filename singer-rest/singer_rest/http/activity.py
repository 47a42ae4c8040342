"""Counts the requests of a run that were sent and repeated, and the time for which rate limits delayed them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

logger = logging.getLogger(__name__)

RETRY_LOG_SECONDS = 60.0
"""Minimum number of seconds between two lines about retries."""
ANY = ""
"""Stands for all limits."""


class Activity:
    """Counts requests, retries and waits, and logs retries at most once a minute. Thread-safe.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._unlogged: Counter[str] = Counter()
        self._next_log_at = clock()
        self._waiting: Counter[str] = Counter()
        self._waiting_since: dict[str, float] = {}
        self.requests = 0
        """Number of requests sent, including retries and token requests."""
        self.retries = 0
        """Number of requests sent again because they failed or were throttled."""
        self.received_bytes = 0
        """Size of the bodies received, as they were sent."""
        self._retries_by_stream: Counter[str] = Counter()
        self._waits: defaultdict[str, float] = defaultdict(float)

    @property
    def waited(self) -> float:
        """Seconds in which a request was ready that a rate limit held up."""
        return self._waits.get(ANY, 0.0)

    def waits(self) -> dict[str, float]:
        """Returns the seconds in which a request was ready that a rate limit held up, by limit."""
        with self._lock:
            return {limit: seconds for limit, seconds in self._waits.items() if limit != ANY}

    def retries_by_stream(self) -> dict[str, int]:
        """Returns the number of requests sent again, by stream."""
        with self._lock:
            return dict(self._retries_by_stream)

    def add_request(self) -> None:
        """Counts a request."""
        with self._lock:
            self.requests += 1

    def add_body(self, size: int) -> None:
        """Counts the bytes of a body."""
        with self._lock:
            self.received_bytes += size

    def add_retry(self, stream: str, reason: str, delay: float) -> None:
        """Counts a retry, and logs all that were not logged yet if a minute has passed.

        Args:
            stream: Name of the stream.
            reason: Why the request is sent again, such as "status 503".
            delay: Seconds until then.
        """
        with self._lock:
            self.retries += 1
            self._retries_by_stream[stream] += 1
            self._unlogged[f"{stream}: {reason}"] += 1
            now = self._clock()
            if now < self._next_log_at:
                return
            self._next_log_at = now + RETRY_LOG_SECONDS
            reasons = ", ".join(
                text if count == 1 else f"{text} ({count} times)" for text, count in sorted(self._unlogged.items())
            )
            self._unlogged.clear()
        logger.info("%s; retrying%s", reasons, f" in {delay:.0f} s" if delay >= 1 else "")

    @contextmanager
    def count_wait(self, limits: Iterable[str]) -> Iterator[None]:
        """Counts the time of the block as a wait for rate limits. Blocks of several threads at once count once.

        Args:
            limits: The limits that hold requests up.
        """
        names = {ANY, *limits}
        with self._lock:
            for name in names:
                if not self._waiting[name]:
                    self._waiting_since[name] = self._clock()
                self._waiting[name] += 1
        try:
            yield
        finally:
            with self._lock:
                for name in names:
                    self._waiting[name] -= 1
                    if not self._waiting[name]:
                        self._waits[name] += self._clock() - self._waiting_since[name]
