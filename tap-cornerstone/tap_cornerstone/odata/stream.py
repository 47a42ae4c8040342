"""The streams of views and objects: pages by the portal's links, then changes by its delta links."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from singer_rest import ChangedSince, Meaning, ParsedBody, Request, RetryableError, TapError, parse_count, times
from singer_sdk.singerlib.catalog import Metadata
from typing_extensions import override

from tap_cornerstone.client import CornerstoneStream, is_unavailable
from tap_cornerstone.odata import links
from tap_cornerstone.odata.entries import Entries, ExpiredLinkError, PartialRowError, Spelling, as_entry_list
from tap_cornerstone.odata.key_filter import FILTER, key_filter
from tap_cornerstone.odata.links import find_property
from tap_cornerstone.odata.pages import FIRST_PAGE, LARGEST_PAGE, SMALLEST_PAGE, ListInfo, Pace, pace_of
from tap_cornerstone.odata.types import DELETED, DELETED_AT, TIMESTAMP, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest import Page, Record, Reply, Slice
    from singer_sdk.singerlib import Catalog, MetadataMapping

    from tap_cornerstone.odata.metadata import EntitySet
    from tap_cornerstone.odata.services import Service

SLOW_STEP = 8
"""The factor by which pages shrink after a time-out, since each attempt may take as long again."""

MAX_RESTARTS = 3
"""Maximum number of times that a run starts over after an expired link."""

DELTA = "delta_link"
SPELLING = "guid_letters"
OMITTED = "omitted_columns"
TIMESTAMP_FORMATS = {TIMESTAMP: times.format_utc, "Edm.Date": times.format_date}
"""The types of columns that may hold the time of the last change, and how to format a timestamp for them."""

NO_TIMESTAMP_COLUMN = "there is no key, or no filterable column of that name with a date or timestamp"
WITHOUT_DELTA = "reading what changed since the bookmark instead. Run a full refresh to detect deletions."
TOO_LARGE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
UNTRACKED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_ACCEPTABLE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)
"""Statuses of an object that does not track its changes, whatever its metadata says."""

LINK_ENDED = UNTRACKED | {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""Statuses of an expired link. The object itself may still exist."""


