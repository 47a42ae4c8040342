"""Compares this machine's clock with the vendor's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = timedelta(minutes=1)
"""Smaller differences may be the duration of a request. Every stream looks back further."""


class VendorClock:
    """Measures how far this machine's clock is ahead of the vendor's, by the dates of the responses."""

    def __init__(self) -> None:
        self._ahead: timedelta | None = None

    def observe(self, headers: Mapping[str, str]) -> None:
        """Reads the date of a response that has just arrived. The smallest difference counts: others include waits."""
        try:
            ahead = datetime.now(timezone.utc) - times.parse_http_date(headers.get("Date", ""))
        except Exception:  # noqa: BLE001 - the date parser raises errors of many types, and no header may end a run
            return
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)

    @property
    def ahead(self) -> timedelta:
        """The time by which this machine's clock is ahead; 0 if it is not."""
        return self._ahead if self._ahead is not None and self._ahead > TOLERANCE else timedelta()
