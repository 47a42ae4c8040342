"""A view or an object as a stream: page after page by the portal's links, then what changed since."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from singer_rest import ChangedSince, Meaning, Parsed, Request, Retry, TapError, times
from typing_extensions import override

from tap_cornerstone.client import CornerstoneStream, is_resting
from tap_cornerstone.odata import links
from tap_cornerstone.odata.links import count_of, member
from tap_cornerstone.odata.types import DELETED_AT, MOMENT, literal, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest import Page, Record, Reply, Slice
    from singer_sdk.singerlib import Catalog

    from tap_cornerstone.odata.metadata import EntitySet
    from tap_cornerstone.odata.services import Service

FIRST_PAGE = 1_000
"""Rows of a list's first page, by which the room for the next ones is reckoned: several lists begin together."""
LARGEST_PAGE = 10_000
SMALLEST_PAGE = 250
GOOD_PAGES = 10
"""Pages that have to come whole before larger ones are asked for again."""

SLOW_STEP = 8
"""By how much pages shrink that did not come in time: each of them may take as long as the time-out."""

MANY_ALIKE = 10
"""Pages in a row that may hold the same rows of a key."""
MANY_EMPTY = 1_000
"""Empty pages, or pages of rows without a key, that may follow one another; each says that the list goes on."""

MOST_STARTS = 3
"""How often a run reads everything from the beginning where a link was good no more."""

DELTA = "delta_link"
ROW = re.compile(r"[^(]*\((.*)\)\s*", re.DOTALL)
PART = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^',()]+?)\s*(?:,|$)")
MOMENTS = {MOMENT: times.text, "Edm.Date": times.date}
"""The types of columns that may tell when a row was touched, and how a moment is written for them."""

NO_STAMP = "it has no key, or no column of that name that holds moments and may stand in a filter"
WITHOUT_DELTA = "asking for what was touched since, and what is deleted shows with a full refresh."
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
"""What is answered by an object that does not track its changes, whatever its metadata says."""

