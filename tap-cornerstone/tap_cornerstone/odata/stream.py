"""A view or an object as a stream: page after page by the portal's links, then what changed since."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from singer_rest import Request, TapError, times
from singer_rest.errors import Retry
from singer_rest.stream import ChangedSince
from typing_extensions import override

from tap_cornerstone.client import CornerstoneStream
from tap_cornerstone.odata import links
from tap_cornerstone.odata.types import DELETED_AT, INTEGERS, MOMENT, literal, straightened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest import Reply, Slice
    from singer_rest.pages import Page, Record

    from tap_cornerstone.odata.metadata import EntitySet
    from tap_cornerstone.odata.services import Service

LARGEST_PAGE = 10_000
SMALLEST_PAGE = 250
GOOD_PAGES = 10
"""Pages that have to come whole before larger ones are asked for again."""

ENDED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""What a link is answered with whose time is up."""

DELTA = "delta_link"
KEYS = re.compile(r"[^(]*\((.*)\)", re.DOTALL)
PART = re.compile(r"(?:(\w+)=)?('(?:[^']|'')*'|[^,]+)")


class ODataStream(CornerstoneStream):
    """A view or an object of the portal."""

    service: ClassVar[Service]
    entity_set: ClassVar[EntitySet]

    _page_size = LARGEST_PAGE
    _good_pages = 0
    _tracking = True
    _new_delta: str | None = None

    @cached_property
    def _odd(self) -> list[tuple[str, str]]:
        """The columns whose values may come in more than one form."""
        wanted = INTEGERS | {MOMENT}
        return [(name, column.type) for name, column in self.entity_set.columns.items() if column.type in wanted]

    @cached_property
    def _delta(self) -> str | None:
        """Where what changed since the last run is told, deletions too."""
        kept = self.stream_state.get(DELTA)
        return kept if isinstance(kept, str) and kept and not self.replication.whole else None

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        if self._delta:
            return self._asking(self._delta)
        if self.backfill.place:
            return self._asking(self.backfill.place)
        return self._from_the_beginning(since)

    def _from_the_beginning(self, since: datetime | None) -> Request:
        if not (since and self.changed_since):
            return self._asking(self.path)
        ((column, moment),) = self.changed_since.params(since).items()
        return self._asking(f"{self.path}?$filter={quote(f'{column} ge {moment}', safe='')}")

    def _asking(self, path: str) -> Request:
        return Request(path, (), self.path, headers=self._preferring(self._page_size))

    def _preferring(self, size: int) -> tuple[tuple[str, str], ...]:
        track = "odata.track-changes, " if self._tracks else ""
        return (("Prefer", f"{track}odata.maxpagesize={size}"),)

    @property
    def _tracks(self) -> bool:
        # What is asked for with a filter cannot be tracked.
        is_whole = self.replication.whole and self.since is None
        return self.entity_set.tracks_changes and self._tracking and (is_whole or self._delta is not None)

    @override
    def parse(self, body: Any, request: Request) -> tuple[list[Record], Sequence[Request]]:
        if not isinstance(body, dict) or "error" in body:
            raise Retry("the portal broke the page off")
        records = body.get("value")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no rows. Check `corpname` or `api_url`.")
        if records and set(records[-1]) == {"error"}:
            raise Retry("the portal broke the page off")
        self._recover()
        rows = [self._gone(record) if _is_gone(record) else record for record in records]
        delta = links.member(body, "@odata.deltalink")
        if delta is not None:
            self._new_delta = self._path_of(delta)
        following = links.member(body, "@odata.nextlink")
        return rows, [self._asking(self._path_of(following))] if following else []

    def _path_of(self, link: Any) -> str:  # noqa: ANN401 - what the portal sends
        try:
            return links.path_of(link, self.transport.api_url, self.service.root)
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    def _gone(self, record: Record) -> Record:
        """The key of a row that was deleted, and when this became known."""
        named = {name: record[name] for name in self.entity_set.key if name in record}
        address = KEYS.fullmatch(unquote(str(record.get("id") or record.get("@odata.id") or record.get("@id") or "")))
        parts = PART.findall(address[1]) if address else []
        for (name, text), only in zip(parts, self.entity_set.key, strict=False):
            column = name or only
            kind = self.entity_set.columns[column].type if column in self.entity_set.columns else ""
            named.setdefault(column, literal(text, kind))
        if set(named) != set(self.entity_set.key):
            raise TapError(f"{self.name}: a row was deleted, but its key cannot be read. Run with a full refresh.")
        return {**named, DELETED_AT: times.text(self._tap.started)}

    @override
    def smaller(self, request: Request, retry: Retry) -> Sequence[Request]:
        # Large pages time out or break off; the portal's limits have nothing to do with their size.
        size = int(dict(request.headers)["Prefer"].rpartition("=")[2])
        if retry.throttled or size <= SMALLEST_PAGE:
            return ()
        self._page_size, self._good_pages = max(size // 2, SMALLEST_PAGE), 0
        self.logger.info("%s: %s; asking for pages of %d rows.", self.name, retry.reason, self._page_size)
        return [replace(request, headers=self._preferring(self._page_size))]

    def _recover(self) -> None:
        """Ask for larger pages again once some came whole."""
        self._good_pages += 1
        if self._page_size < LARGEST_PAGE and self._good_pages >= GOOD_PAGES:
            self._page_size, self._good_pages = min(self._page_size * 2, LARGEST_PAGE), 0

    @override
    def instead(self, reply: Reply, request: Request) -> Request | None:
        if reply.status == HTTPStatus.NOT_IMPLEMENTED and self._tracks:
            return self._without_tracking("the portal does not track its changes")
        if reply.status not in ENDED:
            return None
        if request.path == self._delta:
            return self._without_tracking("what changed since the last run is not told any more")
        if request.path == self.backfill.place:
            self.logger.info("%s: the place where the last run left off is gone; starting over.", self.name)
            return self._from_the_beginning(None)
        return None

    def _without_tracking(self, reason: str) -> Request:
        if self._delta:
            self.logger.warning(
                "%s: %s. Asking for what was touched since; what was deleted shows with the next full refresh.",
                self.name,
                reason,
            )
        self._tracking, self._delta = False, None
        return self._from_the_beginning(self.since)

    @override
    def place_after(self, page: Page) -> str | None:
        # A read of what changed is short, and with a filter the link is of no use to another run.
        is_whole = self.replication.whole and self.since is None
        return page.following[0].path if is_whole and page.records and page.following else None

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        if self._new_delta or state.get(DELTA):
            state[DELTA] = self._new_delta  # null where it is lost, not removed: Meltano merges states

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        for name, kind in self._odd:
            value = row.get(name)
            if value.__class__ is str:
                row[name] = straightened(value, kind)
        return row


def _is_gone(record: Record) -> bool:
    """Whether a row of a delta says that another one was deleted, in either of the two shapes."""
    context = links.member(record, "@odata.context")
    return "@removed" in record or (isinstance(context, str) and context.endswith("/$deletedEntity"))


def stream_of(entity_set: EntitySet, service: Service, replication_key: str | None) -> type[ODataStream]:
    """The stream of a view or object.

    Args:
        entity_set: The view or object.
        service: Its service.
        replication_key: The column that tells when a row was touched; None: everything is read in each run.
    """
    from tap_cornerstone.odata.types import schema_of  # noqa: PLC0415

    attributes: dict[str, Any] = {
        "__doc__": f"One row per row of {entity_set.name}.",
        "name": entity_set.name,
        "path": f"{service.root}/{entity_set.name}",
        "primary_keys": entity_set.key,
        "replication_key": replication_key,
        "changed_since": ChangedSince(replication_key) if replication_key else None,
        "schema": schema_of(entity_set),
        "scope": service.scope.format(entity_set.name),
        "service": service,
        "entity_set": entity_set,
    }
    return type(entity_set.name, (ODataStream,), attributes)
