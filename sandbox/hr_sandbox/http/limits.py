"""Rate limits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """The parameters of a token bucket: tokens per second, capacity, and the cost of one request."""

    replenish: int
    burst: int
    cost: int = 1

    @classmethod
    def per_minute(cls, requests: int) -> Rate:
        """Returns a rate for a number of requests per minute, with bursts of up to one second's worth."""
        if requests % MINUTE == 0:
            return cls(requests // MINUTE, requests // MINUTE)
        # Buckets refill by whole tokens per second, so 60 tokens per request make the rate exact.
        return cls(requests, max(requests, MINUTE), MINUTE)


class Buckets:
    """The token buckets of a vendor, created on first use. The clock is monotonic and counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def take_tokens(self, key: Hashable, rate: Rate) -> tuple[bool, int]:
        """Takes the tokens for one request. Returns whether there were enough, and how many whole ones remain."""
        timestamp = self._clock()
        level, since = self._levels.get(key, (rate.burst, timestamp))
        level = min(rate.burst, level + (timestamp - since) * rate.replenish)
        enough = level >= rate.cost
        if enough:
            level -= rate.cost
        self._levels[key] = (level, timestamp)
        return enough, int(level)


class TokenRequestLimit:
    """A limit per minute. When it is exceeded, one request per second is allowed for the next minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._times: list[float] = []
        self._slow_until = float("-inf")
        self._last = float("-inf")

    def allow_request(self) -> bool:
        """Returns whether one more request is allowed now."""
        timestamp = self._clock()
        self._times = [before for before in self._times if timestamp - before < MINUTE]
        if timestamp >= self._slow_until and len(self._times) >= self._per_minute:
            self._slow_until = timestamp + MINUTE
        if timestamp < self._slow_until and timestamp - self._last < 1:
            return False
        self._times.append(timestamp)
        self._last = timestamp
        return True
