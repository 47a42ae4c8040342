"""The rows that match a query, their order, the positions of pages, and the links to these."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hr_sandbox.cornerstone.errors import GONE, SERVER_ERROR, make_bad_request, make_error
from hr_sandbox.cornerstone.query import SKIP_TOKEN, find_timestamp_range
from hr_sandbox.cornerstone.store import KEY, MOVED
from hr_sandbox.cornerstone.tables import ROOTS
from hr_sandbox.http.messages import ApiError
from hr_sandbox.http.signed_cursor import Payload, SignedCursors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hr_sandbox.clock import Clock
    from hr_sandbox.cornerstone.query import Query
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.cornerstone.tables import EntitySet

STYLES = ("normal", "lowercase", "relative", "foreign", "repeated", "missing")
FOREIGN = "https://elsewhere.example"
SAFE = "$'(),:"


@dataclass(slots=True)
class Links:
    """Creates links and decodes their tokens.

    Attributes:
        styles: the link styles of tables, if they differ from the default.
        lives: the lifetime of each kind of link (`next`, `delta`) in seconds; None for unlimited.
    """

    clock: Clock
    styles: dict[str, str] = field(default_factory=dict)
    lives: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("next", "delta")))
    _cursors: SignedCursors = field(default_factory=SignedCursors)
    _ended: dict[str, float] = field(default_factory=dict)
    _number: int = 0

    def make_token(self, kind: str, payload: Payload) -> str:
        """Returns a new token of a kind."""
        self._number += 1
        return self._cursors.encode({**payload, "kind": kind, "at": self.clock.seconds(), "n": self._number})

    def open_token(self, kind: str, text: str, table: str) -> Payload:
        """Decodes a token. Rejects expired tokens and those of other tables."""
        payload = self._cursors.decode(text)
        if payload is None or payload["kind"] != kind or payload["table"] != table:
            raise make_bad_request("The token is not valid.")
        life = self.lives[kind]
        too_old = life is not None and payload["at"] + life <= self.clock.seconds()
        if too_old or payload["n"] <= self._ended.get(kind, 0):
            raise ApiError(make_error(GONE, "The token has expired."))
        return payload

    def expire_links(self, kind: str) -> None:
        """Expires all links of a kind."""
        self._ended[kind] = self._number

    def make_next_link(self, table: EntitySet, root: str, options: tuple[tuple[str, str], ...], token: str) -> Payload:
        """Returns the member with the link to the next page."""
        style = self.styles.get(table.name, "normal")
        if style == "missing":
            return {}
        pairs = [*options, (SKIP_TOKEN, token)]
        query = "&".join(f"{name}={quote(text, safe=SAFE)}" for name, text in pairs)
        base = {"relative": "", "foreign": f"{FOREIGN}{ROOTS[table.service]}/"}.get(
            style, f"{root}{ROOTS[table.service]}/"
        )
        name = "@odata.nextlink" if style == "lowercase" else "@odata.nextLink"
        return {name: f"{base}{table.name}?{query}"}


def hash_options(options: tuple[tuple[str, str], ...]) -> str:
    """Returns a hash of the options, which must be the same in every request of a series of pages."""
    return blake2b(repr(sorted(options)).encode(), digest_size=8).hexdigest()


MAX_SCANNED_ROWS = 200_000  # the most generated rows that are tested one by one
Position = list[Any]


class Selection:
    """The matching rows: those of the company, the generated ones, then the duplicates."""

    def __init__(self, store: Store, table: EntitySet, query: Query, duplicates: Sequence[Row] = ()) -> None:
        self._bulk = store.bulk
        self._table = table
        part = query.condition

        def matches(row: Row) -> bool:
            return part is None or part.test(lambda column: store.find_value(table, row, column))

        self.rows = [row for row in store.list_rows(table.name) if matches(row)]
        self.duplicates = [row for row in duplicates if matches(row)]
        if query.order:
            for column, descending in reversed(query.order):
                self.rows.sort(key=lambda row: _sort_key(store.find_value(table, row, column)), reverse=descending)
        self.places: Sequence[int] = range(0)
        if size := self._bulk.count_rows(table.name):
            if query.order:
                raise ApiError(make_error(SERVER_ERROR, "The execution timed out."))
            self.places = self._find_generated(query, size, matches)

    def _find_generated(self, query: Query, size: int, matches: Any) -> Sequence[int]:  # noqa: ANN401  tests a row
        if query.condition is None:
            return range(size)
        name = self._table.name
        first, end = find_timestamp_range(query.condition.bounds)
        places = range(
            0 if first is None else self._bulk.find_first_index(name, first),
            size if end is None else self._bulk.find_first_index(name, end),
        )
        if query.condition.only:
            return places
        if len(places) > MAX_SCANNED_ROWS:
            raise ApiError(make_error(SERVER_ERROR, "The execution timed out."))
        return [place for place in places if matches(self._bulk.make_row(name, place))]

    def __len__(self) -> int:
        """Returns the number of rows, not counting duplicates."""
        return len(self.rows) + len(self.places)

    @property
    def end(self) -> int:
        """The number of rows including duplicates."""
        return len(self) + len(self.duplicates)

    def find_index_after(self, position: Position) -> int:
        """Returns the index after a position. A row that was changed since has moved to the end."""
        kind, *where = position
        if kind == "row":
            moved, *key = where
            return bisect_right(self.rows, (moved, tuple(key)), key=lambda row: (row[MOVED], row[KEY]))
        if kind == "bulk":
            return len(self.rows) + bisect_right(self.places, where[0])
        return int(where[0])

    def find_position_before(self, index: int) -> Position:
        """Returns the position of the row before an index."""
        place = index - 1 - len(self.rows)
        if place < 0:
            row = self.rows[index - 1]
            return ["row", row[MOVED], *row[KEY]]
        return ["bulk", self.places[place]] if place < len(self.places) else ["place", index]

    def slice_page(self, start: int, end: int) -> tuple[list[Row], Sequence[int], list[Row]]:
        """Returns the rows between two indexes."""
        mine, whole = len(self.rows), len(self)
        places = self.places[max(start - mine, 0) : max(end - mine, 0)]
        return self.rows[start:end], places, self.duplicates[max(start - whole, 0) : max(end - whole, 0)]


def _sort_key(value: Any) -> tuple[bool, Any]:  # noqa: ANN401  any of OData
    return value is not None, 0 if value is None else value
