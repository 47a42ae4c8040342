"""A view or an object as a stream: page after page by the portal's links, then what changed since."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from singer_rest import Meaning, Parsed, Request, TapError, times
from singer_rest.errors import Retry
from singer_rest.stream import ChangedSince
from typing_extensions import override

from tap_cornerstone.client import CornerstoneStream, is_resting
from tap_cornerstone.odata import links
from tap_cornerstone.odata.types import DELETED_AT, INTEGERS, MOMENT, NUMBERS, literal, schema_of, straightened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest import Reply, Slice
    from singer_rest.pages import Page, Record
    from singer_sdk.singerlib import Catalog

    from tap_cornerstone.odata.metadata import EntitySet
    from tap_cornerstone.odata.services import Service

FIRST_PAGE = 1_000
"""Rows of a list's first page, by which the room for the next ones is reckoned: several lists begin together."""
LARGEST_PAGE = 10_000
SMALLEST_PAGE = 250
GOOD_PAGES = 10
"""Pages that have to come whole before larger ones are asked for again."""

LINK_TRIES = 5
"""How often a link of an earlier run is asked for in pages of the smallest size, after it failed in larger ones."""

DELTA = "delta_link"
ROW = re.compile(r"[^(]*\((.*)\)\s*", re.DOTALL)
PART = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^',()]+?)\s*(?:,|$)")
MOMENTS = {MOMENT: times.text, "Edm.Date": times.date}
"""The types of columns that may tell when a row was touched, and how a moment is written for them."""

NO_STAMP = "it has no key, or no column of that name that holds moments and may stand in a filter"
WITHOUT_DELTA = "asking for what was touched since, and what is deleted shows with a full refresh."
TOO_LARGE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
NO_ACCESS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND})
LINKS = ("/$link", "/$deletedLink")
"""Ends of the context of what is no row among changes."""
DELETED = "/$deletedEntity"
"""The end of the context of a row that was deleted, where `@removed` does not say so."""


