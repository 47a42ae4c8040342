"""Progress of a run: a line every few seconds, and one at its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_rest.http.activity import Activity

PROGRESS_SECONDS = 10.0
MAX_NAMES = 3
"""Maximum number of streams that a progress line names."""
MAX_LISTED = 10
"""Maximum number of streams that the last line names for each outcome."""

MINUTE = 60
HOUR = 3600
MIN_UNITS = 1.5
"""Minimum number of a unit to use it."""


class Progress:
    """Reports the progress of a run every `PROGRESS_SECONDS`, and its outcome.

    Args:
        streams: Number of selected streams.
        activity: Counts the requests.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, streams: int, activity: Activity, clock: Callable[[], float] = time.monotonic) -> None:
        self._streams = streams
        self._activity = activity
        self._clock = clock
        self._started_at = self._reported_at = clock()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next line."""
        return self._clock() - self._reported_at >= PROGRESS_SECONDS

    def line(self, unfinished: int, rows: int, fractions: Mapping[str, float | None]) -> str:
        """Returns a progress line.

        Args:
            unfinished: Number of streams that have not ended.
            rows: Number of records emitted.
            fractions: By stream that is being read: the fraction of it that was emitted, up to 1. None: not known.
        """
        self._reported_at = self._clock()
        seconds = self._reported_at - self._started_at
        parts = [
            f"{self._streams - unfinished} of {self._streams} streams done",
            f"{rows} rows in {self._activity.requests} requests",
        ]
        if seconds:
            parts.append(f"{rows / seconds:.0f} rows/s")
        least_done_first = sorted(fractions.items(), key=lambda item: item[1] or 0.0)
        names = [name + _format_share(fraction, seconds) for name, fraction in least_done_first[:MAX_NAMES]]
        if more := len(fractions) - len(names):
            names.append(f"{more} more")
        return ", ".join(parts) + (f"; reading {', '.join(names)}" if names else "")

    def outcome(self, rows: int, skipped: Sequence[str], failed: Sequence[str]) -> str:
        """Returns the last line.

        Args:
            rows: Number of records emitted.
            skipped: Streams that may not be read.
            failed: Streams that were not read completely.
        """
        streams = [f"{self._streams - len(skipped) - len(failed)} read"]
        streams += [
            f"{len(names)} {what} ({_join_names(names)})"
            for what, names in (("skipped", skipped), ("failed", failed))
            if names
        ]
        activity, seconds = self._activity, self._clock() - self._started_at
        return (
            f"{self._streams} streams: {', '.join(streams)}; {rows} rows, {activity.requests} requests, "
            f"{activity.retries} retries, {activity.waited:.1f} s of waiting for rate limits, {seconds:.1f} s in total"
        )


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more


def _format_share(fraction: float | None, seconds: float) -> str:
    if not fraction:
        return ""
    left = f", about {_format_seconds(seconds / fraction - seconds)} left" if fraction < 1 else ""
    return f" ({int(fraction * 100)} %{left})"


def _format_seconds(seconds: float) -> str:
    if seconds < MIN_UNITS * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < MIN_UNITS * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h"
