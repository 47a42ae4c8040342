"""Progress of a long stream: rows, requests, rate and, if the total is known, percentage and time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESS_SECONDS = 10.0

MINUTE = 60
HOUR = 3600
MIN_UNITS = 1.5
"""Minimum number of a unit to use it."""


class Progress:
    """Reports the progress of a stream every `PROGRESS_SECONDS`.

    Args:
        stream: Name of the stream.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, stream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started_at = self._reported_at = clock()

    def line(self, rows: int, requests: int, fraction_done: Callable[[], float | None]) -> str | None:
        """Returns the line to log. None: none is due yet.

        Args:
            rows: Number of records emitted.
            requests: Number of requests sent.
            fraction_done: Returns the fraction of the stream that was emitted, above 0 and up to 1. None: not known.
                Only called if a line is due.
        """
        now = self._clock()
        if now - self._reported_at < PROGRESS_SECONDS:
            return None
        self._reported_at = now
        seconds = now - self._started_at
        parts = [f"{self._stream}: {rows} rows in {requests} requests so far"]
        if seconds:
            parts.append(f"{rows / seconds:.0f} rows/s")
        if fraction := fraction_done():
            parts.append(f"{int(fraction * 100)} % done")
            if fraction < 1:
                parts.append(f"about {_duration(seconds / fraction - seconds)} left")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < MIN_UNITS * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < MIN_UNITS * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h"
