"""The interface between the fetcher and a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.errors import TapError
    from singer_rest.fetch.coverage import Coverage
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request
    from singer_rest.slices.base import ParentIds, Slice, Slices, Window
    from singer_rest.slices.part import Part
    from singer_rest.state.backfill import Backfill
    from singer_rest.state.replication import Replication


class FetchableStream(Protocol):
    """The part of a stream that the fetcher uses. `RestStream` documents each attribute and method."""

    name: str
    path: str
    part: Part | None

    @property
    def slices(self) -> Slices:
        """The slices into which the stream is divided."""

    @property
    def replication(self) -> Replication:
        """The bookmark, the time window and the table version of this read."""

    @property
    def backfill(self) -> Backfill:
        """The finished slices of a full read."""

    @property
    def coverage(self) -> Coverage:
        """The slices that this read could not read, or has to request again."""

    @property
    def started(self) -> datetime:
        """The time at which the run began, UTC."""

    @property
    def since(self) -> datetime | None:
        """The lower bound of the incremental filter; None for a full read."""

    @property
    def slices_start(self) -> datetime | None:
        """The earliest timestamp that the slices must reach back to; None for their default."""

    @property
    def primary_keys(self) -> Sequence[str]:
        """The columns of the records' primary key."""

    @property
    def has_key(self) -> bool:
        """Whether its records have a key."""

    @property
    def prefetches(self) -> bool:
        """Whether pages are fetched before they are needed."""

    @property
    def used_in_connection_test(self) -> bool:
        """Whether a connection test reads the stream."""

    @property
    def can_fall_back_to_full(self) -> bool:
        """Whether a full read replaces an incremental one that fails."""

    @property
    def rereads(self) -> bool:
        """Whether only given records are read again."""

    @property
    def writes_batches(self) -> bool:
        """Whether the records go to BATCH files."""

    def window(self, since: datetime | None) -> Window:
        """Returns the time window to read."""

    def share(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the slices that are read: all, or those of the part of a back-fill."""

    def first_request(self, part: Slice, since: datetime | None) -> Request:
        """Returns the request for the first page of a slice."""

    def fetch(self, request: Request, part: Slice) -> Page:
        """Fetches one page. Runs in a worker thread."""

    def parent_id(self, record: Record) -> str | None:
        """Returns the id of a record as the parent of others."""

    def changed_at(self, record: Record) -> str | None:
        """Returns when a record last changed."""

    def filter_honoured(self, page: Page) -> bool:
        """Whether a page holds no record older than the lower bound of the incremental filter."""

    def fall_back_to_full(self, outcome: str) -> None:
        """Falls back to a full read."""

    def recovers_by_full_read(self, error: TapError, *, is_first: bool) -> bool:
        """Whether an error leads to a full read instead of a failure."""

    def reset_read(self) -> None:
        """Discards what has been read so far."""

    def new_coverage(self) -> Coverage:
        """Returns the empty coverage of another read of the stream."""
