"""How fast requests may go: one pacer per credential, shared by all workers and streams."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


logger = logging.getLogger(__name__)

ROUNDING = 1e-9
LONGEST_DELAY = 60.0
LONG_WAIT = 10.0
"""Seconds from which on a wait is worth a line."""
MAX_WAIT = 900.0
"""Seconds that a limit may make a stream wait, unless the setting `max_wait` says otherwise."""
YEAR = 366 * 86_400.0
"""Seconds; a header that asks for a longer wait says nothing."""
EPOCH = 1e8
EPOCH_MILLISECONDS = 1e12
"""From here on a number is no wait but a timestamp: in seconds, or in milliseconds, since 1970."""
SLOWEST_RATE = 1 / 600
FASTEST_RATE = 1e6
"""Requests per second; a header that tells of another rate says nothing."""
MOST_REQUESTS = 1e9
"""Requests; a header that tells of more says nothing."""


@dataclass(frozen=True)
class RateLimit:
    """A limit: ``requests`` per ``seconds``, of which ``burst`` may go at once (default: one second's worth).

    Args:
        requests: How many requests.
        seconds: In how many seconds.
        burst: How many at once.
        shared: Whether all endpoints that its pattern matches share it, beside a limit of their own. It learns from
            those that have none: what is said to one of them holds for all.
    """

    requests: float
    seconds: float = 1.0
    burst: float | None = None
    shared: bool = False


class Bucket:
    """A token bucket that learns from the vendor's headers. Its lock is the pacer's."""

    def __init__(self, rate: RateLimit, now: float) -> None:
        self.per_second = rate.requests / rate.seconds
        self.capacity = max(1.0, rate.burst if rate.burst is not None else self.per_second)
        self.tokens = self.capacity
        self.filled_at = now
        self.paused_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request may go; 0 if it may go now. Takes nothing."""
        if now > self.filled_at:
            self.tokens = min(self.capacity, self.tokens + (now - self.filled_at) * self.per_second)
            self.filled_at = now
        missing = 1.0 - self.tokens if self.tokens < 1.0 - ROUNDING else 0.0
        return max(missing / self.per_second, self.paused_until - now, 0.0)

    def update(self, headers: Mapping[str, str], now: float, max_wait: float) -> float:
        """Take over the rate, the burst and what is left, in whichever of three ways the headers say it.

        Args:
            headers: Those of an answer.
            now: Seconds by the pacer's clock.
            max_wait: Seconds of the longest pause. A limit that is reset later is asked all the same: its answer says
                whether it holds.

        Returns:
            Seconds of a pause that begins; 0 where there is none, or one already.
        """
        replenish, burst, remaining, requested = (
            _number(headers.get(f"x-ratelimit-{name}"))
            for name in ("replenish-rate", "burst-capacity", "remaining", "requested-tokens")
        )
        cost = max(requested or 1.0, ROUNDING)  # of one request, in the gateway's tokens
        if replenish and SLOWEST_RATE <= replenish / cost <= FASTEST_RATE:
            self.per_second = replenish / cost
        if burst:
            capacity = max(1.0, burst / cost)
            self.tokens += max(0.0, capacity - self.capacity)
            self.capacity = capacity
        if remaining is not None:
            self.tokens = min(self.tokens, remaining / cost)
        hourly, left_of_it = (
            _number(headers.get(f"x-csod-{name}-urilevel")) for name in ("throttling-rate-limit", "requests-remaining")
        )
        if hourly and SLOWEST_RATE <= hourly / 3660 <= FASTEST_RATE:
            # Its minutes begin with the first request; with what may go at once, no minute must hold one too many.
            self.per_second = hourly / 3660
        if left_of_it is not None:
            self.tokens = min(self.tokens, left_of_it)
        left, reset = _number(headers.get("RateLimit-Remaining")), reset_after(headers)
        if left is not None and left >= 1:
            self.tokens = min(self.tokens, left)
        elif left is not None and reset and reset <= max_wait:
            is_paused = self.paused_until > now
            self.paused_until = max(self.paused_until, now + reset)
            return 0.0 if is_paused else reset
        return 0.0


class RateLimiter:
    """Holds requests back so that they keep to the vendor's limits and the user's own.

    Args:
        rates: Limit by endpoint; ``""`` is that of each endpoint that is not named; shared ones by glob pattern.
        overall: The user's own cap over all endpoints.
        clock: Seconds that only go forward.
        max_wait: Seconds of the longest pause that an answer's headers can cause.
    """

    def __init__(
        self,
        rates: Mapping[str, RateLimit],
        overall: RateLimit | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self._rates = rates
        self._clock = clock
        self._max_wait = max_wait
        self._lock = threading.Lock()
        self._endpoints: dict[str, Bucket] = {}
        self._shared = {pattern: Bucket(rate, clock()) for pattern, rate in rates.items() if rate.shared}
        self._overall = Bucket(overall, clock()) if overall else None
        self.answered = False
        """Whether any answer has come yet."""

    def acquire(self, endpoint: str) -> float:
        """Take leave for one request to an endpoint.

        Returns:
            0 if it may go now (and is counted); else seconds to wait before asking again.
        """
        with self._lock:
            now = self._clock()
            buckets = self._buckets(endpoint, now)
            wait = max((bucket.wait(now) for bucket in buckets), default=0.0)
            if not wait:
                for bucket in buckets:
                    bucket.tokens -= 1
            return wait

    def update(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """Take over what an answer's headers say of the endpoint's limit."""
        with self._lock:
            self.answered = True
            now = self._clock()
            learning = self._learning(endpoint, now)
            pause = max((bucket.update(headers, now, self._max_wait) for bucket in learning), default=0.0)
        if pause >= LONG_WAIT:
            logger.info("%s: the vendor's limit is used up; going on in %.0f s", endpoint, pause)

    def pause_left(self, endpoint: str) -> float:
        """Seconds for which the vendor lets no request to an endpoint go; 0 where it does."""
        with self._lock:
            now = self._clock()
            return max((0.0, *(bucket.paused_until - now for bucket in self._buckets(endpoint, now))))

    def pause(self, endpoint: str, seconds: float) -> None:
        """Let no request to the endpoint, and to those that share its limit, go for some seconds: the vendor asked."""
        with self._lock:
            now = self._clock()
            if not self._learning(endpoint, now):
                self._endpoints[endpoint] = Bucket(RateLimit(1e6), now)
            for bucket in self._learning(endpoint, now):
                bucket.paused_until = max(bucket.paused_until, now + seconds)
                # What had gathered is gone, and gathers anew from the pause's end on.
                bucket.tokens, bucket.filled_at = 1.0, bucket.paused_until

    def _buckets(self, endpoint: str, now: float) -> list[Bucket]:
        own = self._endpoint(endpoint, now)
        return [bucket for bucket in (own, *self._shared_by(endpoint), self._overall) if bucket]

    def _learning(self, endpoint: str, now: float) -> list[Bucket]:
        """The limits that an answer of the endpoint speaks of: its own, else those that it shares."""
        own = self._endpoint(endpoint, now)
        return [own] if own else self._shared_by(endpoint)

    def _shared_by(self, endpoint: str) -> list[Bucket]:
        return [bucket for pattern, bucket in self._shared.items() if fnmatchcase(endpoint, pattern)]

    def _endpoint(self, endpoint: str, now: float) -> Bucket | None:
        if endpoint not in self._endpoints:
            rate = self._rates.get(endpoint, self._rates.get(""))
            if rate is None:
                return None
            self._endpoints[endpoint] = Bucket(rate, now)
        return self._endpoints[endpoint]


def full_jitter(first_delay: float, tries: int) -> float:
    """Seconds to wait after so many tries: anything up to twice as long as after the one before, a minute at most."""
    return random.uniform(0, min(LONGEST_DELAY, first_delay * 2.0 ** min(tries, 10)))  # noqa: S311 - no secret


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait, given in seconds or as a date.

    Returns:
        The seconds; None without one, or where it cannot be meant: it is negative, or asks for more than a year.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    number = _number(value, most=math.inf)
    if number is not None:
        return _seconds(number, now)
    try:
        return _wait(times.http_date(value).timestamp() - now())
    except Exception:  # noqa: BLE001 - whatever the parser of dates stumbles over, no header may stop a run
        return None


def reset_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds until a ``RateLimit-Reset`` header lets requests go again; None as for `retry_after`."""
    number = _number(headers.get("RateLimit-Reset"), most=math.inf)
    return None if number is None else _seconds(number, now)


def _seconds(number: float, now: Callable[[], float]) -> float | None:
    """Seconds to wait, from a number of them or from the timestamp at which the wait ends."""
    if number >= EPOCH:
        return _wait((number / 1000 if number >= EPOCH_MILLISECONDS else number) - now())
    return _wait(number)


def _wait(seconds: float) -> float | None:
    """A wait that can be meant; what is over by now is none at all."""
    return max(0.0, seconds) if -YEAR <= seconds <= YEAR else None


def _number(value: str | None, most: float = MOST_REQUESTS) -> float | None:
    """A number of a header; None where there is none that can be reckoned with."""
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= most else None
