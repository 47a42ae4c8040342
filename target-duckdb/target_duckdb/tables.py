"""Finds or creates each stream's table. Columns may be widened but are never narrowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from target_duckdb import types
from target_duckdb.database import quote_identifier
from target_duckdb.errors import LineError, TargetError
from target_duckdb.names import free_name, match_keys
from target_duckdb.own_tables import FORGOTTEN, OWN_TABLES, STATE, TABLES, OwnTable
from target_duckdb.table import Table
from target_duckdb.table_notes import SchemaChange, TableNote, parse_comment, read_notes, write_notes

if TYPE_CHECKING:
    from target_duckdb.forgotten import Forgotten


class Tables:
    """The tables of one schema.

    Args:
        connection: A connection in a transaction.
        catalog: The database's name.
        schema: The schema's name. It is created if it does not exist.
        is_empty: Whether the database has no tables.

    Attributes:
        changes: The changes to tables in this transaction.
        has_forgotten: Whether the database has a table with the marks of people who were erased.
        forgotten: These people, if there are any.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: str, schema: str, *, is_empty: bool = False
    ) -> None:
        self.changes: list[SchemaChange] = []
        self.has_forgotten = False
        self.forgotten: Forgotten | None = None
        self._connection = connection
        self._schema = schema
        self._catalog = catalog
        # Includes the catalog, because `schema.table` is ambiguous if the file is named like the schema.
        self._prefix = f"{quote_identifier(self._catalog)}.{quote_identifier(schema)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._prefix}")
        self._comments: dict[str, dict[str, str]] = {}
        self._columns: dict[str, dict[str, str]] = {}  # of views, too
        self._generated: set[tuple[str, str]] = set()
        self._defaults: dict[str, dict[str, str]] = {}
        if not is_empty:
            self._read_catalog()
        self._tables: dict[str, Table] = {}  # opened, by name
        self._notes: dict[str, TableNote] = self._note_comments()
        self._stored: dict[str, TableNote] = {}
        if name := self._find_own(TABLES):
            self._add_columns(TABLES, name)
            self._stored = read_notes(connection, self.sql_name(name))
        names = {name.lower(): name for name in self._comments}
        self._notes |= {names[name.lower()]: note for name, note in self._stored.items() if name.lower() in names}

    def _read_catalog(self) -> None:
        """Reads all tables and columns of the schema at once: a query about the catalog takes DuckDB milliseconds."""
        for owner, table, comment in self._fetch_rows(
            "SELECT schema_name, table_name, comment FROM duckdb_tables()"
            " WHERE database_name = ? AND schema_name IN (?, 'main')"
        ):
            self.has_forgotten |= (owner, table) == ("main", FORGOTTEN.name)
            if owner == self._schema:
                self._comments[table] = {"": comment} if comment else {}
        for table, column, type_, generated, default, comment in self._fetch_rows(
            "SELECT table_name, column_name, data_type, is_generated, column_default, comment FROM duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? ORDER BY column_index"
        ):
            columns = self._columns.setdefault(table, {})
            if generated:
                self._generated.add((table, column))
                continue
            columns[column] = types.LONG_NAMES.get(type_, type_)
            if default not in {None, "NULL"}:
                self._defaults.setdefault(table, {})[column] = default
            if comment and table in self._comments:
                self._comments[table][column] = comment

    def _fetch_rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, [self._catalog, self._schema]).fetchall()

    def _note_comments(self) -> dict[str, TableNote]:
        """Returns the notes that earlier versions kept in comments, which it removes."""
        notes = {}
        for name, comments in self._comments.items():
            if note := parse_comment(comments.get("")):
                self._connection.execute(f"COMMENT ON TABLE {self.sql_name(name)} IS NULL")
                del comments[""]
                notes[name] = note
        return notes

    @property
    def notes(self) -> list[TableNote]:
        """What is known of the tables of streams."""
        return list((self._notes | {name: table.note for name, table in self._tables.items()}).values())

    def save_notes(self) -> None:
        """Records what later runs have to know of the tables."""
        notes = self._notes | {name: table.note for name, table in self._tables.items()}
        changed = {name: note for name, note in notes.items() if note != self._stored.get(name)}
        removed = self._stored.keys() - notes.keys()
        if changed or removed:
            write_notes(self._connection, self.sql_name(self.open_own_table(TABLES)), changed, removed)

    def sql_name(self, table: str) -> str:
        """Returns the full name of a table, quoted."""
        return f"{self._prefix}.{quote_identifier(table)}"

    def open_table(self, stream: str, keys: tuple[str, ...]) -> Table:
        """Finds the table of a stream.

        Args:
            stream: The stream's name.
            keys: Its key properties.

        Returns:
            The table. Without columns if it does not exist yet.

        Raises:
            TargetError: The table has another key.
        """
        name = self._find_table_name(stream)
        note = self._notes.get(name)
        table = self._tables[name] = Table(
            self._connection, stream, self.sql_name(name), keys, name, changes=self.changes
        )
        if note is not None:
            _apply_note(note, table)
        if name not in self._comments:
            self._comments[name] = {}
            self._notes[name] = table.note
            return table
        known = self._primary_key(name) if note is None else note.keys
        if known is not None:
            table.recorded_keys = tuple(known)
            try:
                table.keys = match_keys(stream, table.recorded_keys, keys)
            except LineError as error:
                sentence = str(error)
                raise TargetError(sentence[0].upper() + sentence[1:]) from None
        table.columns = self._columns.get(name, {})
        table.generated = frozenset(column for owner, column in self._generated if owner == name)
        table.column_defaults, table.comments = self._defaults.get(name, {}), self._comments[name]
        self._notes[name] = table.note
        return table

    def set_sent_columns(self, name: str, sent: frozenset[str]) -> list[str]:
        """Records the columns that the tap sends. Returns the columns that the table has but the tap no longer sends.

        Args:
            name: The name of the table.
            sent: The columns.
        """
        note = self._tables[name].note if name in self._tables else self._notes[name]
        if name in self._tables:
            self._tables[name].sent_columns = sent
        else:
            self._notes[name] = replace(note, sent_columns=sent)
        return [column for column in self._columns.get(name, ()) if column in note.sent_columns - sent]

    def _find_table_name(self, stream: str) -> str:
        for name, note in self._notes.items():
            if note.stream == stream and not note.staging:
                return name
        # Names of other streams' tables are taken, even if they differ only in case.
        taken = {name.lower() for name in self._notes} | {STATE.name}
        for own in OWN_TABLES:
            taken |= {own.name, *(name for name in self._comments if self._is_own(own, name))}
        name = free_name(stream, taken)
        return next((existing for existing in self._comments if existing.lower() == name.lower()), name)

    def open_own_table(self, table: OwnTable) -> str:
        """Finds or creates one of the target's own tables. Avoids tables of that name with other columns."""
        if name := self._find_own(table):
            return name
        taken = {name.lower() for name in (*self._comments, *self._columns)}
        return self._create_own_table(table, free_name(table.name, taken))

    def state_table(self) -> str:
        """Finds or creates the table for states, which has the same name in every schema."""
        return STATE.name if STATE.name in self._comments else self._create_own_table(STATE, STATE.name)

    def _create_own_table(self, table: OwnTable, name: str) -> str:
        sql = self.sql_name(name)
        for statement in table.create_sql(sql):
            self._connection.execute(statement)
        self._comments[name], self._columns[name] = {}, table.types
        return name

    def _find_own(self, table: OwnTable) -> str | None:
        return next((name for name in self._comments if self._is_own(table, name)), None)

    def _is_own(self, table: OwnTable, name: str) -> bool:
        is_known = table.is_name(name) and name not in self._notes
        required = {column: type_ for column, type_ in table.types.items() if column not in table.added}
        return is_known and required.items() <= self._columns.get(name, {}).items()

    def _add_columns(self, table: OwnTable, name: str) -> None:
        """Adds the columns that a file of an earlier version lacks."""
        for column in table.columns.keys() - self._columns[name].keys():
            self._connection.execute(f"ALTER TABLE {self.sql_name(name)} ADD COLUMN {column} {table.types[column]}")
            self._columns[name][column] = table.types[column]

    def _find_staging(self, main: Table) -> tuple[str | None, TableNote | None]:
        """Returns the name of a stream's staging table and what is recorded of it, None if there is none."""
        found = ((name, note) for name, note in self._notes.items() if note.staging and note.stream == main.stream)
        return next(found, (None, None))

    def find_staged_version(self, main: Table) -> int | None:
        """Returns the version in a stream's staging table, None if there is none."""
        _, note = self._find_staging(main)
        return note.version if note else None

    def open_staging_table(self, main: Table, version: int) -> Table:
        """Finds or creates the staging table, which holds the rows of a version until it is activated.

        A staging table with an older version is dropped, because the new version replaces it.

        Args:
            main: The stream's table.
            version: The version, not older than the staged one.

        Returns:
            The staging table, created with the columns of the stream's table.
        """
        name, note = self._find_staging(main)
        if name in self._tables and self._tables[name].version == version:
            return self._tables[name]
        is_known = name is not None and note is not None and note.version == version
        if name is not None and not is_known:
            self._connection.execute(f"DROP TABLE {self.sql_name(name)}")
        name = name or free_name(f"{main.name}__next", {name.lower() for name in self._comments})
        table = self._tables[name] = Table(
            self._connection,
            main.stream,
            self.sql_name(name),
            main.keys,
            name,
            main.recorded_keys,
            changes=self.changes,
        )
        _apply_note(main.note, table)
        table.column_defaults, table.version, table.staging = main.column_defaults, version, True
        if is_known and note is not None:
            table.columns, table.comments = self._columns[name], self._comments[name]
            table.former_key_types, table.written_comments = {**note.former_key_types}, {**note.comments}
            table.save_column_names(note.column_names, note.flattened)
        else:
            table.ensure_columns(main.columns)
            for column, default in main.column_defaults.items():
                self._connection.execute(
                    f"ALTER TABLE {table.sql} ALTER COLUMN {quote_identifier(column)} SET DEFAULT {default}"
                )
            for column, text in main.comments.items():
                if not column or column in main.columns:
                    table.write_comment(column, text)
            self._comments[name], self._columns[name] = table.comments, table.columns
        self._notes[name] = table.note
        return table

    def replace_by_staging(self, main: Table, staging: Table) -> Table:
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
        self._connection.execute(f"ALTER TABLE {staging.sql} RENAME TO {quote_identifier(main.name)}")
        del self._comments[staging.name], self._columns[staging.name]
        del self._tables[staging.name], self._notes[staging.name]
        self._generated = {place for place in self._generated if place[0] != main.name}
        table = self._tables[main.name] = replace(staging, sql=main.sql, name=main.name, staging=False)
        self.changes.append(SchemaChange(main.name, "table replaced"))
        for column, type_ in table.columns.items():
            old = main.columns.get(column)
            if old != type_:
                change = "column widened" if old else "column added"
                self.changes.append(SchemaChange(main.name, change, column, old, type_))
        self._notes[main.name] = table.note
        self._comments[main.name], self._columns[main.name] = table.comments, table.columns
        self._defaults[main.name] = table.column_defaults
        return table

    def _primary_key(self, table: str) -> list[str] | None:
        rows = self._fetch_rows(
            "SELECT table_name, constraint_column_names FROM duckdb_constraints()"
            " WHERE database_name = ? AND schema_name = ? AND constraint_type = 'PRIMARY KEY'"
        )
        return next((list(columns) for name, columns in rows if name == table), None)


def _apply_note(note: TableNote, table: Table) -> None:
    """Applies what is recorded of a table."""
    table.version, table.sent_columns, table.fragment_since = note.version, note.sent_columns, note.fragment_since
    table.privacy, table.references = note.privacy, note.references
    table.column_names, table.flattened = {**note.column_names}, note.flattened
    table.former_key_types, table.written_comments = {**note.former_key_types}, {**note.comments}
