"""Streams with a bookmark and a time window, and their fallback to a full read."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from singer_rest import times
from singer_rest.changes import is_before
from singer_rest.diagnosable import DiagnosableStream
from singer_rest.slices.base import Window
from singer_rest.state.backfill import Backfill
from singer_rest.state.replication import Replication

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pendulum

    from singer_rest.aliases import Record
    from singer_rest.errors import TapError
    from singer_rest.fetch.page import Page
    from singer_rest.slices.base import ParentIds, Slice


class ReplicatedStream(DiagnosableStream):
    """A stream that reads everything, or what has changed since its bookmark."""

    bookmark_is_run_start: ClassVar[bool]
    lookback: ClassVar[pendulum.Duration]
    versioned: ClassVar[bool]

    @cached_property
    def replication(self) -> Replication:
        """The bookmark, the time window and the table version of this read, from the state and the settings."""
        start_date = self.config.get("start_date")
        replication = Replication(
            self.name,
            self.stream_state,
            key=self._key,
            start_date=times.parse(start_date) if start_date else None,
            lookback=self.lookback,
            now=self._tap.started,
            versioned=self.versioned,
            by_run_start=self._is_incremental and self.bookmark_is_run_start,
            clock_ahead=lambda: self.transport.vendor_clock.ahead,
            changes_of_all_dates=self._is_incremental and self.slices.changes_of_all_dates,
            is_part=self.part is not None,
        )
        if self.rereads:
            replication.read_again()
        return replication

    @cached_property
    def backfill(self) -> Backfill:
        """The finished slices of a full read, stored in the state."""
        dates = {name: self.config.get(name) for name in ("start_date", "end_date")}
        config_fingerprint = {
            name: times.format_utc(times.parse(value)) if value else None for name, value in dates.items()
        }
        start, _ = self.covered_interval
        config_fingerprint["window_start"] = times.format_utc(start) if start else None
        config_fingerprint["replication_key"] = self._key
        if self.part:
            first = self.slices.first_boundary(self.window(self.slices_start))
            config_fingerprint["first_boundary"] = times.format_utc(first) if first else None
        return Backfill(self.name, self.stream_state, self.replication, config_fingerprint)

    @property
    def _key(self) -> str | None:
        return self.replication_key if self._is_incremental else None

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def replication_method(self) -> str:
        """The method in the catalog; by default incremental if the stream has a bookmark."""
        if self.bookmark_is_run_start and not self.forced_replication_method:
            return REPLICATION_INCREMENTAL
        return super().replication_method

    @property
    def since(self) -> datetime | None:
        """The lower bound of the incremental filter. None for a full read."""
        uses_filter = self.changed_since and self._is_incremental and self._uses_filter and not self.rereads
        return self.replication.since if uses_filter else None

    def window(self, since: datetime | None) -> Window:
        """Returns the time window to read, for the slices."""
        end_date = self.config.get("end_date")
        until = times.parse(end_date) if end_date else None
        whole = self.replication.whole
        changed_since = None if whole else self.since
        table_since, resumed_since = self.replication.table_since, self.replication.resumed_since
        return Window(since, until, self._tap.started, table_since, whole, changed_since, resumed_since)

    def share(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the slices that are read: all, or those of the part of a back-fill."""
        if self.part is None:
            return self.slices.plan(window, parents)
        return self.slices.share(partial(self.part.takes, self.name), window, parents)

    @property
    def slices_start(self) -> datetime | None:
        """The earliest timestamp that the slices must reach back to. None for their default."""
        # A record that changed lately may be dated long ago, so the incremental filter does not narrow the slices.
        has_filter = self.since and not self.replication.whole
        return self.replication.start_date if has_filter else self.replication.since

    @property
    def covered_interval(self) -> tuple[datetime | None, datetime | None]:
        """The first and last timestamp that this run reads. None: unbounded."""
        window = self.window(self.replication.since)
        start, end = self.slices.first_timestamp(window), window.until
        table_until, default_end = self.replication.table_until, self.slices.last_timestamp(window)
        if table_until and not end and default_end and default_end < table_until:
            end = default_end  # an earlier `end_date` reached further
        # Children of changed parents have no filter of their own, but are those of parents changed since then.
        since = self.replication.since if self.slices.changed else self.since
        return (start, end) if start else (since, None)

    @property
    def lacks_settings_window(self) -> bool:
        """Whether a full read would cover a longer period than the table. False if this run is a full read."""
        replication = self.replication
        if replication.whole:
            return False
        window = replace(self.window(replication.start_date), whole=True)
        start, end = (
            self.slices.first_timestamp(window) or replication.start_date,
            window.until or self.slices.last_timestamp(window),
        )
        starts_earlier = replication.table_since and (start is None or start < replication.table_since)
        ends_later = replication.table_until and end and end > replication.table_until
        return bool(starts_earlier or ends_later)

    @property
    def started(self) -> datetime:
        """The time at which the run began, UTC."""
        return self._tap.started

    @abstractmethod
    def changed_at(self, record: Record) -> str | None:
        """Returns when a record last changed."""

    @property
    def can_fall_back_to_full(self) -> bool:
        """Whether the read is incremental, and a full read replaces it if it fails."""
        # If only changed parents are read, the other parents are not known.
        is_narrowed = self.since is not None and not self.replication.whole
        return self.verify_filter and is_narrowed and not self.slices.changed

    def filter_honoured(self, page: Page) -> bool:
        """Whether a page contains no record older than the lower bound of the incremental filter."""
        if self.changed_since is None or self.since is None:
            return True
        lower_bound = self.changed_since.earliest_timestamp(self.since)
        return not any(is_before(self.changed_at(record), lower_bound) for record in page.records)

    def fall_back_to_full(self, outcome: str) -> None:
        """Falls back to a full read in this run. The next run uses the incremental filter again.

        Args:
            outcome: The vendor's reaction to the incremental filter.
        """
        self.logger.warning(
            "%s: the vendor %s the incremental filter; falling back to a full read. The next run will "
            "try the filter again.",
            self.name,
            outcome,
        )
        self._uses_filter = False
        self.reset_read()

    def recovers_by_full_read(self, error: TapError, *, is_first: bool) -> bool:  # noqa: ARG002
        """Whether an error leads to a full read instead of a failure.

        For streams that continue where an earlier run stopped. Called by the main thread after the read has ended.

        Args:
            error: The error that ended the read. Neither a missing permission nor a rate limit.
            is_first: Whether it occurred before the first page.
        """
        return False

    def reset_read(self) -> None:
        """Discards what has been read so far, before a full read. Called by the main thread."""
        self.replication.read_whole()
        for cached in ("conformer", "backfill", "coverage"):
            vars(self).pop(cached, None)
