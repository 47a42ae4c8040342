"""The base of a vendor's streams: a stream is a declaration, and only the odd ones have methods."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from singer_rest import times
from singer_rest.changes import ChangedSince, is_before
from singer_rest.declarations import check_stream
from singer_rest.errors import TapError
from singer_rest.fetch.answers import Meaning
from singer_rest.fetch.coverage import Coverage
from singer_rest.fetch.page import Parsed
from singer_rest.fetch.window_splitter import chain
from singer_rest.fetching import FetchingStream
from singer_rest.http.paginators import PageContents, Paginator, SinglePage
from singer_rest.http.request import Request, json_body, lookup, query, with_member
from singer_rest.singer.records import RecordConformer
from singer_rest.slices.base import SingleSlice, Slices, Window
from singer_rest.state.backfill import Backfill
from singer_rest.state.replication import Replication

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from singer_rest.aliases import Params, Record
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Reply
    from singer_rest.slices.base import Slice


__all__ = ["ChangedSince", "RestStream"]


class RestStream(FetchingStream):
    """A list of a REST API.

    A stream declares the attributes below, in this order. A base class per vendor declares what all of its endpoints
    have in common (`pagination`, `records_path`), and overrides `classify` where the vendor's statuses mean something
    else than usual. `page_request` and `parse` are overridden only for endpoints that are odd.
    """

    name: str
    path: str
    """Below `api_url`; placeholders in braces are filled by the slices."""
    permission: ClassVar[str | None]
    """What the credential needs to read it, in the vendor's words; None: it is public."""
    primary_keys: Sequence[str]
    replication_key: str | None = None
    changed_since: ClassVar[ChangedSince | None] = None
    bookmark_is_run_start: ClassVar[bool] = False
    """Whether the bookmark is when the run began: the list can be asked for what changed, but no record tells when."""
    verify_filter: ClassVar[bool] = False
    """Whether everything is read where the vendor passes over `changed_since`, refuses it, or takes too long for it."""
    lookback: ClassVar[pendulum.Duration] = pendulum.duration(minutes=5)
    """How far before its bookmark a run reads again: clocks differ, and a walk over many pages takes its time."""
    pagination: ClassVar[Paginator] = SinglePage()
    """How page after page is requested."""
    page_size: ClassVar[int | None] = None
    """Records to request per page; None for the vendor's default, or if `pagination` sends the size."""
    page_size_param: ClassVar[str] = "limit"
    params: ClassVar[Params] = {}
    method: ClassVar[str] = "GET"
    """The HTTP method. Requests are repeated if they fail, so they must change nothing: POST is for searches."""
    body: ClassVar[Mapping[str, Any]] = {}
    """The JSON body; `pagination` may add members to it. Slices and `changed_since` add to the query."""
    records_path: ClassVar[str] = "data"
    """Where the list of records is in the body, such as ``result.items``; empty if the body is that list."""
    total_path: ClassVar[str | None] = None
    """Where the body says how many records the whole list holds."""
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
        """Refuses a declaration that cannot work.

        Raises:
            TypeError: If an attribute is missing, or no slice fills a placeholder of the path.
        """
        super().__init_subclass__(**kwargs)
        check_stream(cls, RestStream)

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

    def page_request(self, part: Slice, since: datetime | None) -> Request:
        """The request for the first page of a slice; `since` None asks for everything.

        Raises:
            TapError: If the path has a placeholder that the slice does not fill.
        """
        size = {self.page_size_param: self.page_size} if self.page_size else {}
        paging: Mapping[str, str | int] = {**size, **self.pagination.first_params()}
        body, in_query = dict(self.body), paging
        if self.pagination.location == "json":
            in_query = {}
            for name, value in paging.items():
                body = with_member(body, name, value)
        changed = self.changed_since.params(since) if since and self.changed_since else {}
        params = query({name: str(value) for name, value in in_query.items()}, self.params, part.params, changed)
        try:
            path = self.path.format(**part.path)
        except KeyError as error:
            raise TapError(f"{self.name}: `slices` fill no placeholder {{{error.args[0]}}} of `path`.") from None
        return Request(path, params, self.path, method=self.method, body=json_body(body) if body else None)

    def items(self, body: Any) -> Any:  # noqa: ANN401
        """The list of items in a decoded body; anything but a list is an error."""
        return lookup(body, self.records_path)

    def total(self, body: Any) -> int | None:  # noqa: ANN401
        """How many items the whole list holds; None if the body does not say."""
        found = lookup(body, self.total_path) if self.total_path else None
        return found if type(found) is int else None

    def parse(self, body: Any, request: Request) -> Parsed:  # noqa: ANN401
        """What a decoded body holds. Items that are null count as records that the vendor could not give.

        Raises:
            TapError: If the body is not of the documented shape.
        """
        items = self.items(body)
        records = [item for item in items if item is not None] if isinstance(items, list) else None
        if records is None or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no list of records. Check `api_url`.")
        if self.pagination.is_repeated(request, items):
            return Parsed([])
        total = self.total(body)
        return Parsed(
            records,
            self.next_requests(request, body, items, total),
            total=total,
            item_count=len(items),
            failed_items=len(items) - len(records),
        )

    def next_requests(
        self,
        request: Request,
        body: Any,  # noqa: ANN401
        items: Sequence[Any],
        total: int | None = None,
    ) -> list[Request]:
        """The requests for the pages after one, as `pagination` makes them.

        Args:
            request: The request for the page.
            body: Its decoded body.
            items: The items in it.
            total: How many items the whole list holds; None if unknown.

        Raises:
            TapError: If the page does not say where the next one is, or leads to another host.
        """
        try:
            return self.pagination.next_requests(request, PageContents(body, items, total, self.transport.api_url))
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        """What an answer means, or what to request instead; the one place that looks at an answer's status."""
        if reply.status == HTTPStatus.NO_CONTENT and self.pagination.is_announced(request):
            return Meaning.RETRY
        return self.restarted(reply, request) or super().classify(reply, request)

    def restarted(self, reply: Reply, request: Request) -> Request | None:
        """The request that begins the list anew, if the answer means that the request's page token has expired."""
        again = self.pagination.restarted(request, reply.status)
        if again:
            self.logger.info("%s: the page token has expired; reading the list from its beginning.", self.name)
        return again

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
        asked = self.changed_since.earliest(self.since)
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
