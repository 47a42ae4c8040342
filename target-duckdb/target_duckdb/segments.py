"""Rows of one stream that wait together in one file of the spool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from target_duckdb.columns import Column
    from target_duckdb.spool import SpoolFile

#: What each row has beside its columns: time of arrival (microseconds since 1970), version, time of extraction, places
#: of the columns that a mark of deletion carries, number of its part, and the mark of deletion itself.
ROW_FIELDS = {
    "received": "BIGINT",
    "version": "BIGINT",
    "extracted": "VARCHAR",
    "carried": "USMALLINT[]",
    "part": "USMALLINT",
    "deleted": "VARCHAR",
}


class Part(NamedTuple):
    """The rows of a segment that have the same columns.

    Attributes:
        number: The part's number; None for the first, which most segments consist of.
        places: Where the columns stand among those of the segment.
        fields: The names of all that a row holds, `deleted` last.
    """

    number: int | None
    places: tuple[int, ...]
    fields: tuple[str, ...]


@dataclass
class Segment:
    """Rows in whose columns no name has two types: of one schema, or of several that a tap sends by turns.

    Attributes:
        file: Where they wait.
        version: The version of its first row: of all its rows where versions are kept apart.
        columns: The columns of all parts; number n is field `c<n>` of the file.
        parts: Rows of a part touch its columns only.
        partial: Whether some row is a mark of deletion, which touches only the columns that it carries.
    """

    file: SpoolFile
    version: int | None = None
    columns: list[Column] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    partial: bool = False

    def __post_init__(self) -> None:
        self._places: dict[str, int] = {}
        self._by_columns: dict[tuple[Column, ...], Part] = {}

    def part(self, columns: tuple[Column, ...]) -> Part | None:
        """The part for rows of these columns; None where a name has another type in this segment."""
        known = self._by_columns.get(columns)
        if known is not None:
            return known
        for column in columns:
            place = self._places.get(column.name)
            if place is not None and self.columns[place] != column:
                return None
        for column in columns:
            if column.name not in self._places:
                self._places[column.name] = len(self.columns)
                self.columns.append(column)
        places = tuple(self._places[column.name] for column in columns)
        names = [name for name in ROW_FIELDS if name != "deleted"]
        fields = (*names, *(f"c{place}" for place in places), "deleted")
        part = Part(len(self.parts) or None, places, fields)
        self.parts.append(part)
        self._by_columns[columns] = part
        return part

    def carries(self, place: int) -> str:
        """SQL that says whether a row of the spool `s` carries a column."""
        numbers = [str(part.number or 0) for part in self.parts if place in part.places]
        whole = "true" if len(numbers) == len(self.parts) else f"coalesce(s.part, 0) IN ({', '.join(numbers)})"
        return f"CASE WHEN s.carried IS NULL THEN {whole} ELSE list_contains(s.carried, {place}) END"
