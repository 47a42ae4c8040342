"""Finds or creates each stream's table. Columns may be widened but are never narrowed."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb

from target_duckdb import types
from target_duckdb.database import REJECTED_TABLE, STATE_TABLE, literal, no_row_matches, quoted
from target_duckdb.errors import LineError, TargetError
from target_duckdb.names import free_name, match_keys
from target_duckdb.type_fit import canonical_text_sql, has_canonical_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger("target-duckdb")

# Keys in the comment of a table, for the stream that it belongs to.
_STREAM, _STAGING = "singer_stream", "singer_aside"
_REJECTED = {"stream": "VARCHAR", "record": "JSON", "reason": "VARCHAR", "received": "TIMESTAMPTZ"}
_REJECTED_NAME = re.compile(rf"{REJECTED_TABLE}(_\d+)?")


@dataclass
class Table:
    """A table in the database.

    Attributes:
        connection: A connection in a transaction.
        stream: The stream that it holds.
        sql: Its full name, quoted.
        keys: The stream's key properties.
        name: Its name.
        recorded_keys: The key properties recorded in the database. They differ from `keys` in case only.
        columns: Types by column name, without generated columns. Empty if the table does not exist yet.
        generated: Names of generated columns.
        column_defaults: SQL of column defaults, by column name.
        version: The version of its rows, if the table was overwritten.
        staging: Whether it is a staging table, whose version is not activated yet.
        column_names: Columns by property, where the names differ.
        flattened: Lower-case names of the objects that have, or once had, flattened columns.
        former_key_types: Former types of key columns that are text now, in which each value has one canonical text.
        has_foreign_comment: Whether the user has set a comment, which is kept.
        is_empty: Whether it was created in this transaction and has no rows yet.
    """

    connection: duckdb.DuckDBPyConnection
    stream: str
    sql: str
    keys: tuple[str, ...]
    name: str
    recorded_keys: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    generated: frozenset[str] = frozenset()
    column_defaults: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    staging: bool = False
    column_names: dict[str, str] = field(default_factory=dict)
    flattened: frozenset[str] = frozenset()
    former_key_types: dict[str, list[str]] = field(default_factory=dict)
    has_foreign_comment: bool = False
    is_empty: bool = False

    @property
    def comment(self) -> str:
        """The comment as JSON. It records the stream and its key, because the table has no PRIMARY KEY."""
        note: dict[str, Any] = {
            _STAGING if self.staging else _STREAM: self.stream,
            "key_properties": list(self.recorded_keys or self.keys),
        }
        if self.version is not None:
            note["version"] = self.version
        if self.column_names:
            note["columns"] = self.column_names
        if self.flattened:
            note["apart"] = sorted(self.flattened)
        if self.former_key_types:
            note["former_types"] = self.former_key_types
        return json.dumps(note, ensure_ascii=False)

    def write_comment(self) -> None:
        """Writes the comment to the database."""
        self.connection.execute(f"COMMENT ON TABLE {self.sql} IS {literal(self.comment)}")

    def find_column(self, name: str) -> str | None:
        """Returns the column of a property, None if there is none. Ignores case."""
        name = self.column_names.get(name, name)
        return next((column for column in self.columns if column.lower() == name.lower()), None)

    def save_column_names(self, names: Mapping[str, str], flattened: Iterable[str]) -> None:
        """Records in the comment what later runs cannot tell from the column names.

        Args:
            names: Columns by property.
            flattened: Names of objects that have flattened columns.
        """
        before = self.column_names, self.flattened
        self.column_names = self.column_names | {name: column for name, column in names.items() if name != column}
        self.flattened |= {name.lower() for name in flattened}
        if before != (self.column_names, self.flattened) and self.columns and not self.has_foreign_comment:
            self.write_comment()

    def canonical_types_of(self, column: str, type_: str) -> list[str]:
        """Returns the types whose values have a canonical text in a text key column, so that keys stay equal.

        Adds and records the type, unless the column already holds values of that type as other text.
        """
        known = self.former_key_types.get(column, [])
        if type_ not in known and has_canonical_text(type_):
            differs = f"{quoted(column)} <> {canonical_text_sql(quoted(column), [*known, type_])}"
            if self.is_empty or no_row_matches(self.connection, self.sql, differs):
                self._save_former_type(column, type_)
        return self.former_key_types.get(column, known)

    def _save_former_type(self, column: str, type_: str) -> None:
        self.former_key_types = {**self.former_key_types, column: [*self.former_key_types.get(column, []), type_]}
        if not self.has_foreign_comment:
            self.write_comment()

    def ensure_columns(self, wanted: Mapping[str, str]) -> None:
        """Creates the table, adds missing columns, and widens columns that are too narrow.

        Args:
            wanted: Types by column name.

        Raises:
            TargetError: A view has the table's name, or an index or a constraint prevents widening.
        """
        if not self.columns:
            columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in wanted.items())
            try:
                self.connection.execute(f"CREATE TABLE {self.sql} ({columns})")
            except duckdb.CatalogException:
                raise TargetError(
                    f"The table of stream '{self.stream}' cannot be created: a view has its name. Rename or drop it."
                ) from None
            self.columns = dict(wanted)
            self.is_empty = True
            self.write_comment()
            if self.name != self.stream and not self.staging:
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
        wide = types.common_type(old, new)
        if not no_row_matches(self.connection, self.sql, types.lossy_sql(quoted(name), old, wide)):
            wide = "VARCHAR"
        if wide == old:
            return
        value = types.convert(quoted(name), old, wide)
        try:
            self.connection.execute(f"ALTER TABLE {self.sql} ALTER COLUMN {quoted(name)} TYPE {wide} USING {value}")
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.DependencyException):
            raise TargetError(
                f"Column '{name}' of the table of stream '{self.stream}' must become {wide}, but an index or a"
                " constraint depends on it: drop that first."
            ) from None
        self.columns[name] = wide
        if wide == "VARCHAR" and name in {self.find_column(key) for key in self.keys}:
            self._save_former_type(name, old)
        logger.warning(
            "Stream '%s': column '%s' was widened from %s to %s to hold all values.", self.stream, name, old, wide
        )


class Tables:
    """The tables of one schema.

    Args:
        connection: A connection in a transaction.
        catalog: The database's name.
        schema: The schema's name. It is created if it does not exist.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._catalog = catalog
        # Includes the catalog, because `schema.table` is ambiguous if the file is named like the schema.
        self._prefix = f"{quoted(self._catalog)}.{quoted(schema)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._prefix}")
        # Read once for all streams: listing the catalog takes DuckDB milliseconds.
        self._comments: dict[str, str | None] = dict(
            self._list("SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?")
        )
        self._columns: dict[str, dict[str, str]] = {}
        self._staging_tables: dict[str, Table] = {}
        self._generated: set[tuple[str, str]] = set()
        self._defaults: dict[str, dict[str, str]] = {}
        for table, column, type_, generated, default in self._list(
            "SELECT table_name, column_name, data_type, is_generated, column_default FROM duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? ORDER BY column_index"
        ):
            columns = self._columns.setdefault(table, {})
            if generated:
                self._generated.add((table, column))
                continue
            columns[column] = types.LONG_NAMES.get(type_, type_)
            if default not in {None, "NULL"}:
                self._defaults.setdefault(table, {})[column] = default

    def _list(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, [self._catalog, self._schema]).fetchall()

    def sql_name(self, table: str) -> str:
        """Returns the full name of a table, quoted."""
        return f"{self._prefix}.{quoted(table)}"

    def open(self, stream: str, keys: tuple[str, ...]) -> Table:
        """Finds the table of a stream.

        Args:
            stream: The stream's name.
            keys: Its key properties.

        Returns:
            The table. Without columns if it does not exist yet.

        Raises:
            TargetError: The table has another key.
        """
        name, note = self._find(stream)
        table = Table(self._connection, stream, self.sql_name(name), keys, name, version=_version(note))
        table.column_names, table.flattened = _column_names(note), _flattened(note)
        table.former_key_types = _former_key_types(note)
        if name not in self._comments:
            self._comments[name] = table.comment
            return table
        known = note.get("key_properties")
        if known is None:
            known = self._primary_key(name)
        if known is not None:
            table.recorded_keys = tuple(known)
            try:
                keys = table.keys = match_keys(stream, table.recorded_keys, keys)
            except LineError as error:
                sentence = str(error)
                raise TargetError(sentence[0].upper() + sentence[1:]) from None
        table.columns = self._columns.get(name, {})
        table.generated = frozenset(column for owner, column in self._generated if owner == name)
        table.column_defaults = self._defaults.get(name, {})
        if self._comments[name] is None:
            table.write_comment()
        else:
            table.has_foreign_comment = not note
        return table

    def _find(self, stream: str) -> tuple[str, dict[str, Any]]:
        notes = {name: _parse_comment(comment) for name, comment in self._comments.items()}
        for name, note in notes.items():
            if note.get(_STREAM) == stream:
                return name, note
        # Names of other streams' tables are taken, even if they differ only in case.
        taken = {name.lower() for name, note in notes.items() if note.keys() & {_STREAM, _STAGING}}
        taken |= {STATE_TABLE, REJECTED_TABLE, *filter(self._is_rejected, notes)}
        name = free_name(stream, taken)
        name = next((existing for existing in notes if existing.lower() == name.lower()), name)
        return name, notes.get(name, {})

    def rejected_table(self) -> str:
        """Finds or creates the table for rejected records. Avoids tables of that name with other columns."""
        views = "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ?"
        taken = {name.lower() for (name,) in self._list(views)}
        for name in self._comments:
            if self._is_rejected(name):
                return name
            taken.add(name.lower())
        name = free_name(REJECTED_TABLE, taken)
        columns = ", ".join(f"{column} {type_}" for column, type_ in _REJECTED.items())
        self._connection.execute(f"CREATE TABLE {self.sql_name(name)} ({columns})")
        self._comments[name], self._columns[name] = None, dict(_REJECTED)
        return name

    def _is_rejected(self, name: str) -> bool:
        known = _REJECTED_NAME.fullmatch(name) and not _parse_comment(self._comments[name])
        return bool(known) and _REJECTED.items() <= self._columns.get(name, {}).items()

    def _find_staging(self, main: Table) -> tuple[str | None, dict[str, Any]]:
        """Returns the name of a stream's staging table, None if there is none, and its parsed comment."""
        notes = {name: _parse_comment(comment) for name, comment in self._comments.items()}
        return next(((name, note) for name, note in notes.items() if note.get(_STAGING) == main.stream), (None, {}))

    def staged_version(self, main: Table) -> int | None:
        """Returns the version in a stream's staging table, None if there is none."""
        return _version(self._find_staging(main)[1])

    def staging(self, main: Table, version: int) -> Table:
        """Finds or creates the staging table, which holds the rows of a version until it is activated.

        A staging table with an older version is dropped, because the new version replaces it.

        Args:
            main: The stream's table.
            version: The version, not older than the staged one.

        Returns:
            The staging table, created with the columns of the stream's table.
        """
        known = self._staging_tables.get(main.stream)
        if known is not None and known.version == version:
            return known
        name, note = self._find_staging(main)
        columns: dict[str, str] = {}
        if name is not None and _version(note) == version:
            columns = self._columns[name]
        elif name is not None:
            self._connection.execute(f"DROP TABLE {self.sql_name(name)}")
        name = name or free_name(f"{main.name}__next", {name.lower() for name in self._comments})
        sql = self.sql_name(name)
        table = Table(self._connection, main.stream, sql, main.keys, name, main.recorded_keys)
        table.columns, table.version, table.staging = columns, version, True
        table.column_names, table.flattened, table.column_defaults = (
            main.column_names,
            main.flattened,
            main.column_defaults,
        )
        table.former_key_types = _former_key_types(note) if columns else main.former_key_types
        if columns:
            table.save_column_names(_column_names(note), _flattened(note))
        else:
            table.ensure_columns(main.columns)
            for column, default in main.column_defaults.items():
                self._connection.execute(f"ALTER TABLE {sql} ALTER COLUMN {quoted(column)} SET DEFAULT {default}")
            self._comments[name], self._columns[name] = table.comment, table.columns
        self._staging_tables[main.stream] = table
        return table

    def swap(self, main: Table, staging: Table) -> Table:
        """Replaces a stream's table by its staging table.

        Returns:
            The stream's new table.

        Raises:
            TargetError: Another object depends on the old table.
        """
        try:
            self._connection.execute(f"DROP TABLE {main.sql}")
        except (duckdb.CatalogException, duckdb.DependencyException):
            raise TargetError(
                f"The table of stream '{main.stream}' cannot be replaced: drop the objects that refer to it first."
            ) from None
        self._connection.execute(f"ALTER TABLE {staging.sql} RENAME TO {quoted(main.name)}")
        del self._comments[staging.name], self._columns[staging.name], self._staging_tables[main.stream]
        self._generated = {place for place in self._generated if place[0] != main.name}
        table = replace(staging, sql=main.sql, name=main.name, staging=False)
        table.write_comment()
        self._comments[main.name], self._columns[main.name] = table.comment, table.columns
        self._defaults[main.name] = table.column_defaults
        return table

    def _primary_key(self, table: str) -> list[str] | None:
        rows = self._list(
            "SELECT table_name, constraint_column_names FROM duckdb_constraints()"
            " WHERE database_name = ? AND schema_name = ? AND constraint_type = 'PRIMARY KEY'"
        )
        return next((list(columns) for name, columns in rows if name == table), None)


def _version(note: dict[str, Any]) -> int | None:
    version = note.get("version")
    return version if isinstance(version, int) else None


def _column_names(note: dict[str, Any]) -> dict[str, str]:
    columns = note.get("columns")
    columns = columns if isinstance(columns, dict) else {}
    return {name: column for name, column in columns.items() if isinstance(column, str)}


def _former_key_types(note: dict[str, Any]) -> dict[str, list[str]]:
    found = note.get("former_types")
    items = found.items() if isinstance(found, dict) else ()
    return {column: [*map(str, names)] for column, names in items if isinstance(names, list)}


def _flattened(note: dict[str, Any]) -> frozenset[str]:
    names = note.get("apart")
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _parse_comment(comment: str | None) -> dict[str, Any]:
    """Parses a comment written by this target. Empty for any other comment."""
    try:
        note = json.loads(comment or "")
    except ValueError:
        return {}
    return note if isinstance(note, dict) and isinstance(note.get("key_properties"), list) else {}
