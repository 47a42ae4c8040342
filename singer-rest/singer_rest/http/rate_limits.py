"""Rate limiting: one limiter per credential, shared by all workers and streams."""

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
from singer_rest.http.activity import Activity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


logger = logging.getLogger(__name__)

ROUNDING = 1e-9
MAX_DELAY = 60.0
LONG_WAIT = 10.0
"""Seconds from which a wait is logged."""
MAX_WAIT = 900.0
"""Default of `max_wait`: seconds that a rate limit may make a stream wait."""
YEAR = 366 * 86_400.0
"""Seconds. Headers that demand a longer wait are ignored."""
EPOCH = 1e8
EPOCH_MILLISECONDS = 1e12
"""From here on a number is not a wait but a timestamp, in seconds or milliseconds since 1970."""
SLOWEST_RATE = 1 / 600
FASTEST_RATE = 1e6
"""Requests per second. Headers with a rate outside these bounds are ignored."""
MAX_REQUESTS = 1e9
"""Requests. Headers with a larger number are ignored."""
OWN_LIMIT = "requests_per_minute"
"""The setting with the user's own limit."""


@dataclass(frozen=True)
class RateLimit:
    """A limit: ``requests`` per ``seconds``, of which ``burst`` may be sent at once (default: one second's worth).

    Args:
        requests: Number of requests.
        seconds: Length of the period.
        burst: Number of requests that may be sent at once.
        shared: Whether all endpoints that match its pattern share it, in addition to their own limits. It learns from
            the responses of endpoints without a limit of their own.
    """

    requests: float
    seconds: float = 1.0
    burst: float | None = None
    shared: bool = False


