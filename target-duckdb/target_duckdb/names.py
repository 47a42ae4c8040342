"""Assigns columns to properties: names are case-insensitive in DuckDB but case-sensitive in Singer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from target_duckdb.errors import LineError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


def assign_names(
    wanted: Iterable[str],
    existing: Iterable[str],
    reserved: Iterable[str] = (),
    column_names: Mapping[str, str] | None = None,
    schemas: Iterable[Collection[str]] | None = None,
) -> dict[str, str]:
    """Assigns each name a name that is unique in DuckDB, which ignores case.

    Names that differ only in case are the same property, unless one schema has both. A name keeps the column recorded
    for it. Otherwise it gets the existing column of exactly that name, or a new one; a name that differs only in case
    from an earlier one in its schema gets `_2`, `_3` and so on. The result is the same in every run over a table.

    Args:
        wanted: The names in the input.
        existing: The names in the database.
        reserved: Names in the database that cannot be loaded into.
        column_names: The names recorded in the database, by name in the input. No other name gets these.
        schemas: Names that occur together, by default all wanted names.

    Returns:
        The name to use, by wanted name.
    """
    wanted = list(dict.fromkeys(wanted))
    names = _Names(existing, reserved, column_names or {}, wanted, [wanted] if schemas is None else schemas)
    for step in (names.assign_recorded, names.assign_exact, names.assign_suffixed, names.assign_new):
        for name in wanted:
            if name not in names.assigned:
                step(name)
    return {name: names.assigned[name] for name in wanted}


class _Names:
    def __init__(
        self,
        existing: Iterable[str],
        reserved: Iterable[str],
        column_names: Mapping[str, str],
        wanted: Collection[str],
        schemas: Iterable[Collection[str]],
    ) -> None:
        self.assigned: dict[str, str] = {}
        self._columns = {name.lower(): name for name in existing}
        self._existing = dict(self._columns)
        self._unavailable = {name.lower() for name in reserved}
        self._wanted = frozenset(wanted)
        self._schemas = [frozenset(names) for names in schemas]
        self._recorded = {
            name: self._existing[column.lower()]
            for name, column in column_names.items()
            if column.lower() in self._existing
        }
        self._owners: dict[str, set[str]] = {}
        for name, column in self._recorded.items():
            if name not in self._wanted:
                self._owners.setdefault(column.lower(), set()).add(name)

    def _are_separate(self, one: str, other: str) -> bool:
        return one.lower() != other.lower() or any(one in names and other in names for names in self._schemas)

    def _is_free(self, name: str, column: str) -> bool:
        owners = self._owners.get(column.lower(), ())
        return column.lower() not in self._unavailable and not any(self._are_separate(name, owner) for owner in owners)

    def _assign_column(self, name: str, column: str) -> None:
        self.assigned[name] = column
        self._columns.setdefault(column.lower(), column)
        self._owners.setdefault(column.lower(), set()).add(name)

    def assign_recorded(self, name: str) -> None:
        """Assigns the recorded column, unless it is now the exact name of another property."""
        column = self._recorded.get(name)
        if column is None or not self._is_free(name, column):
            return
        if column not in self._wanted or column.lower() != name.lower() or not self._are_separate(name, column):
            self._assign_column(name, column)

    def assign_exact(self, name: str) -> None:
        """Assigns the existing column of exactly that name."""
        if self._existing.get(name.lower()) == name and self._is_free(name, name):
            self._assign_column(name, name)

    def assign_suffixed(self, name: str) -> None:
        """Assigns an existing column with a suffix, for tables without recorded names."""
        if name.lower() not in self._existing.keys() | self._unavailable:
            return
        pattern = re.compile(re.escape(name) + r"_(\d+)")
        taken = self._owners.keys() | self._unavailable
        by_suffix = {
            int(match[1]): found
            for found in self._existing.values()
            if (match := pattern.fullmatch(found)) and found.lower() not in taken
        }
        if by_suffix:
            self._assign_column(name, by_suffix[min(by_suffix)])

    def assign_new(self, name: str) -> None:
        """Assigns a column that differs only in case, or a new one."""
        column = name.replace("\0", "_") or "_"
        if not self._is_free(name, column):
            column = free_name(name, {*self._owners, *self._unavailable})
        self._assign_column(name, self._columns.get(column.lower(), column))


def free_name(name: str, taken: set[str]) -> str:
    """Returns the name, with a numeric suffix if it is taken in any case."""
    base = candidate = name.replace("\0", "_") or "_"
    number = 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{base}_{number}"
    return candidate


def match_keys(stream: str, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the new key properties in the order of the old ones. Their case may differ.

    Args:
        stream: The stream's name.
        old: The known key properties.
        new: The key properties of the SCHEMA message.

    Raises:
        LineError: The keys differ.
    """
    spelled = {name.lower(): name for name in new} | {name: name for name in new}
    names = tuple(spelled.get(name, spelled.get(name.lower(), "")) for name in old)
    if set(names) != set(new) or len(old) != len(new):
        raise LineError(_key_change_message(stream, old, new))
    return names


def _key_change_message(stream: str, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """Returns the error message for a changed key."""
    return (
        f"the key of stream '{stream}' was ({', '.join(old) or 'none'}) and is now ({', '.join(new) or 'none'}):"
        " rename or drop its table and load the stream again in full."
    )