class ODataStream(CornerstoneStream):
    """A view or an object of the portal.

    It has no paginator: the size of the next page, and whether changes are tracked, depend on the page before.
    """

    service: ClassVar[Service]
    entity_set: ClassVar[EntitySet]

    _spelling: Spelling | None = None
    _omitted: frozenset[str] = frozenset()
    _restarts = 0
    _list_info: ListInfo | None = None

    @property
    def changed_since(self) -> ChangedSince | None:  # type: ignore[override]
        """The filter on the column with the time of the last change, if there is one."""
        name = self.replication_key or ""
        if not (self.primary_keys and is_timestamp_column(self.entity_set, name)):
            return None
        return ChangedSince(name, format_timestamp=TIMESTAMP_FORMATS[self.entity_set.columns[name].type])

    @override
    def complete_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        # A catalog may be older than change tracking. Without the mark, a deleted row would become one without values.
        if self.entity_set.tracks_changes:
            schema = {**schema, "properties": {**(schema.get("properties") or {}), DELETED_AT: DELETED}}
        return super().complete_schema(schema)

    @property
    @override
    def metadata(self) -> MetadataMapping:
        found = super().metadata
        if self.entity_set.tracks_changes:
            found["properties", DELETED_AT].inclusion = Metadata.InclusionType.AUTOMATIC  # cannot be deselected
        return found

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        super().apply_catalog(catalog)
        if self.replication_key and not self.changed_since and self.selected:
            self.logger.warning(
                "%s: the catalog's `replication-key` cannot be used: %s. Falling back to full reads.",
                self.name,
                NO_TIMESTAMP_COLUMN,
            )

    @property
    def _key(self) -> str | None:
        # A catalog may name a column that cannot be used in a filter.
        return super()._key if self.changed_since and not self._hides_deletions else None

    @property
    def _delta(self) -> str | None:
        """The delta link of the last run, for changes and deletions since then."""
        is_usable = self._tracks_changes and not (self.replication.whole or self.rereads)
        return self._own_link(self.stream_state.get(DELTA)) if is_usable else None

    @property
    def _tracks_changes(self) -> bool:
        """Whether the object tracks its changes, and deleted rows have the stream's key, which a catalog may set."""
        is_keyed = {*self.primary_keys} <= {*self.entity_set.key}
        return self.entity_set.tracks_changes and is_keyed and not self._hides_deletions

    @property
    def _hides_deletions(self) -> bool:
        """Whether the privacy profile drops rows by a column that a deleted row lacks, so that each run reads all."""
        return self.entity_set.tracks_changes and bool(self.privacy and self.privacy.row_rules)

    @property
    def _saved_position(self) -> str | None:
        """The link at which an earlier run stopped."""
        return None if self.rereads else self._own_link(self.backfill.position)

    def _own_link(self, link: Any) -> str | None:  # noqa: ANN401 - what stands in a state
        """Returns a link of the state, if it belongs to this portal."""
        try:
            return self._path_of(link) if link and links.is_same(link, self.transport.api_url) else None
        except TapError:
            return None

    @override
    def count_request(self, request: Request) -> Request:
        pace = Pace(LARGEST_PAGE, tracks=False)
        counting = self._make_request(self._start_path(pace), FIRST_PAGE, pace)
        return replace(counting, params=(("$count", "true"), ("$top", "0")), is_first=True)

    @override
    def pages_for(self, total: int, page_size: int) -> int:
        return 1 + max(0, -(-(total - FIRST_PAGE) // LARGEST_PAGE))

    @override
    def sample_request(self, request: Request, size: int) -> Request:
        # A list that tracks its changes would prepare a delta link, which nobody needs.
        pace = Pace(LARGEST_PAGE, tracks=False)
        return replace(self._make_request(self._start_path(pace), size, pace), is_first=True)

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        if FILTER in part.params:
            pace = Pace(LARGEST_PAGE, tracks=False)
            path = f"{self.path}?{FILTER}={quote(str(part.params[FILTER]), safe='')}"
            return self._make_request(path, LARGEST_PAGE, pace)
        link = self._delta or self._saved_position
        return (
            self._make_request(link, LARGEST_PAGE, Pace(LARGEST_PAGE))
            if link
            else self._first_request(Pace(LARGEST_PAGE))
        )

    def _first_request(self, pace: Pace) -> Request:
        return self._make_request(self._start_path(pace), min(FIRST_PAGE, pace.rows), pace)

    def _start_path(self, pace: Pace) -> str:
        # Requests with a filter cannot track changes.
        if self.since is None or self.changed_since is None or self._requests_changes(pace):
            return self.path
        ((column, timestamp),) = self.changed_since.filter_params(self.since).items()
        return f"{self.path}?{FILTER}={quote(f'{column} ge {timestamp}', safe='')}"

    def _make_request(self, path: str, size: int, pace: Pace) -> Request:
        return Request(path, (), self.path, headers=self._prefer_header(size, pace), expected_rows=size, note=pace)

    def _prefer_header(self, size: int, pace: Pace) -> tuple[tuple[str, str], ...]:
        track = "odata.track-changes, " if self._requests_changes(pace) else ""
        return (("Prefer", f"{track}odata.maxpagesize={size}"),)

    def _requests_changes(self, pace: Pace) -> bool:
        is_tracked = self._tracks_changes and pace.tracks
        return is_tracked and (self.replication.whole or self._delta is not None)

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        if not isinstance(body, dict) or find_property(body, "error") is not None:
            raise RetryableError("the portal truncated the page")
        records = as_entry_list(body.get("value"))
        if records is None and body.get("value", "") is not None:
            raise TapError(
                f"{self.name}: the response of {self.path} contains no list of records. Check `corpname` or `api_url`."
            )
        is_inconclusive, records = records is None, records or []
        entries = [record for record in records if isinstance(record, dict)]
        if entries and self._entries.is_error(entries[-1]):
            raise RetryableError("the portal truncated the page")
        rows = [row for record in entries if (row := self._entries.make_row(record)) is not None]
        if self._delta is not None:
            self._entries.check_complete(rows, self.stream_state.get(OMITTED))
        delta, next_link = (find_property(body, f"@odata.{name}link") for name in ("delta", "next"))
        if request.path == self._saved_position and not (rows or next_link):
            raise ExpiredLinkError(
                f"{self.name}: the response to the link saved by the last run contains no records. Run again later."
            )
        if len(records) == request.expected_rows and not (delta or next_link):
            return self._retry_in_other_size(request)
        pace = pace_of(request).after_good_page()
        return ParsedBody(
            rows,
            [self._make_request(self._path_of(next_link), pace.rows, pace)] if next_link else [],
            total=self._reported_count(body, request),
            item_count=len(records),
            failed_items=len(records) - len(entries),
            maybe_incomplete=is_inconclusive,
            note=ListInfo(self._path_of(delta) if delta else None, pace.tracks),
        )

    @cached_property
    def _entries(self) -> Entries:
        return Entries(self.entity_set, times.format_utc(self.started))

    def _retry_in_other_size(self, request: Request) -> ParsedBody:
        """Requests a page in another size that is full and has no next link, to see whether it is the last."""
        pace = pace_of(request)
        if pace.is_second:
            raise TapError(f"{self.name}: a full page does not say whether another follows. Run again later.")
        rows = LARGEST_PAGE if request.expected_rows < LARGEST_PAGE else LARGEST_PAGE // 2
        other = self._make_request(request.path, rows, replace(pace, is_second=True))
        return ParsedBody([], [replace(other, is_first=request.is_first)], item_count=0)

    def _reported_count(self, body: Record, request: Request) -> int | None:
        """Returns the total number of rows, if the portal sends it and the whole list is read."""
        return (
            parse_count(find_property(body, "@odata.count"))
            if request.path == self._start_path(pace_of(request))
            else None
        )

    def _path_of(self, link: Any) -> str:  # noqa: ANN401 - what the portal sends
        try:
            return links.path_of(link, self.transport.api_url, self.path)
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    @override
    def split_request(self, request: Request, retry: RetryableError) -> Sequence[Request]:
        if is_unavailable(retry):  # not because of the page size
            return ()
        other = self._smaller_request(request, retry.reason, SLOW_STEP if retry.slow else 2)
        return [replace(other, unanswered_seconds=request.unanswered_seconds + retry.took)] if other else ()

    def _smaller_request(self, request: Request, reason: str, step: int) -> Request | None:
        """Returns the request for the same page with fewer rows. None if it is the smallest."""
        if request.expected_rows <= SMALLEST_PAGE:
            return None
        size, pace = max(request.expected_rows // step, SMALLEST_PAGE), pace_of(request)
        # A first page is small anyway, and says nothing about the others.
        pace = replace(pace, rows=size if request.expected_rows >= pace.rows else pace.rows, good=0)
        self.logger.info("%s: %s; asking for pages of %d rows.", self.name, reason, size)
        return replace(request, headers=self._prefer_header(size, pace), expected_rows=size, note=pace)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        status, pace = reply.status, pace_of(request)
        if status in TOO_LARGE and (other := self._smaller_request(request, f"status {status}", 2)):
            return other
        is_first = request.is_first if self.rereads else request.path == self._start_path(pace)
        if status == HTTPStatus.NO_CONTENT and not (is_first or request.path == self._delta):
            return Meaning.RETRY  # the page before said that this one exists
        if status in LINK_ENDED and not is_first:
            raise ExpiredLinkError(f"{self.name}: a link of the portal has expired (status {status}). Run again later.")
        if status in UNTRACKED and is_first and self._requests_changes(pace):
            return self._first_request(replace(pace, tracks=False))
        return super().classify(reply, request)

    @override
    def recovers_by_full_read(self, error: TapError, *, is_first: bool) -> bool:
        by_delta, by_position = self._delta is not None, self._saved_position is not None
        by_filter = not by_position and "?" in self._start_path(Pace(LARGEST_PAGE))
        # Temporary errors do not invalidate a link: pages are retried before they fail.
        if self.rereads:
            return False
        is_recoverable = isinstance(error, ExpiredLinkError) or (is_first and (by_delta or by_position or by_filter))
        if not is_recoverable or self._restarts == MAX_RESTARTS:
            return False
        self._restarts += 1
        self._list_info = self._spelling = None
        self._omitted = frozenset()
        if isinstance(error, PartialRowError):
            self.logger.warning("%s Falling back to a full read, which also detects deletions.", error)
        elif by_delta:
            self.logger.warning(
                "%s: the delta link of the last run has expired; falling back to a full read, which also detects "
                "deletions.",
                self.name,
            )
        elif by_filter and is_first:
            self.logger.warning(
                "%s: the portal rejected the incremental filter; falling back to a full read. The next run "
                "will try the filter again.",
                self.name,
            )
            self._uses_filter = False
        else:
            self.logger.info("%s: the link to the next page has expired; starting over.", self.name)
        self.backfill.reset()
        return True

    @override
    def process_records(self, records: list[Record]) -> list[Record]:
        if not self.entity_set.tracks_changes:
            return records
        if self._spelling is None:
            self._spelling = Spelling(None if self.replication.whole else self.stream_state.get(SPELLING))
        if self.replication.whole:
            self._omitted = self._omitted.union(*self._entries.omitted_columns(records))
        for row in records:
            if row.get(DELETED_AT):
                for name in self.entity_set.key:
                    row[name] = self._spelling.restore_case(name, row[name])
            else:
                for name in self.entity_set.key:
                    self._spelling.learn_spelling(name, row.get(name))
        return records

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        self._list_info = page.note
        return False

    @override
    def position_after(self, page: Page) -> str | None:
        # Rows without a key would be duplicated if a run continues before the last loaded ones.
        # A run that continues after missing rows would not notice them.
        is_all = self.coverage.is_read(page.slice) and not self.coverage.may_hold_rows
        goes_on = is_all and self.replication.whole and self.primary_keys and page.records and page.next_requests
        return f"{self.transport.api_url}{page.next_requests[0].path}" if goes_on else None

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        if self._spelling and self._spelling.known:
            state[SPELLING] = self._spelling.known
        if self.replication.whole and (self._omitted or state.get(OMITTED)):
            state[OMITTED] = sorted(self._omitted)
        list_info = self._list_info or ListInfo(None, tracks=True)
        if self._delta and self.coverage.may_hold_rows:
            return  # the changes since the old link are incomplete
        if list_info.delta and self._tracks_changes:
            state[DELTA] = f"{self.transport.api_url}{list_info.delta}"
            return
        if self._delta:  # it still worked, and may again
            self.logger.warning("%s: the portal sent no new delta link; keeping the old one.", self.name)
            return
        if self.entity_set.tracks_changes and self.replication.whole and not self._hides_deletions:
            reason = "sent no delta link" if list_info.tracks else "does not track its changes"
            self.logger.warning("%s: the portal %s; %s", self.name, reason, WITHOUT_DELTA)
        if state.get(DELTA):
            state[DELTA] = None  # set to null, not removed: Meltano merges states


def is_timestamp_column(entity_set: EntitySet, name: str) -> bool:
    """Whether a column can hold the time of the last change, and may be used in a filter."""
    column = entity_set.columns.get(name)
    return column is not None and column.type in TIMESTAMP_FORMATS and column.filterable


def stream_of(entity_set: EntitySet, service: Service, replication_key: str | None) -> type[ODataStream]:
    """Creates the stream of a view or object.

    Args:
        entity_set: The view or object.
        service: Its service.
        replication_key: The column with the time of the last change. None: each run is a full read.
    """
    attributes: dict[str, Any] = {
        "__doc__": f"One row per row of {entity_set.name}.",
        "name": entity_set.name,
        "path": f"{service.root}/{entity_set.name}",
        "permission": f"the scope {service.scope.format(entity_set.name)}",
        "primary_keys": entity_set.key,
        "replication_key": replication_key,
        "schema": schema_of(entity_set),
        "by_id": key_filter(entity_set),
        "discovery_permission": f"the scope {service.metadata_scope}",
        "service": service,
        "entity_set": entity_set,
    }
    return type(entity_set.name, (ODataStream,), attributes)
