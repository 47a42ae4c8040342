"""Where a stream starts in this run and where the next one will: bookmark, window and table version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum

from singer_rest import times
from singer_rest.errors import RunError
from singer_rest.state import checkpoint
from singer_rest.state.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from singer_rest.aliases import Record


FULL_READ_DUE = "full_read_due"
"""The key of a stream's state that says that the next run has to read everything."""


class Replication:
    """One stream's place in time, read from its state and written back only once the stream was read whole.

    Args:
        stream: The stream's name, for messages.
        state: The stream's part of the tap's state; `finish` writes to it.
        key: The replication key; None for a full table.
        start_date: The user's start, UTC.
        lookback: How far before the bookmark to read again.
        now: When the run began, UTC.
        versioned: Whether rows that a full read does not bring are gone.
        by_start: Whether the bookmark is when the run began, for records that do not tell when they changed.

    Raises:
        RunError: If the state cannot be read.
    """

    def __init__(
        self,
        stream: str,
        state: dict[str, Any],
        *,
        key: str | None,
        start_date: datetime | None,
        lookback: pendulum.Duration,
        now: datetime,
        versioned: bool = True,
        by_run_start: bool = False,
    ) -> None:
        self._stream = stream
        self._state = state
        self._key = key
        self._by_start = by_run_start
        self._versioned = versioned
        self._now = now
        self._began = now
        self.start_date = start_date
        self._latest: datetime | None = None
        self.keyless_rows = 0
        self.rows = 0
        self.earlier_rows = 0
        """Records that an earlier run handed on of the same read."""

        version = state.get("version")
        if version is not None and (not isinstance(version, int) or version < 0):
            raise self._unreadable("version")
        self._old_version: int | None = version
        self.table_since = self._moment("window_start")
        """First moment that the table reaches back to; None: without end, or there is no table yet."""
        self._table_until = self._moment("window_end")
        self.resumed_since = self._begun_since()
        """First moment of a read that an earlier run began without a start of the user's."""
        same_key = key is not None and state.get("replication_key", key) == key
        self._bookmark = self._moment("replication_key_value") if same_key or by_run_start else None
        self.has_bookmark = key is not None or by_run_start
        """Whether later runs read what changed only."""
        self.whole = False
        """Whether everything in the table's window is read, not only what changed."""
        self.since = start_date
        """First moment that is wanted; None: everything."""
        self.version = version if versioned else None
        """What each RECORD carries, so that a later full read can tell the rows that are gone."""
        self.bookmark_is_ahead = self._bookmark is not None and pendulum.instance(self._bookmark) - lookback > now
        """Whether the bookmark lies ahead of the clock: nobody knows what was read, so everything is read again."""
        if self._bookmark is None or self.bookmark_is_ahead or self._is_due():
            self.read_whole()
        else:
            from_bookmark = pendulum.instance(self._bookmark) - lookback
            self.since = max(from_bookmark, start_date) if start_date else from_bookmark

    def read_whole(self) -> None:
        """Begin to read everything in the table's window, under a new version, as if there were no bookmark."""
        self.whole = True
        self.since = self.start_date
        self._bookmark = self._latest = None
        self.rows = self.keyless_rows = self.earlier_rows = 0
        self._began = self._now
        if self._versioned:
            kept = checkpoint.read(self._state)
            seen = (self._old_version or 0, (kept and kept[0].version) or 0, self.version or 0)
            self.version = max(int(self._now.timestamp() * 1000), max(seen) + 1)

    def mark_full_read_due(self) -> bool:
        """Note in the state that a whole read is due until one was finished, should this one fail.

        After a full refresh that failed, the state may still hold the bookmark of an earlier run: read from there, what
        was deleted would not show.

        Returns:
            Whether the state has changed.
        """
        if not (self.whole and self.has_bookmark) or self._state.get(FULL_READ_DUE) is True:
            return False
        self._state[FULL_READ_DUE] = True
        return True

    def _is_due(self) -> bool:
        return self._state.get(FULL_READ_DUE) is True or checkpoint.read(self._state) is not None

    def can_resume(self, begun: Checkpoint) -> bool:
        """Whether a whole read that an earlier run began is not over yet."""
        if (begun.version is None) != (self.version is None) or times.parse(begun.began) > self._now:
            return False
        return begun.version is None or self._old_version is None or begun.version > self._old_version

    def resume(self, begun: Checkpoint) -> None:
        """Go on with a whole read that an earlier run began."""
        self.version = begun.version
        # What has changed since in the part that is read already is for the run after this one.
        self._began = times.parse(begun.began)
        self._latest = times.parse(begun.latest) if begun.latest else None
        self.keyless_rows = begun.keyless_rows
        self.earlier_rows = begun.rows

    def checkpoint(self, config_fingerprint: dict[str, str | None]) -> Checkpoint:
        """What this read has come to, for a later run to go on with."""
        return Checkpoint(
            version=self.version,
            began=times.text(self._began),
            config_fingerprint=config_fingerprint,
            rows=self.total_rows,
            keyless_rows=self.keyless_rows,
            latest=times.text(self._latest) if self._latest else None,
        )

    @property
    def total_rows(self) -> int:
        """Records of this read, those of an earlier run among them."""
        return self.earlier_rows + self.rows

    @property
    def came_back_empty(self) -> bool:
        """Whether everything was read and nothing came, though something did once."""
        return self.whole and not self.total_rows and self._old_version is not None

    def observe(self, records: Iterable[Record]) -> None:
        """Note the records' replication keys."""
        for record in records:
            self.rows += 1
            if self._key and record.get("_sdc_deleted_at") is None:  # one that is gone says no more than its key
                try:
                    moment = times.parse(record.get(self._key) or "")
                except (ValueError, AttributeError):
                    self.keyless_rows += 1
                    continue
                if self._latest is None or moment > self._latest:
                    self._latest = moment

    def activates(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether the table now holds this version and nothing else.

        Args:
            start: First moment that the read reached back to; None: without end.
            end: The user's last moment; None: none.
        """
        return self.whole and self.version is not None and self.total_rows > 0 and self._covers_table(start, end)

    def finish(
        self, start: datetime | None, end: datetime | None, *, versions: bool = True, incomplete: bool = False
    ) -> None:
        """Write the state: the stream was read whole.

        Args:
            start: First moment that the read reached back to; None: without end.
            end: The user's last moment; None: none.
            versions: Whether the records carried the version.
            incomplete: Whether records may be missing: then the bookmark stays where it was.
        """
        state = self._state
        if checkpoint.KEY in state:
            state[checkpoint.KEY] = None  # set, not removed: Meltano merges states
        # A table that never had a row has no version: should rows come later, there is nothing to tell them from.
        if self.whole and versions and self.version is not None and (self.total_rows or self._old_version is not None):
            if self._covers_table(start, end):
                state["window_start"] = times.text(start) if start else None
                state["window_end"] = times.text(end) if end else None
            state["version"] = self.version
        if incomplete:
            return
        if self.whole and FULL_READ_DUE in state:
            state[FULL_READ_DUE] = False  # set, not removed: Meltano merges states
        if self._key:
            state["replication_key"] = self._key
            if self.keyless_rows:
                state["replication_key_value"] = None  # set, not removed: Meltano merges states
            elif self._latest:
                # The newest row may be gone; what was read stays read.
                latest = max(self._latest, self._bookmark or self._latest)
                state["replication_key_value"] = times.text(min(latest, self._began))
        elif self._by_start and self.total_rows:
            # Where nothing came the permission may be lost, and what changes meanwhile is asked for once it is back.
            state["replication_key_value"] = times.text(min(self._began, end) if end else self._began)

    def _covers_table(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether this read reached as far as the table does, on both sides: only then are missing rows gone."""
        if self._old_version is None:
            return True
        starts_early = start is None or (self.table_since is not None and start <= self.table_since)
        ends_late = end is None or (self._table_until is not None and end >= self._table_until)
        return starts_early and ends_late

    def _begun_since(self) -> datetime | None:
        kept = checkpoint.read(self._state)
        config_fingerprint = kept[0].config_fingerprint if kept else {}
        try:
            return (
                None
                if config_fingerprint.get("start_date")
                else times.parse(config_fingerprint.get("window_start") or "")
            )
        except ValueError:
            return None

    def _moment(self, key: str) -> datetime | None:
        value = self._state.get(key)
        if value is None:
            return None
        try:
            return times.parse(value)
        except (ValueError, AttributeError, TypeError):
            raise self._unreadable(key) from None

    def _unreadable(self, key: str) -> RunError:
        return RunError(
            f"The state's `{key}` of {self._stream} cannot be read. Run with another state, or with a full refresh."
        )
