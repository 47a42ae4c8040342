"""Counts the requests of a run that were sent and repeated, and the time for which rate limits delayed them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

RETRY_LOG_SECONDS = 60.0
"""Minimum number of seconds between two lines about retries."""


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
        self._waiting = 0
        self._waiting_since = 0.0
        self.requests = 0
        """Number of requests sent, including retries and token requests."""
        self.retries = 0
        """Number of requests sent again because they failed or were throttled."""
        self.waited = 0.0
        """Seconds in which a request was ready that a rate limit held up."""

    def add_request(self) -> None:
        """Counts a request."""
        with self._lock:
            self.requests += 1

    def add_retry(self, stream: str, reason: str, delay: float) -> None:
        """Counts a retry, and logs all that were not logged yet if a minute has passed.

        Args:
            stream: Name of the stream.
            reason: Why the request is sent again, such as "status 503".
            delay: Seconds until then.
        """
        with self._lock:
            self.retries += 1
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
    def count_wait(self) -> Iterator[None]:
        """Counts the time of the block as a wait for a rate limit. Blocks of several threads at once count once."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = self._clock()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self.waited += self._clock() - self._waiting_since
