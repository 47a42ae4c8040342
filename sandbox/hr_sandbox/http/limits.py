"""Rate limits: token buckets that fill all the time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """How a bucket fills: tokens a second, the most it holds, and what one request costs."""

    replenish: int
    burst: int
    cost: int = 1

    @classmethod
    def per_minute(cls, requests: int) -> Rate:
        """A rate of so many requests a minute, with bursts of one second's worth."""
        if requests % MINUTE == 0:
            return cls(requests // MINUTE, requests // MINUTE)
        # A bucket fills by whole tokens a second, so a request costs as many as a minute has seconds.
        return cls(requests, max(requests, MINUTE), MINUTE)


class Buckets:
    """The buckets of a vendor, made as they are asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Make no bucket yet.

        Args:
            clock: seconds that never go back.
        """
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable, rate: Rate) -> tuple[bool, int]:
        """Take what a request costs.

        Returns:
            Whether there was enough, and how many whole tokens remain.
        """
        timestamp = self._clock()
        level, since = self._levels.get(key, (rate.burst, timestamp))
        level = min(rate.burst, level + (timestamp - since) * rate.replenish)
        enough = level >= rate.cost
        if enough:
            level -= rate.cost
        self._levels[key] = (level, timestamp)
        return enough, int(level)


class TokenLimit:
    """Requests a minute; beyond them, one a second for the next minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow so many requests in any minute."""
        self._per_minute = per_minute
        self._clock = clock
        self._times: list[float] = []
        self._slow_until = float("-inf")
        self._last = float("-inf")

    def take(self) -> bool:
        """Whether one more request is allowed now."""
        timestamp = self._clock()
        self._times = [before for before in self._times if timestamp - before < MINUTE]
        if timestamp >= self._slow_until and len(self._times) >= self._per_minute:
            self._slow_until = timestamp + MINUTE
        if timestamp < self._slow_until and timestamp - self._last < 1:
            return False
        self._times.append(timestamp)
        self._last = timestamp
        return True
