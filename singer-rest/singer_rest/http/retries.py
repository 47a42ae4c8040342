"""When a request is sent again, and when it is given up: by attempts, by silence, by the vendor's limits."""

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
"""Seconds that one request may stay without an answer, in all its attempts, whatever the time-outs add up to. The time
for which a limit holds it back is not among them."""
FIRST_DELAY = 0.5
THROTTLED_DELAY = 1.0

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_allowance: ContextVar[float] = ContextVar("allowance", default=math.inf)


class RetriesExhausted(Exception):  # noqa: N818 - the caller says whose fault it is
    """A request is not sent again. The text goes on after a name: "/persons", "gave no answer in 8 tries".

    Args:
        what: The text.
        limited: Whether a limit of the vendor's holds it back.
    """

    def __init__(self, what: str, *, limited: bool = False) -> None:
        super().__init__(what)
        self.limited = limited

    @property
    def advice(self) -> str:
        """What the user can do, as a sentence without its full stop."""
        return "Run again later, or raise `max_wait`" if self.limited else "Run again later"


@dataclass
class Attempts:
    """What one request has cost so far.

    Args:
        sent: How often it was sent.
        failed: How often it failed, but for being too fast.
        unanswered_seconds: Seconds that it was under way, or waited to be sent again because it had failed.
        limited_since: When a limit of the vendor's began to hold it back, by the policy's clock; None: none does.
    """

    sent: int = 0
    failed: int = 0
    unanswered_seconds: float = 0.0
    limited_since: float | None = None


class RetryPolicy:
    """Says how long to wait before a request is sent again.

    Args:
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        max_wait: Seconds for which a limit of the vendor's may hold one request back.
        clock: Seconds that only go forward.
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

    def delay(self, attempts: Attempts, retry: RetryableError, took: float, max_attempts: int) -> float:
        """Take in that an attempt failed.

        Args:
            attempts: Those of the request.
            retry: How it failed.
            took: Seconds that the attempt took.
            max_attempts: How often the request may fail; that it came too fast does not count.

        Returns:
            Seconds to wait before the next one.

        Raises:
            GaveUp: If there is to be none.
        """
        attempts.sent += 1
        attempts.unanswered_seconds += took
        if not retry.throttled:
            attempts.failed += 1
            if attempts.failed >= max_attempts:
                raise RetriesExhausted(f"gave no answer in {attempts.sent} tries ({retry.reason})")
        if retry.throttled or retry.after is not None:
            return self._delay_of_limit(attempts, retry)
        attempts.limited_since = None
        delay = full_jitter(self._first_delay, attempts.failed)
        attempts.unanswered_seconds += delay
        if attempts.unanswered_seconds >= MAX_UNANSWERED_SECONDS:
            raise RetriesExhausted(
                f"gave no answer in {spoken(MAX_UNANSWERED_SECONDS)}, which is as long as one request is waited for "
                f"({attempts.sent} tries; {retry.reason})"
            )
        return delay

    def delayed_by_limit(self, attempts: Attempts, seconds: float) -> None:
        """Take in that a pause, which the vendor asked for, holds a request back before it is sent.

        Args:
            attempts: Those of the request.
            seconds: How long the pause still lasts.

        Raises:
            GaveUp: If the request has waited long enough.
        """
        left = self._left(attempts)
        if seconds > left:
            raise self._too_long(seconds, left)

    def _delay_of_limit(self, attempts: Attempts, retry: RetryableError) -> float:
        left = self._left(attempts)
        asked = retry.after or 0.0
        if asked > left or left <= 0:
            raise self._too_long(asked, left)
        delay = 0.0
        if retry.after is None:
            delay = max(full_jitter(self._first_delay, attempts.sent), THROTTLED_DELAY)
        elif attempts.sent > MAX_ATTEMPTS:  # it asks for less than it takes
            delay = full_jitter(self._first_delay, attempts.sent - MAX_ATTEMPTS)
        return max(asked, min(delay, left))

    def _left(self, attempts: Attempts) -> float:
        """Seconds for which a limit may still hold a request back."""
        now = self._clock()
        if attempts.limited_since is None:
            attempts.limited_since = now
        return self._max_wait - (now - attempts.limited_since)

    def _too_long(self, asked: float, left: float) -> RetriesExhausted:
        allowed, waited = spoken(self._max_wait), self._max_wait - left
        if asked > self._max_wait:
            what = f"asks to wait {spoken(asked)}, longer than `max_wait` allows ({allowed})"
        elif asked > left > 0:
            what = (
                f"lets nothing through: after {spoken(waited)} it asks to wait {spoken(asked)} more, and `max_wait` "
                f"allows {allowed} in all"
            )
        else:
            what = f"let nothing through for {spoken(waited)}, as long as `max_wait` allows"
        return RetriesExhausted(what, limited=True)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Let each request that this thread sends in the block take so many seconds at most."""
    reset = _allowance.set(seconds)
    try:
        yield
    finally:
        _allowance.reset(reset)


def remaining_budget() -> float:
    """Seconds that a request of this thread may take; infinite where nobody said so."""
    return _allowance.get()


def spoken(seconds: float) -> str:
    """A duration in words: in the largest unit of which it holds two."""
    unit, size = next((unit, size) for unit, size in _UNITS if seconds >= 2 * size or size == 1)
    count = round(seconds / size)
    return f"{count} {unit}{'' if count == 1 else 's'}"