class ODataStream(CornerstoneStream):
    """A view or an object of the portal."""

    service: ClassVar[Service]
    entity_set: ClassVar[EntitySet]

    _page_size = LARGEST_PAGE
    _good_pages = 0
    _in_vain = 0
    _tracking = True
    _new_delta: str | None = None

    @property
    def changed_since(self) -> ChangedSince | None:  # type: ignore[override]
        """How the column that tells when a row was touched stands in a filter, where it may."""
        name = self.replication_key or ""
        if not (self.primary_keys and is_stamp(self.entity_set, name)):
            return None
        return ChangedSince(name, text=MOMENTS[self.entity_set.columns[name].type])

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        super().apply_catalog(catalog)
        if self.replication_key and not self.changed_since and self.selected:
            self.logger.warning(
                "%s: the catalog's `replication-key` cannot be used: %s. All is read.", self.name, NO_STAMP
            )

    @property
    def _key(self) -> str | None:
        # A column that somebody names in a catalog may be none that can be asked with.
        return super()._key if self.changed_since else None

    @cached_property
    def _odd(self) -> list[tuple[str, str]]:
        """The columns whose values may come in more than one form."""
        wanted = INTEGERS | NUMBERS | {MOMENT}
        return [(name, column.type) for name, column in self.entity_set.columns.items() if column.type in wanted]

    @cached_property
    def _delta(self) -> str | None:
        """Where what changed since the last run is told, deletions too."""
        return None if self.replication.whole else self._kept(self.stream_state.get(DELTA))

    @property
    def _place(self) -> str | None:
        """Where an earlier run left off."""
        return self._kept(self.backfill.place)

    def _kept(self, link: Any) -> str | None:  # noqa: ANN401 - what stands in a state
        """A link of the state, if it is one of this portal."""
        try:
            return self._path_of(link) if link and links.is_same(link, self.transport.api_url) else None
        except TapError:
            return None

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        link = self._delta or self._place
        return self._asking(link, self._page_size) if link else self._first()

    def _first(self) -> Request:
        return self._asking(self._beginning, min(FIRST_PAGE, self._page_size))

    @property
    def _beginning(self) -> str:
        # What is asked for with a filter cannot be tracked.
        if self.since is None or self.changed_since is None or self._tracks:
            return self.path
        ((column, moment),) = self.changed_since.params(self.since).items()
        return f"{self.path}?$filter={quote(f'{column} ge {moment}', safe='')}"

    def _asking(self, path: str, size: int) -> Request:
        return Request(path, (), self.path, headers=self._preferring(size), rows=size)

    def _preferring(self, size: int) -> tuple[tuple[str, str], ...]:
        track = "odata.track-changes, " if self._tracks else ""
        return (("Prefer", f"{track}odata.maxpagesize={size}"),)

    @property
    def _tracks(self) -> bool:
        is_tracked = self.entity_set.tracks_changes and self._tracking
        return is_tracked and (self.replication.whole or self._delta is not None)

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        if not isinstance(body, dict) or links.member(body, "error") is not None:
            raise Retry("the portal broke the page off")
        records = body.get("value")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no rows. Check `corpname` or `api_url`.")
        if records and self._is_error(records[-1]):
            raise Retry("the portal broke the page off")
        self._recover()
        rows = [row for record in records if (row := self._row(record)) is not None]
        if delta := links.member(body, "@odata.deltalink"):
            self._new_delta = self._path_of(delta)
        following = links.member(body, "@odata.nextlink")
        return Parsed(rows, [self._asking(self._path_of(following), self._page_size)] if following else [])

    def _is_error(self, record: Record) -> bool:
        error = links.member(record, "error")
        return isinstance(error, dict) and not any(name.lower() == "error" for name in self.entity_set.columns)

    def _path_of(self, link: Any) -> str:  # noqa: ANN401 - what the portal sends
        try:
            return links.path_of(link, self.transport.api_url, self.path)
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    def _row(self, record: Record) -> Record | None:
        """The row of an entry: itself, what tells of a deletion, or None where it is about a relation."""
        if record.keys() <= self.entity_set.columns.keys():  # most are nothing else, and there may be millions
            return record
        context = links.member(record, "@odata.context")
        context = context if isinstance(context, str) else ""
        if context.endswith(LINKS):
            return None
        if "@removed" in record or context.endswith(DELETED):
            return self._gone(record)
        return {name: value for name, value in record.items() if not name.startswith("@")}

    def _gone(self, record: Record) -> Record:
        """The key of a row that was deleted, and when this became known."""
        key = {name: record[name] for name in self.entity_set.key if name in record}
        address = str(record.get("id") or record.get("@odata.id") or record.get("@id") or "").rpartition("/")[2]
        with suppress(ValueError):
            key = {**self._key_of(unquote(address)), **key}
        if set(key) != set(self.entity_set.key):
            raise TapError(f"{self.name}: a row was deleted, but its key cannot be read. Run with a full refresh.")
        return {**key, DELETED_AT: times.text(self._tap.started)}

    def _key_of(self, address: str) -> Record:
        """The key in a row's address, such as ``user_ou_core(user_id=5,ou_id=77)``."""
        found = ROW.fullmatch(address)
        text = found[1] if found else ""
        parts = list(PART.finditer(text))
        if "".join(part[0] for part in parts) != text:
            raise ValueError("it is no list of values")
        key = {}
        for part, only in zip(parts, self.entity_set.key, strict=True):
            name = part[1] or only
            column = self.entity_set.columns.get(name)
            key[name] = literal(part[2], column.type if column else "")
        return key

    @override
    def smaller(self, request: Request, retry: Retry) -> Sequence[Request]:
        if is_resting(retry):  # large pages time out or break off
            return ()
        if other := self._half(request, retry.reason):
            return [other]
        self._in_vain += 1  # a link is not given up for what may pass
        again = self._again(request) if self._in_vain > LINK_TRIES else None
        return [again] if again else ()

    def _half(self, request: Request, reason: str) -> Request | None:
        """The request for the same page in half the size, unless it is the smallest."""
        if request.rows <= SMALLEST_PAGE:
            return None
        size, self._good_pages = max(request.rows // 2, SMALLEST_PAGE), 0
        if request.rows >= self._page_size:  # a first page is small from the beginning
            self._page_size = size
        self.logger.info("%s: %s; asking for pages of %d rows.", self.name, reason, size)
        return replace(request, headers=self._preferring(size), rows=size)

    def _recover(self) -> None:
        """Ask for larger pages again once some came whole."""
        self._good_pages += 1
        if self._page_size < LARGEST_PAGE and self._good_pages >= GOOD_PAGES:
            self._page_size, self._good_pages = min(self._page_size * 2, LARGEST_PAGE), 0

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        other = self._instead(reply, request) if reply.status >= HTTPStatus.BAD_REQUEST else None
        return other or super().classify(reply, request)

    def _instead(self, reply: Reply, request: Request) -> Request | None:
        if reply.status in TOO_LARGE and (other := self._half(request, f"status {reply.status}")):
            return other
        if again := self._again(request):
            return again
        if self._tracks and reply.status not in NO_ACCESS:
            # Some portals or objects do not, whatever their metadata says.
            self.logger.warning("%s: the portal does not track its changes; %s", self.name, WITHOUT_DELTA)
            self._tracking = False
            return self._first()
        return None

    def _again(self, request: Request) -> Request | None:
        """What to ask for where a link of an earlier run is not good any more; None where it was no such link."""
        if self._delta and request.path == self._delta:
            self.logger.warning(
                "%s: what changed since the last run is not told any more; %s", self.name, WITHOUT_DELTA
            )
            self._delta, self._tracking = None, False
        elif self._place and request.path == self._place:
            self.logger.info("%s: the place where the last run left off is gone; starting over.", self.name)
            self.backfill.forget()
            self.replication.read_whole()
        else:
            return None
        return self._first()

    @override
    def place_after(self, page: Page) -> str | None:
        # Rows without a key would be there twice where a run goes on before the last ones that were loaded.
        goes_on = self.replication.whole and self.primary_keys and page.records and page.following
        return f"{self.transport.api_url}{page.following[0].path}" if goes_on else None

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        super().finish_state(state)
        if self._new_delta:
            state[DELTA] = f"{self.transport.api_url}{self._new_delta}"
        elif self._delta:  # it was good once more, and may be again
            self.logger.warning("%s: the portal gave no new link to what will change; the old one is kept.", self.name)
        elif self._tracks:
            self.logger.warning("%s: the portal gave no link to what will change; %s", self.name, WITHOUT_DELTA)
        elif state.get(DELTA):
            state[DELTA] = None  # set, not removed: Meltano merges states

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        for name, kind in self._odd:
            value = row.get(name)
            if value.__class__ is str:
                row[name] = straightened(value, kind)
        return row


def is_stamp(entity_set: EntitySet, name: str) -> bool:
    """Whether a column can tell when a row was touched, and be asked with."""
    column = entity_set.columns.get(name)
    return column is not None and column.type in MOMENTS and column.filterable


def stream_of(entity_set: EntitySet, service: Service, replication_key: str | None) -> type[ODataStream]:
    """The stream of a view or object.

    Args:
        entity_set: The view or object.
        service: Its service.
        replication_key: The column that tells when a row was touched; None: everything is read in each run.
    """
    attributes: dict[str, Any] = {
        "__doc__": f"One row per row of {entity_set.name}.",
        "name": entity_set.name,
        "path": f"{service.root}/{entity_set.name}",
        "primary_keys": entity_set.key,
        "replication_key": replication_key,
        "schema": schema_of(entity_set),
        "scope": service.scope.format(entity_set.name),
        "service": service,
        "entity_set": entity_set,
    }
    return type(entity_set.name, (ODataStream,), attributes)
