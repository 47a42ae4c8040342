"""The time of edits, tokens and errors."""

from __future__ import annotations

import time
from datetime import UTC, datetime

MILLISECONDS = 23  # the length of a timestamp with milliseconds; without a fraction it is shorter


class Clock:
    """The machine's clock, which controls can move forward."""

    def __init__(self) -> None:
        self._offset = 0.0

    def move_forward(self, seconds: float) -> None:
        """Moves the clock forward."""
        self._offset += seconds

    def seconds(self) -> float:
        """Returns the seconds since 1970."""
        return time.time() + self._offset

    def now(self) -> datetime:
        """Returns the time in UTC, without fractions of a second."""
        return datetime.fromtimestamp(int(self.seconds()), UTC)


def read_clock() -> datetime:
    """Returns the machine's time in UTC, without fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0)


def read_precise_clock() -> datetime:
    """Returns the machine's time in UTC, in milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def format_rfc3339(timestamp: datetime) -> str:
    """Formats a UTC timestamp with Z, to the second or, if it has a fraction, to the millisecond."""
    return f"{timestamp.replace(tzinfo=None).isoformat()[:MILLISECONDS]}Z"
