"""The vendor's clock: the machine's, with what the controls put it forward by."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Time for tokens, links and limits, and for the stamps of changes."""

    def __init__(self) -> None:
        """Be permission."""
        self._ahead = 0.0

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += seconds

    def seconds(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def now(self) -> datetime:
        """The present second in UTC."""
        return datetime.fromtimestamp(int(self.seconds()), UTC)