LINK_ENDED = UNTRACKED | {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""What a link is answered with that is not known any more, or for ever; the object itself may be."""

LINKS = ("/$link", "/$deletedlink")
"""Ends of the context of what is no row among changes."""
REMOVED = ("@removed", "@odata.removed")
NOT_REMOVED = (None, False)
"""What stands under these names where the row is there."""
DELETED = "/$deletedentity"
"""The end of the context, in small letters, of a row that was deleted, where `@removed` does not say so."""


class LinkEnded(TapError):  # noqa: N818 - there is another way to ask
    """A link, or what came by it, is good no more; the list is read from its beginning."""


@dataclass(frozen=True)
class Pace:
    """How a list is asked for; it travels on its requests.

    Args:
        rows: Rows of the pages to come.
        good: Pages that came whole since they have this size.
        tracks: Whether the object is asked to track its changes, where it says that it does.
        is_second: Whether its next page is asked for once more, in another size, because it was full and led nowhere.
        seen: What tells the rows of the page before from others.
        alike: How many pages in a row had the same.
    """

    rows: int
    good: int = 0
    tracks: bool = True
    is_second: bool = False
    seen: int = 0
    alike: int = 0

    def after_good_page(self) -> Pace:
        """The pace once a page came whole: larger ones are asked for again after some."""
        if self.rows >= LARGEST_PAGE:
            return replace(self, is_second=False)
        if self.good + 1 < GOOD_PAGES:
            return replace(self, good=self.good + 1, is_second=False)
        return replace(self, rows=min(self.rows * 2, LARGEST_PAGE), good=0, is_second=False)


@dataclass(frozen=True)
class Told:
    """What a page tells of the whole list; it travels on the page.

    Args:
        delta: The path of what will have changed; None: it does not say.
        tracks: Whether the object tracks its changes.
    """

    delta: str | None
    tracks: bool


class ODataStream(CornerstoneStream):
    """A view or an object of the portal."""

    service: ClassVar[Service]
    entity_set: ClassVar[EntitySet]

    _starts = 0
    _told: Told | None = None

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

    @property
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
        return self._asking(link, LARGEST_PAGE, Pace(LARGEST_PAGE)) if link else self._first(Pace(LARGEST_PAGE))

    def _first(self, pace: Pace) -> Request:
        return self._asking(self._beginning(pace), min(FIRST_PAGE, pace.rows), pace)

    def _beginning(self, pace: Pace) -> str:
        # What is asked for with a filter cannot be tracked.
        if self.since is None or self.changed_since is None or self._tracks(pace):
            return self.path
        ((column, moment),) = self.changed_since.params(self.since).items()
        return f"{self.path}?$filter={quote(f'{column} ge {moment}', safe='')}"

    def _asking(self, path: str, size: int, pace: Pace) -> Request:
        return Request(path, (), self.path, headers=self._preferring(size, pace), rows=size, note=pace)

    def _preferring(self, size: int, pace: Pace) -> tuple[tuple[str, str], ...]:
        track = "odata.track-changes, " if self._tracks(pace) else ""
        return (("Prefer", f"{track}odata.maxpagesize={size}"),)

    def _tracks(self, pace: Pace) -> bool:
        is_tracked = self.entity_set.tracks_changes and pace.tracks
        return is_tracked and (self.replication.whole or self._delta is not None)

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        if not isinstance(body, dict) or member(body, "error") is not None:
            raise Retry("the portal broke the page off")
        records = body.get("value")
        entries = [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
        if not isinstance(records, list) or (records and not entries):
            raise TapError(f"{self.name}: the answer of {self.path} holds no rows. Check `corpname` or `api_url`.")
        if entries and self._is_error(entries[-1]):
            raise Retry("the portal broke the page off")
        rows = [row for record in entries if (row := self._row(record)) is not None]
        delta, following = (member(body, f"@odata.{name}link") for name in ("delta", "next"))
        if len(records) == request.rows and not (delta or following):
            return self._once_more(request)
        pace = self._moving_on(records, _pace(request).after_good_page())
        return Parsed(
            rows,
            [self._asking(self._path_of(following), pace.rows, pace)] if following else [],
            told=self._told_count(body, request),
            items=len(records),
            failed=len(records) - len(entries),
            note=Told(self._path_of(delta) if delta else None, pace.tracks),
        )

    def _once_more(self, request: Request) -> Parsed:
        """Ask in another size for a page that is full and does not say whether another follows: it may be the last."""
        pace = _pace(request)
        if pace.is_second:
            raise TapError(f"{self.name}: a full page does not say whether another follows. Run again later.")
        rows = LARGEST_PAGE if request.rows < LARGEST_PAGE else LARGEST_PAGE // 2
        other = self._asking(request.path, rows, replace(pace, is_second=True))
        return Parsed([], [replace(other, begins=request.begins)], items=0)

    def _told_count(self, body: Record, request: Request) -> int | None:
        """How many rows the portal says that the list holds, where it does so unasked and all of it is read."""
        return count_of(member(body, "@odata.count")) if request.path == self._beginning(_pace(request)) else None

    def _moving_on(self, records: list[Any], pace: Pace) -> Pace:
        """The pace after a page; links that are new each time must not lead on for ever.

        Raises:
            TapError: If pages are alike that should not be.
        """
        seen = hash((len(records), repr(records[:1]), repr(records[-1:])))
        alike = pace.alike + 1 if seen == pace.seen else 0
        if alike >= (MANY_ALIKE if records and self.entity_set.key else MANY_EMPTY):
            raise TapError(
                f"{self.name}: the same page comes again and again, so the list has no end. Run again later; if it "
                "stays so, report it to the vendor."
            )
        return replace(pace, seen=seen, alike=alike)

    def _is_error(self, record: Record) -> bool:
        error = member(record, "error")
        return isinstance(error, dict) and not any(name.lower() == "error" for name in self.entity_set.columns)

    def _path_of(self, link: Any) -> str:  # noqa: ANN401 - what the portal sends
        try:
            return links.path_of(link, self.transport.api_url, self.path)
        except TapError as error:
            raise TapError(f"{self.name}: {error}") from None

    def _row(self, record: Record) -> Record | None:
        """The row of an entry: itself, what tells of a deletion, or None where it is about a relation."""
        if DELETED_AT in record:  # a column of the portal's own says nothing of a deletion
            record[f"portal{DELETED_AT}"] = record.pop(DELETED_AT)
        if record.keys() <= self.entity_set.columns.keys():  # most are nothing else, and there may be millions
            return record
        context = member(record, "@odata.context")
        context = context if isinstance(context, str) else ""
        if context.lower().endswith(LINKS):
            return None
        is_removed = any(name.lower() in REMOVED and value not in NOT_REMOVED for name, value in record.items())
        if context.lower().endswith(DELETED) or is_removed:
            return self._gone(record)
        return {name: value for name, value in record.items() if not name.startswith("@")}

    def _gone(self, record: Record) -> Record:
        """The key of a row that was deleted, and when this became known."""
        key = {name: record[name] for name in self.entity_set.key if record.get(name) is not None}
        for name in ("id", "@odata.id", "@id"):
            address = member(record, name)
            with suppress(ValueError):
                told = self._key_of(unquote(str(address or "").rpartition("/")[2]))
                key = {**told, **{part: value for part, value in key.items() if value != address}}
        if set(key) != set(self.entity_set.key):
            raise LinkEnded(f"{self.name}: a row was deleted, but its key cannot be read. Run with a full refresh.")
        return {**key, DELETED_AT: times.text(self.started)}

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
        other = self._smaller(request, retry.reason, SLOW_STEP if retry.slow else 2)
        return [replace(other, silent=request.silent + retry.took)] if other else ()

    def _smaller(self, request: Request, reason: str, step: int) -> Request | None:
        """The request for the same page with fewer rows, unless it is the smallest."""
        if request.rows <= SMALLEST_PAGE:
            return None
        size, pace = max(request.rows // step, SMALLEST_PAGE), _pace(request)
        # A first page is small from the beginning, and says nothing of the others.
        pace = replace(pace, rows=size if request.rows >= pace.rows else pace.rows, good=0)
        self.logger.info("%s: %s; asking for pages of %d rows.", self.name, reason, size)
        return replace(request, headers=self._preferring(size, pace), rows=size, note=pace)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        status, pace = reply.status, _pace(request)
        if status in TOO_LARGE and (other := self._smaller(request, f"status {status}", 2)):
            return other
        is_first = request.path == self._beginning(pace)
        if status == HTTPStatus.NO_CONTENT and not (is_first or request.begins):
            return Meaning.RETRY  # a page said that another follows
        if status in LINK_ENDED and not is_first:
            raise LinkEnded(f"{self.name}: a link of the portal is good no more (status {status}). Run again later.")
        if status in UNTRACKED and is_first and self._tracks(pace):
            return self._first(replace(pace, tracks=False))
        return super().classify(reply, request)

    @override
    def falls_back(self, error: TapError, *, is_first: bool) -> bool:
        by_delta, by_place = self._delta is not None, self._place is not None
        by_filter = not by_place and "?" in self._beginning(Pace(LARGEST_PAGE))
        # What passes costs no link: a page is given up only after some tries.
        is_way = isinstance(error, LinkEnded) or (is_first and (by_delta or by_place or by_filter))
        if not is_way or self._starts == MOST_STARTS:
            return False
        self._starts += 1
        self._told = None
        if by_delta:
            self.logger.warning(
                "%s: what changed since the last run is not told any more. Everything is read instead, so that what "
                "was deleted meanwhile shows too.",
                self.name,
            )
        elif by_filter and is_first:
            self.logger.warning(
                "%s: what was touched since cannot be asked for; everything is read instead. The next run asks again.",
                self.name,
            )
            self._asks_for_changes = False
        else:
            self.logger.info("%s: a link to the next page is good no more; starting over.", self.name)
        self.backfill.forget()
        return True

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        self._told = page.note
        return False

    @override
    def place_after(self, page: Page) -> str | None:
        # Rows without a key would be there twice where a run goes on before the last ones that were loaded.
        # A run that goes on behind what did not come would not know of it.
        is_all = self.coverage.is_read(page.slice) and not self.coverage.may_hold_rows
        goes_on = is_all and self.replication.whole and self.primary_keys and page.records and page.following
        return f"{self.transport.api_url}{page.following[0].path}" if goes_on else None

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        super().finish_state(state)
        told = self._told or Told(None, tracks=True)
        if self._delta and self.coverage.may_hold_rows:
            return  # what is told by the old link again did not come whole
        if told.delta:
            state[DELTA] = f"{self.transport.api_url}{told.delta}"
            return
        if self._delta:  # it was good once more, and may be again
            self.logger.warning("%s: the portal gave no new link to what will change; the old one is kept.", self.name)
            return
        if self.entity_set.tracks_changes and self.replication.whole:
            what = "gave no link to what will change" if told.tracks else "does not track its changes"
            self.logger.warning("%s: the portal %s; %s", self.name, what, WITHOUT_DELTA)
        if state.get(DELTA):
            state[DELTA] = None  # set, not removed: Meltano merges states


def _pace(request: Request) -> Pace:
    return request.note if isinstance(request.note, Pace) else Pace(LARGEST_PAGE)


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
        "permission": f"the scope {service.scope.format(entity_set.name)}",
        "primary_keys": entity_set.key,
        "replication_key": replication_key,
        "schema": schema_of(entity_set),
        "service": service,
        "entity_set": entity_set,
    }
    return type(entity_set.name, (ODataStream,), attributes)
