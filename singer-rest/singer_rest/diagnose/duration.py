"""Computes how long requests take, from the vendor's rate limits and response times."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.http.rate_limits import RateLimiter

UNLIMITED = 1000.0
"""Requests per second from which on a limit is none in practice."""


class Load(NamedTuple):
    """The requests to one endpoint.

    Args:
        endpoint: The endpoint.
        requests: Number of requests.
        seconds: Duration of one, or None if unknown.
        prefetches: Whether several are sent at a time.
    """

    endpoint: str
    requests: int
    seconds: float | None
    prefetches: bool


class Duration(NamedTuple):
    """The estimated duration of a run.

    Args:
        minutes: A lower bound. None: nothing is known.
        limited_by: The bottleneck: an endpoint or a pattern of endpoints whose limit is shared, "" for the user's
            own limit of all requests, "answers" for the vendor's response times.
    """

    minutes: float | None
    limited_by: str | None


def total_duration(limiter: RateLimiter, loads: Sequence[Load], workers: int) -> Duration:
    """Returns how long a group of concurrent requests takes in total.

    Args:
        limiter: The limits.
        loads: The requests.
        workers: How many requests are sent at a time.
    """
    requests = Counter[str]()
    limits: dict[str, tuple[float, float]] = {}
    for load in loads:
        for name, limit in limiter.limits(load.endpoint).items():
            limits[name] = limit
            requests[name] += load.requests
    seconds = {
        name: max(0.0, requests[name] - at_once) / per_second
        for name, (per_second, at_once) in limits.items()
        if per_second < UNLIMITED
    }
    timed = [load.requests * load.seconds for load in loads if load.seconds is not None]
    if timed:
        serial = [load.requests * (load.seconds or 0) for load in loads if not load.prefetches]
        seconds["answers"] = max(sum(timed) / workers, *serial, 0.0)
    if not seconds:
        return Duration(None, None)
    slowest = max(seconds, key=seconds.__getitem__)
    return Duration(round(seconds[slowest] / 60, 2), slowest)
