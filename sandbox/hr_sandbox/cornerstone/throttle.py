"""Rate limits per view, object and path, per minute and per hour. Rejected requests count too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_sandbox.clock import Clock

MINUTE, MINUTES = 60, 60


class Throttle:
    """Counts requests in windows that begin with the first one. `everywhere` is one limit per minute for all."""

    def __init__(self, clock: Clock, everywhere: int | None) -> None:
        self._clock = clock
        self._everywhere = everywhere
        self.on = True
        self.limits: dict[str, int] = {}
        self._windows: dict[tuple[str, int], tuple[float, int]] = {}

    @property
    def shared(self) -> str | None:
        """The name of the limit on all requests together, including token requests. None: there is none."""
        return "everything" if self._everywhere else None

    def count_request(self, resource: str, stream: str, per_minute: int) -> tuple[bool, dict[str, str]]:
        """Counts a request.

        Args:
            resource: the name of the limit.
            stream: the stream whose limit a control may have set.
            per_minute: the vendor's own limit.

        Returns:
            Whether the request is allowed, and the headers about the limit.
        """
        per_minute = self.limits.get(stream, per_minute)
        if self.shared and self._everywhere:
            resource, per_minute = self.shared, self._everywhere
        if not self.on:
            return True, _make_headers(per_minute * MINUTES, per_minute * MINUTES)
        used = self._count_in_window(resource, MINUTE)
        in_hour = self._count_in_window(resource, MINUTE * MINUTES)
        enough = used <= per_minute and in_hour <= per_minute * MINUTES
        return enough, _make_headers(per_minute * MINUTES, per_minute * MINUTES - in_hour if enough else 0)

    def _count_in_window(self, resource: str, seconds: int) -> int:
        timestamp = self._clock.seconds()
        began, used = self._windows.get((resource, seconds), (timestamp, 0))
        if timestamp - began >= seconds:
            began, used = timestamp, 0
        self._windows[resource, seconds] = (began, used + 1)
        return used + 1

    def clear(self) -> None:
        """Forgets all requests."""
        self._windows.clear()


def _make_headers(limit: int, remaining: int) -> dict[str, str]:
    return {
        "x-csod-throttling-rate-limit-urilevel": str(limit),
        "x-csod-requests-remaining-urilevel": str(max(remaining, 0)),
    }
