"""Where a stream starts in this run and where the next one will: bookmark, window and table version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum

from singer_rest import times
from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from singer_rest.pages import Record


class Replication:
    """One stream's place in time, read from its state and written back only once the stream was read whole.

    Args:
        stream: The stream's name, for messages.
        state: The stream's part of the tap's state; `finish` writes to it.
        key: The replication key; None for a full table.
        start_date: The user's start, UTC.
        look_back: How far before the bookmark to read again.
        now: When the run began, UTC.

    Raises:
        RunError: If the state's bookmark cannot be read.
    """

    def __init__(
        self,
        stream: str,
        state: dict[str, Any],
        *,
        key: str | None,
        start_date: datetime | None,
        look_back: pendulum.Duration,
        now: datetime,
    ) -> None:
        self._state = state
        self._key = key
        self._now = now
        self._latest: datetime | None = None
        self.keyless_rows = 0
        self.rows = 0

        bookmark = self._bookmark(stream)
        self.whole = bookmark is None
        """Whether everything in the table's window is read, not only what changed."""
        self.since = start_date
        """First moment that is wanted; None: everything."""
        if bookmark:
            from_bookmark = pendulum.instance(bookmark) - look_back
            self.since = max(from_bookmark, start_date) if start_date else from_bookmark
        elif start_date is None and state.get("window_start"):
            # The default window moves on with the years; the table must not lose its oldest year by that.
            self.since = times.parse(state["window_start"])
        self.version: int | None = state.get("version")
        """What each RECORD carries, so that a later full read can tell the rows that are gone."""
        if self.whole:
            self.version = max(int(now.timestamp() * 1000), (self.version or 0) + 1)

    def see(self, records: Iterable[Record]) -> None:
        """Note the records' replication keys."""
        for record in records:
            self.rows += 1
            if self._key:
                value = record.get(self._key)
                if value is None:
                    self.keyless_rows += 1
                    continue
                moment = times.parse(value)
                if self._latest is None or moment > self._latest:
                    self._latest = moment

    def finish(self, window_start: datetime | None) -> bool:
        """Write the state: the stream was read whole.

        Args:
            window_start: First moment that the read reached back to; None: without end.

        Returns:
            Whether the table now holds this version and nothing else.
        """
        state = self._state
        activate = self.whole and self.rows > 0 and self._covers_table(window_start)
        if self.whole:
            if activate or "version" not in state:
                state["window_start"] = times.text(window_start) if window_start else None
            state["version"] = self.version
        if self._key:
            state["replication_key"] = self._key
            if self.keyless_rows:
                state["replication_key_value"] = None  # set, not removed: Meltano merges states
            elif self._latest:
                state["replication_key_value"] = times.text(min(self._latest, self._now))
        return activate

    def _bookmark(self, stream: str) -> datetime | None:
        value = self._state.get("replication_key_value")
        if self._key is None or value is None or self._state.get("replication_key", self._key) != self._key:
            return None
        try:
            return times.parse(value)
        except (ValueError, AttributeError):
            raise RunError(
                f"The state's bookmark of {stream} is not a date. Run with another state, or with a full refresh."
            ) from None

    def _covers_table(self, window_start: datetime | None) -> bool:
        """Whether this read reached back as far as the table does: only then are missing rows gone."""
        if "version" not in self._state or self._state.get("window_start") is None:
            return "version" not in self._state or window_start is None
        return window_start is None or window_start <= times.parse(self._state["window_start"])
