"""The vendors' time as seen by pushes, which may pass faster than the machine's."""

from __future__ import annotations

import asyncio
import time


class ScaledClock:
    """A clock whose seconds may be shorter than real ones. Belongs to one event loop, except for `now`."""

    def __init__(self) -> None:
        self.scale = 1.0
        self._base = (0.0, time.monotonic())  # vendor seconds at a real time
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Returns the vendor's seconds since the clock was made."""
        seconds, since = self._base
        return seconds + (time.monotonic() - since) * self.scale

    def change(self, scale: float | None = None, skipped: float = 0) -> None:
        """Sets how many vendor seconds pass in a real one, and lets some pass at once."""
        self._base = (self.now() + skipped, time.monotonic())
        self.scale = self.scale if scale is None else scale
        self._changed.set()
        self._changed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Waits for a number of vendor seconds."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            try:
                async with asyncio.timeout(left / self.scale):
                    await self._changed.wait()
            except TimeoutError:
                pass
