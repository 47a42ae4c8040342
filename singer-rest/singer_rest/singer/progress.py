"""How far a long stream is: rows, requests, rate, and where the total is known the share done and the time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESS_SECONDS = 10.0

MINUTE = 60
HOUR = 3600
ROUGHLY = 1.5
"""From so many units on a time is given in them."""


class Progress:
    """Says every `PROGRESS_SECONDS` how far a stream is.

    Args:
        stream: The stream's name.
        clock: Seconds that only go forward.
    """

    def __init__(self, stream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started_at = self._told_at = clock()

    def line(self, rows: int, requests: int, share: Callable[[], float | None]) -> str | None:
        """The line that is due; None: not yet.

        Args:
            rows: Records handed on.
            requests: Requests sent.
            share: Asked only when a line is due: how much of the stream was handed on, above 0 and up to 1; None: not
                known.
        """
        now = self._clock()
        if now - self._told_at < PROGRESS_SECONDS:
            return None
        self._told_at = now
        seconds = now - self._started_at
        parts = [f"{self._stream}: {rows} rows in {requests} requests so far"]
        if seconds:
            parts.append(f"{rows / seconds:.0f} rows/s")
        if done := share():
            parts.append(f"{int(done * 100)} % done")
            if done < 1:
                parts.append(f"about {_rough(seconds / done - seconds)} left")
        return ", ".join(parts)


def _rough(seconds: float) -> str:
    if seconds < ROUGHLY * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < ROUGHLY * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h"
