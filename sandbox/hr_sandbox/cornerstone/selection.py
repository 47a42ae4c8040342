"""Which rows a query means, in which order, and where a page of them begins."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.errors import BROKEN, error_response
from hr_sandbox.cornerstone.filters import span
from hr_sandbox.cornerstone.store import KEY, MOVED
from hr_sandbox.http.messages import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hr_sandbox.cornerstone.query import Query
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.cornerstone.tables import EntitySet

SCANNED = 200_000  # rows in bulk that are looked at one by one
Position = list[Any]


class Selection:
    """The rows of the company, then those in bulk, then those that stand twice."""

    def __init__(self, store: Store, table: EntitySet, query: Query, twice: Sequence[Row] = ()) -> None:
        """Find the rows.

        Args:
            store: where they are.
            table: what is read.
            query: what is asked for.
            twice: rows that stand once more at the end.
        """
        self._bulk = store.bulk
        self._table = table
        part = query.condition

        def meant(row: Row) -> bool:
            return part is None or part.test(lambda column: store.value(table, row, column))

        self.rows = [row for row in store.rows(table.name) if meant(row)]
        self.twice = [row for row in twice if meant(row)]
        if query.order:
            for column, down in reversed(query.order):
                self.rows.sort(key=lambda row: _sortable(store.value(table, row, column)), reverse=down)
        self.places: Sequence[int] = range(0)
        if size := self._bulk.size(table.name):
            if query.order:
                raise ApiError(error_response(BROKEN, "The execution timed out."))
            self.places = self._meant(query, size, meant)

    def _meant(self, query: Query, size: int, meant: Any) -> Sequence[int]:  # noqa: ANN401  a test of a row
        if query.condition is None:
            return range(size)
        name = self._table.name
        first, end = span(query.condition.bounds)
        places = range(
            0 if first is None else self._bulk.since(name, first),
            size if end is None else self._bulk.since(name, end),
        )
        if query.condition.only:
            return places
        if len(places) > SCANNED:
            raise ApiError(error_response(BROKEN, "The execution timed out."))
        return [place for place in places if meant(self._bulk.row(name, place))]

    def __len__(self) -> int:
        """How many rows there are, each once."""
        return len(self.rows) + len(self.places)

    @property
    def end(self) -> int:
        """Where the last row ends."""
        return len(self) + len(self.twice)

    def after(self, position: Position) -> int:
        """Where the page behind a row begins; a row that changed meanwhile stands at the end again."""
        kind, *where = position
        if kind == "row":
            moved, *key = where
            return bisect_right(self.rows, (moved, tuple(key)), key=lambda row: (row[MOVED], row[KEY]))
        if kind == "bulk":
            return len(self.rows) + bisect_right(self.places, where[0])
        return int(where[0])

    def position(self, index: int) -> Position:
        """What names the row before an index."""
        place = index - 1 - len(self.rows)
        if place < 0:
            row = self.rows[index - 1]
            return ["row", row[MOVED], *row[KEY]]
        return ["bulk", self.places[place]] if place < len(self.places) else ["place", index]

    def cut(self, start: int, end: int) -> tuple[list[Row], Sequence[int], list[Row]]:
        """The rows between two indexes."""
        mine, whole = len(self.rows), len(self)
        places = self.places[max(start - mine, 0) : max(end - mine, 0)]
        return self.rows[start:end], places, self.twice[max(start - whole, 0) : max(end - whole, 0)]


def _sortable(value: Any) -> tuple[bool, Any]:  # noqa: ANN401  any of OData
    return value is not None, 0 if value is None else value
