"""Decides when a request is retried and when it fails: by attempts, by time without a response, by rate limits."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from singer_rest.http.rate_limits import MAX_WAIT, full_jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_rest.errors import RetryableError

MAX_ATTEMPTS = 8
MAX_UNANSWERED_SECONDS = 1800.0
"""Maximum number of seconds that one request may stay unanswered over all attempts. Waits caused by rate limits do not
count.
"""
FIRST_DELAY = 0.5
THROTTLED_DELAY = 1.0

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_allowance: ContextVar[float] = ContextVar("allowance", default=math.inf)


class RetriesExhaustedError(Exception):
    """A request is not retried any more. The text continues a sentence that begins with the name of the endpoint.

    Args:
        text: The text, such as "gave no usable response in 8 attempts".
        limited: Whether a rate limit of the vendor delayed it for too long.
    """

    def __init__(self, text: str, *, limited: bool = False) -> None:
        super().__init__(text)
        self.limited = limited

    @property
    def advice(self) -> str:
        """Advice to the user, as a sentence without its full stop."""
        return "Run again later, or raise `max_wait`" if self.limited else "Run again later"


@dataclass
class Attempts:
    """The attempts of one request so far.

    Args:
        sent: How often it was sent.
        failed: How often it failed for other reasons than a rate limit.
        unanswered_seconds: Seconds that it was in flight or waited for a retry after a failure.
        limited_since: When a rate limit started to delay it, by the policy's clock. None: none does.
    """

    sent: int = 0
    failed: int = 0
    unanswered_seconds: float = 0.0
    limited_since: float | None = None


class RetryPolicy:
    """Decides how long to wait before a request is retried.

    Args:
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        max_wait: Maximum number of seconds that the vendor's rate limit may delay one request.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        first_delay: float = FIRST_DELAY,
        max_wait: float = MAX_WAIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_delay = first_delay
        self._max_wait = max_wait
        self._clock = clock

    def next_delay(self, attempts: Attempts, retry: RetryableError, elapsed: float, max_attempts: int) -> float:
        """Records a failed attempt.

        Args:
            attempts: The request's attempts.
            retry: Why it failed.
            elapsed: Duration of the attempt in seconds.
            max_attempts: How often the request may fail. Failures caused by a rate limit do not count.

        Returns:
            Seconds to wait before the next attempt.

        Raises:
            RetriesExhaustedError: If there is no next attempt.
        """
        attempts.sent += 1
        attempts.unanswered_seconds += elapsed
        if not retry.throttled:
            attempts.failed += 1
            if attempts.failed >= max_attempts:
                raise RetriesExhaustedError(f"gave no usable response in {attempts.sent} attempts ({retry.reason})")
        if retry.throttled or retry.after is not None:
            return self._delay_of_limit(attempts, retry)
        attempts.limited_since = None
        delay = full_jitter(self._first_delay, attempts.failed)
        attempts.unanswered_seconds += delay
        if attempts.unanswered_seconds >= MAX_UNANSWERED_SECONDS:
            raise RetriesExhaustedError(
                f"gave no usable response in {format_duration(MAX_UNANSWERED_SECONDS)}, the maximum for one request "
                f"({attempts.sent} attempts; {retry.reason})"
            )
        return delay

    def record_limit_delay(self, attempts: Attempts, seconds: float) -> None:
        """Records that a pause demanded by the vendor delays a request before it is sent.

        Args:
            attempts: The request's attempts.
            seconds: Remaining seconds of the pause.

        Raises:
            RetriesExhaustedError: If the request has waited long enough.
        """
        seconds_left = self._seconds_left(attempts)
        if seconds > seconds_left:
            raise self._limit_exceeded(seconds, seconds_left)

    def _delay_of_limit(self, attempts: Attempts, retry: RetryableError) -> float:
        seconds_left = self._seconds_left(attempts)
        seconds = retry.after or 0.0
        if seconds > seconds_left or seconds_left <= 0:
            raise self._limit_exceeded(seconds, seconds_left)
        delay = 0.0
        if retry.after is None:
            delay = max(full_jitter(self._first_delay, attempts.sent), THROTTLED_DELAY)
        elif attempts.sent > MAX_ATTEMPTS:  # the vendor asks for shorter waits than it needs
            delay = full_jitter(self._first_delay, attempts.sent - MAX_ATTEMPTS)
        return max(seconds, min(delay, seconds_left))

    def _seconds_left(self, attempts: Attempts) -> float:
        """Returns the seconds that a rate limit may still delay a request."""
        now = self._clock()
        if attempts.limited_since is None:
            attempts.limited_since = now
        return self._max_wait - (now - attempts.limited_since)

    def _limit_exceeded(self, seconds: float, seconds_left: float) -> RetriesExhaustedError:
        allowed, waited = format_duration(self._max_wait), self._max_wait - seconds_left
        if seconds > self._max_wait:
            text = f"is rate-limited for {format_duration(seconds)}, longer than `max_wait` allows ({allowed})"
        elif seconds > seconds_left > 0:
            text = (
                f"is rate-limited for another {format_duration(seconds)} after {format_duration(waited)}, "
                f"and `max_wait` allows {allowed} in total"
            )
        else:
            text = f"was rate-limited for {format_duration(waited)}, as long as `max_wait` allows"
        return RetriesExhaustedError(text, limited=True)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Limits the duration of each request that this thread sends in the block."""
    reset = _allowance.set(seconds)
    try:
        yield
    finally:
        _allowance.reset(reset)


def remaining_budget() -> float:
    """Returns the seconds that a request of this thread may take; infinite without a limit."""
    return _allowance.get()


def format_duration(seconds: float) -> str:
    """Formats a duration in the largest unit of which there are at least two, such as "90 seconds"."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds >= 2 * size or size == 1)
    count = round(seconds / size)
    return f"{count} {unit}{'' if count == 1 else 's'}"
