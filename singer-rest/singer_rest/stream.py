"""The base of a vendor's streams: a stream is a declaration, and only the odd ones have methods."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from singer_rest import times
from singer_rest.changes import ChangedSince, is_before
from singer_rest.fetch.coverage import Coverage
from singer_rest.fetch.window_splitter import chain
from singer_rest.fetching import FetchingStream
from singer_rest.singer.records import RecordConformer
from singer_rest.slices.base import SingleSlice, Slices, Window
from singer_rest.state.backfill import Backfill
from singer_rest.state.replication import Replication

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from singer_rest.aliases import Params, Record
    from singer_rest.errors import TapError
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice


__all__ = ["ChangedSince", "RestStream"]


class RestStream(FetchingStream):
    """A list of a REST API.

    A subclass per vendor says how a page is asked for (`page_request`), what an answer means (`classify`), and where
    its records and its next page are (`parse`). A stream declares the attributes below, in this order.
    """

    name: str
    path: str
    """Below `api_url`; placeholders in braces are filled by the slices."""
    permission: ClassVar[str | None]
    """What the credential needs to read it, in the vendor's words; None: it is public."""
    primary_keys: Sequence[str] = ()
    replication_key: str | None = None
    changed_since: ClassVar[ChangedSince | None] = None
    bookmark_is_run_start: ClassVar[bool] = False
    """Whether the bookmark is when the run began: the list can be asked for what changed, but no record tells when."""
    verify_filter: ClassVar[bool] = False
    """Whether everything is read where the vendor passes over `changed_since`, refuses it, or takes too long for it."""
    lookback: ClassVar[pendulum.Duration] = pendulum.duration(minutes=5)
    """How far before its bookmark a run reads again: clocks differ, and a walk over many pages takes its time."""
    page_size: ClassVar[int | None] = None
    params: ClassVar[Params] = {}
    versioned: ClassVar[bool] = True
    """Whether rows that a full read does not bring are gone; False where the API forgets what is old."""
    prefetches: ClassVar[bool] = True
    """Whether pages are asked for before their turn; False: one request at a time, for links to pages end soon, or the
    vendor wants no more than one."""
    log_parent_ids: ClassVar[bool] = False
    """Whether warnings name the parents whose children could not be read; not where they are people."""
    unreadable_advice: ClassVar[str] = ""
    """What the user can do where the vendor cannot give some of the slices."""
    all_unreadable: ClassVar[str] = ""
    """Why the stream fails where the vendor can give none of them; empty: it does not."""
    in_connection_test: ClassVar[bool] = True
    """Whether a test of the connection reads it; False where even one request costs something."""
    optional: ClassVar[bool] = False
    """Whether the stream is in the catalog only where `optional_streams` names it."""
    setting: ClassVar[str | None] = None
    """The setting without which the stream is not in the catalog."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a stream that does not state its permission.

        Raises:
            TypeError: If it does not.
        """
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "name") and not hasattr(cls, "permission"):
            raise TypeError(
                f"{cls.name}: set `permission` to what the credential needs to read it, or to None if it is public."
            )

    _slice: Slice | None = None

    @property
    def slices(self) -> Slices:
        """How the list is cut; a class attribute, or a property where it depends on a setting."""
        return SingleSlice()

    @cached_property
    def replication(self) -> Replication:
        """Where the stream starts and ends, by its state and the settings."""
        start_date = self.config.get("start_date")
        return Replication(
            self.name,
            self.stream_state,
            key=self._key,
            start_date=times.parse(start_date) if start_date else None,
            lookback=self.lookback,
            now=self._tap.started,
            versioned=self.versioned,
            by_run_start=self._is_incremental and self.bookmark_is_run_start,
        )

    @cached_property
    def backfill(self) -> Backfill:
        """The slices of a whole read that are finished, kept in the state."""
        moments = {name: self.config.get(name) for name in ("start_date", "end_date")}
        config_fingerprint = {
            name: times.text(times.parse(value)) if value else None for name, value in moments.items()
        }
        start, _ = self.covered_interval
        config_fingerprint["window_start"] = times.text(start) if start else None
        config_fingerprint["replication_key"] = self._key
        return Backfill(self.name, self.stream_state, self.replication, config_fingerprint)

    @property
    def _key(self) -> str | None:
        return self.replication_key if self._is_incremental else None

    @property
    def _is_incremental(self) -> bool:
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def replication_method(self) -> str:
        """What the catalog says, else whether the stream has a bookmark."""
        if self.bookmark_is_run_start and not self.forced_replication_method:
            return REPLICATION_INCREMENTAL
        return super().replication_method

    @cached_property
    def coverage(self) -> Coverage:
        """What this read covers."""
        return self.new_coverage()

    def new_coverage(self) -> Coverage:
        """What a read of the stream covers, of which nothing is known yet."""
        return Coverage(
            self.name,
            self.slices,
            self.permission,
            has_key=bool(self.primary_keys),
            log_parent_ids=self.log_parent_ids,
            unreadable_advice=self.unreadable_advice,
            all_unreadable=self.all_unreadable,
        )

    @property
    def writes_batches(self) -> bool:
        """Whether the records go to BATCH files."""
        return self.get_batch_config(self.config) is not None

    @cached_property
    def conformer(self) -> RecordConformer:
        """Fits records to the schema."""
        names = {"look_alikes": self.look_alikes, "free_names": self.free_names}
        return RecordConformer(self.effective_schema, self.primary_keys, **names, mask=self.mask)

    @property
    def since(self) -> datetime | None:
        """What the vendor is asked for changes since; None: everything."""
        asks = self.changed_since and self._is_incremental and self._uses_filter
        return self.replication.since if asks else None

    def window(self, since: datetime | None) -> Window:
        """The time to read, for the slices."""
        end_date = self.config.get("end_date")
        until = times.parse(end_date) if end_date else None
        whole = self.replication.whole
        changed_since = None if whole else self.since
        table_since, resumed_since = self.replication.table_since, self.replication.resumed_since
        return Window(since, until, self._tap.started, table_since, whole, changed_since, resumed_since)

    @property
    def slices_start(self) -> datetime | None:
        """First moment that the slices have to reach back to; None: their default."""
        # What changed lately may be old: where the vendor is asked for it, the bookmark does not narrow the slices.
        asks_for_changes = self.since and not self.replication.whole
        return self.replication.start_date if asks_for_changes else self.replication.since

    @property
    def covered_interval(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment that this run reads; None: without end."""
        window = self.window(self.replication.since)
        start = self.slices.start(window)
        return (start, window.until) if start else (self.since, None)

    @property
    def started(self) -> datetime:
        """When the run began, UTC."""
        return self._tap.started

    @abstractmethod
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        """The request for the first page of a slice; `since` None asks for everything."""

    def first_request(self, part: Slice, since: datetime | None) -> Request:
        """The request that begins a slice; in parts where windows have turned out to take too long."""
        return chain(self._window_splitter.split_known(self.page_request(part, since)))

    def parent_id(self, record: Record) -> str | None:
        """The id under which this stream's record is a parent; None: it has none, and no children."""
        parent_id = record.get(type(self).primary_keys[0])  # whatever keys a catalog asks for
        is_id = isinstance(parent_id, (str, int)) and not isinstance(parent_id, bool)
        return (str(parent_id) or None) if is_id else None

    def changed_at(self, record: Record) -> str | None:
        """When this stream's record changed, for children that can only have changed with it."""
        return record.get(self.replication_key or "")

    @property
    def can_fall_back_to_full(self) -> bool:
        """Whether what changed is asked for, and everything is read where it cannot be had."""
        # Of children that are only walked where their parents changed, the other parents are not known.
        is_narrowed = self.since is not None and not self.replication.whole
        return self.verify_filter and is_narrowed and not self.slices.changed

    def filter_honoured(self, page: Page) -> bool:
        """Whether a page holds nothing from before what was asked for."""
        if self.changed_since is None or self.since is None:
            return True
        asked = self.changed_since.asked(self.since)
        return not any(is_before(self.changed_at(record), asked) for record in page.records)

    def fall_back_to_full(self, what_came: str) -> None:
        """Read everything after all, as if there were no bookmark; the next run asks for what changed again.

        Args:
            what_came: What the vendor did when it was asked for what changed.
        """
        self.logger.warning(
            "%s: the vendor %s the incremental filter; falling back to a full read. The next run asks again.",
            self.name,
            what_came,
        )
        self._uses_filter = False
        self.reset_read()

    def recovers_by_full_read(self, error: TapError, *, is_first: bool) -> bool:  # noqa: ARG002
        """Whether everything is read instead, where what an earlier run left to go on with cannot be had.

        The main thread asks, once the reading has ended.

        Args:
            error: What ended it; no missing permission.
            is_first: Whether it came before the first page.
        """
        return False

    def reset_read(self) -> None:
        """Read everything, as if nothing had been read; the main thread calls it before another reading."""
        self._slice = None
        self.replication.read_whole()
        for cached in ("conformer", "backfill", "coverage"):
            vars(self).pop(cached, None)

    def position_after(self, page: Page) -> str | None:  # noqa: ARG002
        """Where a list that is read in one piece goes on after a page, if a later run may begin there."""
        return None

    def prepared_records(self, page: Page) -> Iterable[Record]:
        """The page's records as they are emitted: with the slice's columns, straightened, fitted to the schema."""
        if page.slice is not self._slice:
            self._slice = page.slice
            self.conformer.start_slice()
        for record in page.records:
            record.update(page.slice.columns)
            straight = self.post_process(record)
            if straight is not None:
                yield self.conformer.conform(straight)
