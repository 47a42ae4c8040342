"""The steps of a batch for one stream. A step loads the rows of a spool file or activates a version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_duckdb.columns import Column
    from target_duckdb.spool import SpoolFile

#: Separates the names of an object and its property in a flattened column name, as in the SDK.
SEPARATOR = "__"
#: Fields of each row besides its columns: arrival time (microseconds since 1970), version, extraction time, positions
#: of the columns present in a deletion mark, number of its part, and the deletion mark itself.
ROW_FIELDS = {
    "received": "BIGINT",
    "version": "BIGINT",
    "extracted": "VARCHAR",
    "present": "USMALLINT[]",
    "part": "USMALLINT",
    "deleted": "VARCHAR",
}


@dataclass(frozen=True)
class ActivateVersion:
    """A step that deletes all rows of the stream with an older version.

    Attributes:
        version: The version to activate.
        after_rows: Whether rows of this version or an older one preceded it in this run.
        needs_rows: Whether it has no effect unless the table has rows of this very version.
    """

    version: int
    after_rows: bool = True
    needs_rows: bool = False


class Part(NamedTuple):
    """The rows of a segment that have the same columns.

    Attributes:
        number: The number of the part, None for the first.
        positions: The positions of its columns in the segment.
        fields: The names of the spooled fields, `deleted` last.
        flattened_objects: Flat names of the objects that were flattened.
    """

    number: int | None
    positions: tuple[int, ...]
    fields: tuple[str, ...]
    flattened_objects: frozenset[str]


@dataclass
class Segment:
    """Rows of one schema, or of several that agree on the type of every column.

    Attributes:
        file: The spool file.
        rows: The number of its rows.
        version: The version of its first row. The version of all rows if versions are separated.
        columns: The columns of all parts. Column n is field `c<n>` of the file.
        parts: Rows of a part update only the columns of that part.
        has_deletion_marks: Whether it has deletion marks, which update only the columns that they contain.
        separator: Separates the names of an object and its property in a flattened column name.
    """

    file: SpoolFile
    version: int | None = None
    columns: list[Column] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    has_deletion_marks: bool = False
    separator: str = SEPARATOR
    rows: int = 0

    def __post_init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._spellings: dict[str, set[str]] = {}
        self._by_columns: dict[tuple[tuple[Column, ...], frozenset[str]], Part] = {}

    def find_part(self, columns: tuple[Column, ...], flattened_objects: frozenset[str] = frozenset()) -> Part | None:
        """Returns the part for rows with the given columns, or None if a column has another type in this segment."""
        known = self._by_columns.get((columns, flattened_objects))
        if known is not None:
            return known
        own = {column.name for column in columns}
        for column in columns:
            position = self._positions.get(column.name)
            if position is not None and self.columns[position] != column:
                return None
            # Names that differ only in case share a table column, which one segment cannot fill twice.
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
        """The column names of each part."""
        return [[self.columns[position].name for position in part.positions] for part in self.parts]

    def find_source_columns(self, name: str, flattened: Collection[str]) -> dict[int, list[int]]:
        """Finds the spooled columns that determine a table column in each part.

        These are the column itself; or the flattened columns of an object, which set the object's own column to NULL;
        or an object that is not flattened, which sets the flattened columns to NULL.

        Args:
            name: The property of the table column, or the column's name if the property is unknown.
            flattened: Names of objects that have flattened columns in the table.

        Returns:
            Positions by number of the part. Parts that do not update the column are left out.
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
                prefixes = {position: other + self.separator for position, other in names.items() if other in flattened}
                positions = [position for position, start in prefixes.items() if name.lower().startswith(start)]
            if positions:
                found[part.number or 0] = positions
        return found

    def is_present_sql(self, source_columns: Mapping[int, list[int]]) -> str | None:
        """Returns SQL for whether a row of the spool `s` updates a column, None if all rows do.

        Args:
            source_columns: As returned by `source_columns`.
        """
        in_some_parts = len(source_columns) < len(self.parts)
        in_part = f"coalesce(s.part, 0) IN ({', '.join(map(str, source_columns))})" if in_some_parts else "true"
        if not self.has_deletion_marks:
            return in_part if in_some_parts else None
        positions = ", ".join(
            str(position) for position in sorted({position for part in source_columns.values() for position in part})
        )
        return f"CASE WHEN s.present IS NULL THEN {in_part} ELSE list_has_any(s.present, [{positions}]) END"
