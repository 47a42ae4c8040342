"""The table of a stream: found or made, and widened, never narrowed."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from target_duckdb import types
from target_duckdb.database import literal, quoted
from target_duckdb.errors import TargetError
from target_duckdb.streams import key_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger("target-duckdb")

STATE_TABLE = "_singer_state"
_EXACT_IN_DOUBLE = 2**53


def assign_names(wanted: Iterable[str], existing: Iterable[str]) -> dict[str, str]:
    """Gives each name one that DuckDB, which does not tell upper from lower case, can keep apart.

    What exists under exactly its name keeps it; else the first comes first, and a later one that differs only in case
    gets `_2`, `_3` and so on. The answer is the same in every run over the same table.

    Args:
        wanted: The names as the tap says them.
        existing: The names in the database.

    Returns:
        The name to use, by wanted name.
    """
    wanted = list(wanted)
    present = {name.lower(): name for name in existing}
    names = {name: name for name in wanted if present.get(name.lower()) == name}
    taken = {name.lower() for name in names}
    for name in wanted:
        if name in names:
            continue
        base = candidate = name.replace("\0", "_") or "_"
        number = 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{base}_{number}"
        names[name] = present.get(candidate.lower(), candidate)
        taken.add(candidate.lower())
    return names


@dataclass
class Table:
    """A table as it is in the database.

    Attributes:
        stream: The stream that it holds.
        sql: Its full name, quoted.
        keys: The stream's key properties.
        name: Its name.
        columns: Types by column name; none where the table does not exist yet.
    """

    connection: duckdb.DuckDBPyConnection
    stream: str
    sql: str
    keys: tuple[str, ...]
    name: str
    columns: dict[str, str] = field(default_factory=dict)

    def note(self) -> None:
        """Notes in the table's comment whose table it is: without a PRIMARY KEY nothing else says its key."""
        comment = json.dumps({"singer_stream": self.stream, "key_properties": list(self.keys)}, ensure_ascii=False)
        self.connection.execute(f"COMMENT ON TABLE {self.sql} IS {literal(comment)}")

    def ensure(self, wanted: Mapping[str, str]) -> None:
        """Adds the columns that are missing and widens those that are too narrow.

        Args:
            wanted: Types by column name.
        """
        if not self.columns:
            columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in wanted.items())
            self.connection.execute(f"CREATE TABLE {self.sql} ({columns})")
            self.columns = dict(wanted)
            self.note()
            if self.name != self.stream:
                logger.warning("Stream '%s' is loaded into the table '%s'.", self.stream, self.name)
            return
        for name, type_ in wanted.items():
            if name not in self.columns:
                self.connection.execute(f"ALTER TABLE {self.sql} ADD COLUMN {quoted(name)} {type_}")
                self.columns[name] = type_
            elif self.columns[name] != type_:
                self._widen(name, type_)

    def _widen(self, name: str, new: str) -> None:
        old = self.columns[name]
        wide = types.union(old, new)
        if wide == "DOUBLE" and types.is_integer(old) and not fits_double(self.connection, self.sql, quoted(name)):
            wide = "VARCHAR"
        if wide == old:
            return
        value = types.convert(quoted(name), old, wide)
        try:
            self.connection.execute(f"ALTER TABLE {self.sql} ALTER COLUMN {quoted(name)} TYPE {wide} USING {value}")
        except (duckdb.CatalogException, duckdb.DependencyException):
            raise TargetError(
                f"Column '{name}' of the table of stream '{self.stream}' must become {wide}, but an index or a"
                " constraint stands on it: drop that first."
            ) from None
        self.columns[name] = wide
        logger.warning(
            "Stream '%s': column '%s' was %s and is %s now, so that all values fit.", self.stream, name, old, wide
        )


def fits_double(connection: duckdb.DuckDBPyConnection, source: str, expression: str) -> bool:
    """Whether DOUBLE holds each of these whole numbers exactly."""
    low, high = connection.execute(f"SELECT min({expression}), max({expression}) FROM {source}").fetchall()[0]  # noqa: S608 - quoted names
    return low is None or (low >= -_EXACT_IN_DOUBLE and high <= _EXACT_IN_DOUBLE)


class Tables:
    """The tables of one schema.

    Args:
        connection: A connection in a transaction.
        schema: The schema's name. It is made where it does not exist.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._catalog = str(connection.execute("SELECT current_database()").fetchall()[0][0])
        # With the catalog, because a file named like its schema would make `schema.table` ambiguous.
        self._prefix = f"{quoted(self._catalog)}.{quoted(schema)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._prefix}")
        self._comments = dict(
            connection.execute(
                "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?",
                [self._catalog, schema],
            ).fetchall()
        )

    def sql_name(self, table: str) -> str:
        """A table's full name, quoted."""
        return f"{self._prefix}.{quoted(table)}"

    def open(self, stream: str, keys: tuple[str, ...]) -> Table:
        """Finds the table of a stream.

        Args:
            stream: The stream's name.
            keys: Its key properties.

        Returns:
            The table. Without columns where it does not exist yet.

        Raises:
            TargetError: The table was made with another key.
        """
        name, note = self._find(stream)
        table = Table(self._connection, stream, self.sql_name(name), keys, name)
        if name not in self._comments:
            return table
        known = note.get("key_properties")
        if known is None:
            known = self._primary_key(name)
        if known is not None and sorted(known) != sorted(keys):
            sentence = key_change(stream, tuple(known), keys)
            raise TargetError(sentence[0].upper() + sentence[1:])
        table.columns = {
            column: types.LONG_NAMES.get(type_, type_)
            for column, type_ in self._connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns()"
                " WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
                [self._catalog, self._schema, name],
            ).fetchall()
        }
        if self._comments[name] is None:
            table.note()
        return table

    def _find(self, stream: str) -> tuple[str, dict[str, Any]]:
        notes = {name: _note(comment) for name, comment in self._comments.items()}
        for name, note in notes.items():
            if note.get("singer_stream") == stream:
                return name, note
        # Tables of other streams are not for this one, even where their names differ only in case.
        free = [name for name, note in notes.items() if "singer_stream" not in note and name != STATE_TABLE]
        foreign = [name for name in notes if name not in free] + [STATE_TABLE]
        name = assign_names([*foreign, stream], [*foreign, *free])[stream] if stream not in foreign else f"{stream}_2"
        return name, notes.get(name, {})

    def _primary_key(self, table: str) -> list[str] | None:
        rows = self._connection.execute(
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = ? AND schema_name = ?"
            " AND table_name = ? AND constraint_type = 'PRIMARY KEY'",
            [self._catalog, self._schema, table],
        ).fetchall()
        return list(rows[0][0]) if rows else None


def _note(comment: str | None) -> dict[str, Any]:
    """What this target once wrote into a table's comment; nothing where somebody else wrote it."""
    try:
        note = json.loads(comment or "")
    except ValueError:
        return {}
    return note if isinstance(note, dict) and isinstance(note.get("key_properties"), list) else {}
