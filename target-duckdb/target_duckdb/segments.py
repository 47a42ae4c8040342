"""Rows of one stream that wait together in one file of the spool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_duckdb.columns import Column
    from target_duckdb.spool import SpoolFile

#: Between the names of an object and of its property in that of a flat column: the SDK's, and the published loader's.
SEPARATOR = "__"
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
        objects: Flat names of the objects whose properties are columns of their own.
    """

    number: int | None
    positions: tuple[int, ...]
    fields: tuple[str, ...]
    flattened_objects: frozenset[str]


@dataclass
class Segment:
    """Rows in whose columns no name has two types: of one schema, or of several that a tap sends by turns.

    Attributes:
        file: Where they wait.
        version: The version of its first row: of all its rows where versions are kept apart.
        columns: The columns of all parts; number n is field `c<n>` of the file.
        parts: Rows of a part touch its columns only.
        separator: What stands between the names of an object and of its property in that of a flat column.
        partial: Whether some row is a mark of deletion, which touches only the columns that it carries.
    """

    file: SpoolFile
    version: int | None = None
    columns: list[Column] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    has_deletion_marks: bool = False
    separator: str = SEPARATOR

    def __post_init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._spellings: dict[str, set[str]] = {}
        self._by_columns: dict[tuple[tuple[Column, ...], frozenset[str]], Part] = {}

    def part(self, columns: tuple[Column, ...], flattened_objects: frozenset[str] = frozenset()) -> Part | None:
        """The part for rows of these columns; None where a name has another type in this segment."""
        known = self._by_columns.get((columns, flattened_objects))
        if known is not None:
            return known
        own = {column.name for column in columns}
        for column in columns:
            position = self._positions.get(column.name)
            if position is not None and self.columns[position] != column:
                return None
            # A name that is written anew has the same column in the table, which one segment cannot fill twice.
            if not self._spellings.get(column.name.lower(), own) <= own:
                return None
        for column in columns:
            if column.name not in self._positions:
                self._positions[column.name] = len(self.columns)
                self._spellings.setdefault(column.name.lower(), set()).add(column.name)
                self.columns.append(column)
        positions = tuple(self._positions[column.name] for column in columns)
        names = [name for name in ROW_FIELDS if name != "deleted"]
        fields = (*names, *(f"c{position}" for position in positions), "deleted")
        part = Part(len(self.parts) or None, positions, fields, flattened_objects)
        self.parts.append(part)
        self._by_columns[columns, flattened_objects] = part
        return part

    @property
    def schemas(self) -> list[list[str]]:
        """The names of the columns of each part."""
        return [[self.columns[position].name for position in part.positions] for part in self.parts]

    def source_columns(self, name: str, flattened: Collection[str]) -> dict[int, list[int]]:
        """Which columns say what the rows of each part hold in a column of the table.

        That is the column itself; or flat ones of an object, whose own column then holds nothing; or a whole object,
        whose flat columns then hold nothing.

        Args:
            name: The property of that column, or its name where no property is known.
            apart: Objects that have flat columns in the table.

        Returns:
            Their places, by number of the part; a part that leaves the column as it is does not occur.
        """
        own = self._positions.get(name)
        found = {}
        for part in self.parts:
            if own is not None and own in part.positions:
                found[part.number or 0] = [own]
                continue
            names = {position: self.columns[position].name.lower() for position in part.positions} if flattened else {}
            if name.lower() in map(str.lower, part.flattened_objects):
                start = name.lower() + self.separator
                positions = [position for position, other in names.items() if other.startswith(start)]
            else:
                wholes = {position: other + self.separator for position, other in names.items() if other in flattened}
                positions = [position for position, start in wholes.items() if name.lower().startswith(start)]
            if positions:
                found[part.number or 0] = positions
        return found

    def is_present_sql(self, source_columns: Mapping[int, list[int]]) -> str | None:
        """SQL that says whether a row of the spool `s` has a column's value; None where all have.

        Args:
            sources: As `sources` gives them.
        """
        in_some_parts = len(source_columns) < len(self.parts)
        in_part = f"coalesce(s.part, 0) IN ({', '.join(map(str, source_columns))})" if in_some_parts else "true"
        if not self.has_deletion_marks:
            return in_part if in_some_parts else None
        positions = ", ".join(
            str(position) for position in sorted({position for part in source_columns.values() for position in part})
        )
        return f"CASE WHEN s.carried IS NULL THEN {in_part} ELSE list_has_any(s.carried, [{positions}]) END"