class Bucket:
    """A token bucket that learns from the vendor's headers. Guarded by the limiter's lock."""

    def __init__(self, rate: RateLimit, now: float) -> None:
        self.per_second = rate.requests / rate.seconds
        self.capacity = max(1.0, rate.burst if rate.burst is not None else self.per_second)
        self.tokens = self.capacity
        self.filled_at = now
        self.paused_until = 0.0
        self.response_count = 0

    def seconds_to_wait(self, now: float) -> float:
        """Returns the seconds until a request may be sent; 0 if it may be sent now. Takes no token."""
        if now > self.filled_at:
            self.tokens = min(self.capacity, self.tokens + (now - self.filled_at) * self.per_second)
            self.filled_at = now
        missing = 1.0 - self.tokens if self.tokens < 1.0 - ROUNDING else 0.0
        return max(missing / self.per_second, self.paused_until - now, 0.0)

    def update(self, headers: Mapping[str, str], now: float, max_wait: float) -> float:
        """Updates the rate, the burst and the remaining requests from whichever of three sets of headers are present.

        Args:
            headers: Those of a response.
            now: Seconds by the limiter's clock.
            max_wait: Maximum pause in seconds. If a limit resets later than that, requests are still sent, as their
                responses show whether it applies.

        Returns:
            Seconds of a new pause; 0 if there is none or one has begun already.
        """
        replenish, burst, remaining, requested = (
            _parse_number(headers.get(f"x-ratelimit-{name}"))
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
        hourly, hourly_remaining = (
            _parse_number(headers.get(f"x-csod-{name}-urilevel"))
            for name in ("throttling-rate-limit", "requests-remaining")
        )
        if hourly and SLOWEST_RATE <= hourly / 3660 <= FASTEST_RATE:
            # Its minutes start with the first request; including a burst, no minute may have one request too many.
            self.per_second = hourly / 3660
        if hourly_remaining is not None:
            self.tokens = min(self.tokens, hourly_remaining)
        remaining_requests, reset = _parse_number(headers.get("RateLimit-Remaining")), reset_after(headers)
        if remaining_requests is not None and remaining_requests >= 1:
            self.tokens = min(self.tokens, remaining_requests)
        elif remaining_requests is not None and reset and reset <= max_wait:
            is_paused = self.paused_until > now
            self.paused_until = max(self.paused_until, now + reset)
            return 0.0 if is_paused else reset
        return 0.0


class RateLimiter:
    """Delays requests to stay within the vendor's limits and the user's own.

    Args:
        rates: Limits by endpoint. ``""`` applies to each endpoint that is not listed; shared ones are glob patterns.
        overall: The user's own limit for all endpoints.
        clock: A monotonic clock, in seconds.
        max_wait: Maximum pause in seconds that a response's headers can cause.
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
        self.activity = Activity(clock)
        """The requests of the credential so far."""
        self.answered = False
        """Whether any response has been received."""

    def acquire(self, endpoint: str) -> float:
        """Acquires permission for one request to an endpoint.

        Returns:
            0 if it may be sent now (it is counted); otherwise the seconds to wait before calling again.
        """
        with self._lock:
            now = self._clock()
            buckets = self._buckets_for(endpoint, now)
            wait = max((bucket.seconds_to_wait(now) for bucket in buckets), default=0.0)
            if not wait:
                for bucket in buckets:
                    bucket.tokens -= 1
            return wait

    def limits(self, endpoint: str) -> dict[str, tuple[float, float]]:
        """Returns the limits that apply to an endpoint.

        Returns:
            For each limit, the requests per second and how many may be sent at once. The key says what shares the
            limit: the endpoint itself, a pattern of endpoints, or "" for all.
        """
        with self._lock:
            found = self._named_buckets(endpoint, self._clock())
            return {name: (bucket.per_second, bucket.capacity) for name, bucket in found.items()}

    def delaying_limit(self, endpoint: str) -> str:
        """Returns the limit that delays an endpoint most: its own, the pattern of a shared one, or the user's."""
        with self._lock:
            now = self._clock()
            buckets = self._named_buckets(endpoint, now)
            return max(buckets, key=lambda name: buckets[name].seconds_to_wait(now), default=endpoint) or OWN_LIMIT

    def _named_buckets(self, endpoint: str, now: float) -> dict[str, Bucket]:
        own = self._endpoint_bucket(endpoint, now)
        shared = {name: bucket for name, bucket in self._shared.items() if fnmatchcase(endpoint, name)}
        return {**({endpoint: own} if own else {}), **shared, **({"": self._overall} if self._overall else {})}

    def update(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """Updates the endpoint's limit from a response's headers."""
        with self._lock:
            self.answered = True
            now = self._clock()
            learning = self._learning_buckets(endpoint, now)
            pause = max((bucket.update(headers, now, self._max_wait) for bucket in learning), default=0.0)
        if pause >= LONG_WAIT:
            logger.info("%s: the vendor's rate limit is used up; continuing in %.0f s", endpoint, pause)

    def pause_left(self, endpoint: str) -> float:
        """Returns the seconds until the vendor accepts requests to an endpoint again; 0 if it does."""
        with self._lock:
            now = self._clock()
            return max((0.0, *(bucket.paused_until - now for bucket in self._buckets_for(endpoint, now))))

    def count_response(self, endpoint: str) -> None:
        """Counts a response of an endpoint that was not throttled."""
        with self._lock:
            for bucket in self._buckets_for(endpoint, self._clock()):
                bucket.response_count += 1

    def response_count(self, endpoint: str) -> int:
        """Returns the number of responses received under the limits that pause an endpoint."""
        with self._lock:
            now = self._clock()
            return sum(
                bucket.response_count for bucket in self._buckets_for(endpoint, now) if bucket.paused_until > now
            )

    def pause(self, endpoint: str, seconds: float) -> None:
        """Pauses an endpoint and the endpoints that share its limit, because the vendor demands a wait."""
        with self._lock:
            now = self._clock()
            if not self._learning_buckets(endpoint, now):
                self._endpoints[endpoint] = Bucket(RateLimit(1e6), now)
            for bucket in self._learning_buckets(endpoint, now):
                bucket.paused_until = max(bucket.paused_until, now + seconds)
                # The bucket is empty and fills again after the pause.
                bucket.tokens, bucket.filled_at = 1.0, bucket.paused_until

    def _buckets_for(self, endpoint: str, now: float) -> list[Bucket]:
        own = self._endpoint_bucket(endpoint, now)
        return [bucket for bucket in (own, *self._shared_by(endpoint), self._overall) if bucket]

    def _learning_buckets(self, endpoint: str, now: float) -> list[Bucket]:
        """Returns the limits that an endpoint's response headers describe: its own, otherwise the shared ones."""
        own = self._endpoint_bucket(endpoint, now)
        return [own] if own else self._shared_by(endpoint)

    def _shared_by(self, endpoint: str) -> list[Bucket]:
        return [bucket for pattern, bucket in self._shared.items() if fnmatchcase(endpoint, pattern)]

    def _endpoint_bucket(self, endpoint: str, now: float) -> Bucket | None:
        if endpoint not in self._endpoints:
            rate = self._rates.get(endpoint, self._rates.get(""))
            if rate is None:
                return None
            self._endpoints[endpoint] = Bucket(rate, now)
        return self._endpoints[endpoint]


def full_jitter(first_delay: float, tries: int) -> float:
    """Returns the seconds to wait after some attempts: random, with a bound that doubles each time up to a minute."""
    return random.uniform(0, min(MAX_DELAY, first_delay * 2.0 ** min(tries, 10)))  # noqa: S311 - no secret


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Returns the seconds to wait from a ``Retry-After`` header, given in seconds or as a date.

    Returns:
        The seconds. None if there is no header, or its value is negative or more than a year.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    number = _parse_number(value, maximum=math.inf)
    if number is not None:
        return _parse_seconds(number, now)
    try:
        return _plausible_wait(times.parse_http_date(value).timestamp() - now())
    except Exception:  # noqa: BLE001 - the date parser raises errors of many types, and no header may end a run
        return None


def reset_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Returns the seconds until the time in a ``RateLimit-Reset`` header. None as for `retry_after`."""
    number = _parse_number(headers.get("RateLimit-Reset"), maximum=math.inf)
    return None if number is None else _parse_seconds(number, now)


def _parse_seconds(number: float, now: Callable[[], float]) -> float | None:
    """Converts a number of seconds, or the timestamp at which the wait ends, to seconds."""
    if number >= EPOCH:
        return _plausible_wait((number / 1000 if number >= EPOCH_MILLISECONDS else number) - now())
    return _plausible_wait(number)


def _plausible_wait(seconds: float) -> float | None:
    """Returns a plausible wait; 0 if it is over. None: it is not plausible."""
    return max(0.0, seconds) if -YEAR <= seconds <= YEAR else None


def _parse_number(value: str | None, maximum: float = MAX_REQUESTS) -> float | None:
    """Parses the number in a header. None: there is no plausible one."""
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= maximum else None
