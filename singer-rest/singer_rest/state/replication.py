"""The bookmark, time window and table version of a stream, in this run and in the next one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pendulum

from singer_rest import times
from singer_rest.errors import RunError
from singer_rest.privacy.classification import DELETED_AT
from singer_rest.state import checkpoint, part_read
from singer_rest.state.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_rest.aliases import Record


LONGEST = len("2026-11-22T05:00:00.123456Z")
_TIMESTAMPS = list[Annotated[datetime, msgspec.Meta(tz=True)]]

FIRST_YEAR = 1900
"""Timestamps before it are placeholders, such as .NET's year 1, and do not tell when a record changed."""

FULL_READ_DUE = "full_read_due"
"""State key: the next run has to read everything."""

FORBIDDEN_PARENTS = "forbidden_parents"
"""State key: number of parents that the credential might not read in the last run."""


class Replication:
    """The bookmark, window and version of one stream. Written back to the state only after a complete read.

    Args:
        stream: Name of the stream, for messages.
        state: The stream's part of the tap's state. `finish` writes to it.
        key: The replication key. None: full table.
        start_date: The user's start date, UTC.
        lookback: How far before the bookmark to read again.
        now: When the run began, UTC.
        versioned: Whether rows missing from a full read are deleted.
        by_run_start: Whether the bookmark is the start of the run, for records that do not tell when they changed.
        clock_ahead: How far this machine's clock is ahead of the vendor's, as far as it is known by then.
        changes_of_all_dates: Whether incremental reads return records of all dates, and full reads only those of the
            window.
        is_part: Whether this is a part of a full read. It finds no deletions, and its records have the version of all
            parts.

    Raises:
        RunError: If the state is invalid.
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
        clock_ahead: Callable[[], timedelta] = timedelta,
        changes_of_all_dates: bool = False,
        is_part: bool = False,
    ) -> None:
        self._stream, self._state, self._key = stream, state, key
        self._by_run_start = by_run_start
        self._versioned, self.is_part = versioned, is_part
        self._now = now
        self._run_start = now
        self._clock_ahead = clock_ahead
        self.start_date = start_date
        self._latest: datetime | None = None
        self.keyless_rows = 0
        self.rows = 0
        self.earlier_rows = 0
        """Records of the same read that an earlier run emitted."""
        forbidden = state.get(FORBIDDEN_PARENTS)
        self._known_forbidden = forbidden if isinstance(forbidden, int) else 0
        self.unidentified_rows = 0
        """Records of the read, in this and earlier runs, that lack a part of their primary key."""
        self.covers_less = False
        """Whether a full read did not cover the whole window of the table, so that no row is marked as deleted."""

        self.may_hold_other_dates = changes_of_all_dates and state.get(FULL_READ_DUE) is not True
        """Whether the table may hold rows outside of the window, which only a requested full refresh deletes."""

        version = state.get("version")
        if version is not None and (not isinstance(version, int) or version < 0):
            raise self._unreadable_error("version")
        self._old_version: int | None = version
        self.table_since = self._read_timestamp("window_start")
        """The earliest timestamp that the table covers. None: unbounded, or there is no table yet."""
        self.table_until = self._read_timestamp("window_end")
        """The latest timestamp that the table covers. None: as far as slices reach by default."""
        self.resumed_since = self._resumed_since()
        """The lower bound of a resumed read that an earlier run began without a start date."""
        self.other_key = None if by_run_start else _former_key(state, key)
        """The replication key of the bookmark, if it is not the stream's. The bookmark is not used then."""
        is_usable = by_run_start or (key is not None and self.other_key is None)
        bookmark = self._read_timestamp("replication_key_value") if is_usable else None
        self._bookmark = bookmark if bookmark and bookmark.year >= FIRST_YEAR else None
        self.has_bookmark = key is not None or by_run_start
        """Whether later runs are incremental."""
        self.whole = False
        """Whether everything in the table's window is read, not only changes."""
        self.since = start_date
        """The lower bound. None: everything."""
        self.version = version if versioned else None
        """The version of each RECORD, by which a later full read detects deleted rows."""
        self.bookmark_is_ahead = self._bookmark is not None and pendulum.instance(self._bookmark) - lookback > now
        """Whether the bookmark lies in the future. It is then unknown what was read, so everything is read again."""
        if is_part or self._bookmark is None or self.bookmark_is_ahead or self._is_due():
            self.read_whole()
        else:
            from_bookmark = pendulum.instance(self._bookmark) - lookback
            self.since = max(from_bookmark, start_date) if start_date else from_bookmark

    def read_whole(self) -> None:
        """Starts a full read of the table's window under a new version, ignoring the bookmark."""
        self.whole = True
        self.since = self.start_date
        self._bookmark = self._latest = None
        self.rows = self.keyless_rows = self.earlier_rows = self.unidentified_rows = 0
        self._run_start = self._now
        if self._versioned and self.is_part:
            self.version = part_read.VERSION
        elif self._versioned:
            found = checkpoint.read_checkpoint(self._state)
            versions_seen = (self._old_version or 0, (found and found[0].version) or 0, self.version or 0)
            self.version = max(int(self._now.timestamp() * 1000), max(versions_seen) + 1)

    def read_again(self) -> None:
        """Reads given records again, no matter when they changed, under the version of the rows around them."""
        self.whole = self.bookmark_is_ahead = False
        self.other_key = self._bookmark = None
        self.since = self.start_date
        if self._versioned:
            # A full read that was interrupted goes on under its own version.
            found = checkpoint.read_checkpoint(self._state)
            self.version = (found and found[0].version) or self._old_version

    def mark_full_read_due(self) -> None:
        """Records in the state that a full read is due until one has finished.

        After a failed full refresh the state may still hold an earlier bookmark. A read from there would miss
        deletions.
        """
        if self.whole and self.has_bookmark:
            self._state[FULL_READ_DUE] = True

    def _is_due(self) -> bool:
        return self._state.get(FULL_READ_DUE) is True or checkpoint.read_checkpoint(self._state) is not None

    def can_resume(self, saved: Checkpoint) -> bool:
        """Whether a full read that an earlier run began can be continued."""
        if (saved.version is None) != (self.version is None) or times.parse(saved.began) > self._now:
            return False
        return saved.version is None or self._old_version is None or saved.version > self._old_version or self.is_part

    def resume(self, saved: Checkpoint) -> None:
        """Continues a full read that an earlier run began."""
        self.version = saved.version
        # Changes since then in the finished part are left to the next run.
        self._run_start = times.parse(saved.began)
        self._latest = times.parse(saved.latest) if saved.latest else None
        self.keyless_rows = saved.keyless_rows
        self.earlier_rows = saved.rows
        self.unidentified_rows = saved.unidentified_rows

    def make_checkpoint(self, config_fingerprint: dict[str, str | None]) -> Checkpoint:
        """Returns the progress of this read, for a later run to resume."""
        return Checkpoint(
            version=self.version,
            began=times.format_utc(self._vendor_run_start),
            config_fingerprint=config_fingerprint,
            rows=self.total_rows,
            keyless_rows=self.keyless_rows,
            latest=times.format_utc(self._latest) if self._latest else None,
            unidentified_rows=self.unidentified_rows,
        )

    @property
    def _vendor_run_start(self) -> datetime:
        """The time at which the read began, by the vendor's clock. Later changes may have been missed."""
        is_resumed = self._run_start != self._now  # a resumed read began by the vendor's clock
        return self._run_start if is_resumed else self._now - self._clock_ahead()

    @property
    def total_rows(self) -> int:
        """Number of records of this read, including the records that an earlier run emitted."""
        return self.earlier_rows + self.rows

    @property
    def returned_no_rows(self) -> bool:
        """Whether a full read returned nothing although an earlier one returned records."""
        return self.whole and not self.total_rows and self._old_version is not None

    def observe(self, records: Sequence[Record], unidentified: int = 0) -> None:
        """Records the replication keys of the records, and how many of them lack a part of their primary key."""
        self.rows += len(records)
        self.unidentified_rows += unidentified
        if not self._key:
            return
        # Deleted records have no other fields than the key.
        records = [record for record in records if record.get(DELETED_AT) is None]
        latest = _latest_of([record.get(self._key) for record in records])
        if latest is not None:
            self._latest = max(self._latest or latest, latest)
            return
        for record in records:
            try:
                timestamp = times.parse(record.get(self._key) or "")
            except (ValueError, AttributeError):
                self.keyless_rows += 1
                continue
            self._latest = max(self._latest or timestamp, timestamp)

    def observe_page(self, count: int, latest: datetime | None, unidentified: int = 0) -> None:
        """Does the same as `observe` for a page whose records all have the replication key, if the stream has one.

        Args:
            count: Number of records.
            latest: The latest replication key.
            unidentified: Number of them that lack a part of their primary key.
        """
        self.rows += count
        self.unidentified_rows += unidentified
        if latest is not None:
            self._latest = max(self._latest or latest, latest)

    def can_activate_version(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether the table now holds only records of this version.

        Args:
            start: The earliest timestamp read. None: unbounded.
            end: The user's end date. None: none.
        """
        is_whole = self.whole and not self.is_part
        return is_whole and self.version is not None and self.total_rows > 0 and self._covers_table(start, end)

    def is_newly_forbidden(self, parents: int) -> bool:
        """Whether more parents are forbidden than in the last run. That may pass, so the bookmark stays once."""
        # The states of the parts tell together, and later, how many are forbidden.
        return self.has_bookmark and parents > self._known_forbidden and not self.is_part

    def is_readable_again(self, parents: int) -> bool:
        """Whether fewer parents are forbidden than in the last run, so that rows before the bookmark are missing."""
        return self.has_bookmark and not self.whole and parents < self._known_forbidden

    def finish_forbidden(self, parents: int, *, all_requested: bool) -> None:
        """Records in the state how many parents are forbidden.

        Args:
            parents: Their number.
            all_requested: Whether each run requests the children of all parents, not only of changed ones.
        """
        if not self.has_bookmark or not (parents or FORBIDDEN_PARENTS in self._state):
            return
        self._state[FORBIDDEN_PARENTS] = parents
        if all_requested and self.is_readable_again(parents):
            self._state[FULL_READ_DUE] = True

    def finish(
        self, start: datetime | None, end: datetime | None, *, versions: bool = True, incomplete: bool = False
    ) -> None:
        """Writes the state after a complete read.

        Args:
            start: The earliest timestamp read. None: unbounded.
            end: The user's end date. None: none.
            versions: Whether the records carried the version.
            incomplete: Whether records may be missing, so that the bookmark must not move.
        """
        state = self._state
        if checkpoint.KEY in state:
            state[checkpoint.KEY] = None  # set, not removed: Meltano merges states
        self.covers_less = self.whole and self.version is not None and not self._covers_table(start, end)
        # A table that never had a row needs no version: there is nothing to compare later rows with.
        if self.whole and versions and self.version is not None and (self.total_rows or self._old_version is not None):
            if self._covers_table(start, end):
                state["window_start"] = times.format_utc(start) if start else None
                state["window_end"] = times.format_utc(end) if end else None
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
                # The newest row may be deleted; the bookmark never moves back.
                latest = max(self._latest, self._bookmark or self._latest)
                state["replication_key_value"] = times.format_utc(min(latest, self._vendor_run_start))
        elif self._by_run_start and self.total_rows:
            # No records may mean a lost permission; the bookmark stays so that changes are read once it is back.
            run_start = self._vendor_run_start
            state["replication_key_value"] = times.format_utc(min(run_start, end) if end else run_start)

    def _covers_table(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether this read covered the table's whole window. Only then are missing rows deleted."""
        if self._old_version is None:
            return True
        if self.may_hold_other_dates:
            return False
        starts_early = start is None or (self.table_since is not None and start <= self.table_since)
        ends_late = end is None or (self.table_until is not None and end >= self.table_until)
        return starts_early and ends_late

    def _resumed_since(self) -> datetime | None:
        found = checkpoint.read_checkpoint(self._state)
        config_fingerprint = found[0].config_fingerprint if found else {}
        try:
            return (
                None
                if config_fingerprint.get("start_date")
                else times.parse(config_fingerprint.get("window_start") or "")
            )
        except ValueError:
            return None

    def _read_timestamp(self, key: str) -> datetime | None:
        value = self._state.get(key)
        if value is None:
            return None
        try:
            return times.parse(value)
        except (ValueError, AttributeError, TypeError):
            raise self._unreadable_error(key) from None

    def _unreadable_error(self, key: str) -> RunError:
        return RunError(
            f"The state's `{key}` of {self._stream} cannot be read. Run with another state, or with a full refresh."
        )


def _latest_of(values: list[Any]) -> datetime | None:
    """Returns the latest of a page's timestamps, if all are in UTC. None: they have to be read one by one."""
    try:
        latest = max(msgspec.convert(values, _TIMESTAMPS))
    except ValueError:  # also if there are none
        return None
    # msgspec rounds further digits, and converts no timestamp to UTC.
    is_exact = max(map(len, values)) <= LONGEST and "".join(values).count("Z") == len(values)
    return latest if is_exact else None


def _former_key(state: Mapping[str, Any], key: str | None) -> str | None:
    """Returns the replication key of the bookmark in the state, if the stream has a different replication key now."""
    found = state.get("replication_key", key)
    return str(found) if key and found != key and state.get("replication_key_value") is not None else None
