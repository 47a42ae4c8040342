"""The tables of a DuckDB file, and where they refer to people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_duckdb import types
from target_duckdb.database import quote_identifier, quote_literal
from target_duckdb.own_tables import PERSON_COLUMNS, REJECTED, TABLES
from target_duckdb.people import RECORD, Located, json_sql, locate_rejected, when_sql
from target_duckdb.references import Reference
from target_duckdb.table_notes import read_notes

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.table_notes import TableNote


@dataclass
class FileTable:
    """A table of the file.

    Attributes:
        schema: Its schema.
        name: Its name.
        sql: Its full name, quoted.
        columns: Types by column name, except generated columns.
        keys: Its key columns, if it is known.
        stream: The stream that is loaded into it. None: it is not the table of a stream.
        fields: Where it refers to people.
        paths: Protection class by path, with the name of the column first.
        is_outdated: Whether an earlier version of the loader loaded it, so that its references are not known.
    """

    schema: str
    name: str
    sql: str
    columns: dict[str, str]
    keys: tuple[str, ...] = ()
    stream: str | None = None
    fields: list[Located] = field(default_factory=list)
    paths: dict[tuple[str, ...], str] = field(default_factory=dict)
    is_outdated: bool = False

    @property
    def full_name(self) -> str:
        """The name for reports."""
        return f"{self.schema}.{self.name}"

    def protection_of(self, column: str) -> str:
        """Returns the protection class of a column, empty if it has none."""
        return self.paths.get((column,), "")

    @property
    def all_classes(self) -> dict[str, set[str]]:
        """The protection classes of each column, and of the values within it."""
        found: dict[str, set[str]] = {}
        for path, protection in self.paths.items():
            found.setdefault(path[0], set()).add(protection)
        return found

    def find_column(self, name: str) -> str | None:
        """Returns the column of a name, ignoring case."""
        return next((column for column in self.columns if column.lower() == name.lower()), None)

    def locate(self, reference: Reference, names: dict[str, str], schema: str) -> Located | None:
        """Returns where the values of a reference are. None: the table has no column for them.

        Args:
            reference: The reference.
            names: Columns by property, where the names differ.
            schema: The schema to which the ids belong.
        """
        column = self.find_column(names.get(reference.path[0], reference.path[0]))
        if column is None:
            return None
        sql = f"t.{quote_identifier(column)}"
        when = None
        if reference.when:
            other = self.find_column(names.get(reference.when[0], reference.when[0]))
            when = when_sql(f"t.{quote_identifier(other)}", reference.when[1]) if other else "false"
        return Located(
            reference, schema, column, sql, json_sql(sql, self.columns[column]), when, in_key=column in self.keys
        )


def read_tables(connection: duckdb.DuckDBPyConnection, catalog: str) -> list[FileTable]:
    """Returns the tables of a database.

    Args:
        connection: A connection.
        catalog: The database's name.
    """
    tables: dict[tuple[str, str], FileTable] = {}
    for schema, name, column, type_, generated in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, is_generated FROM duckdb_columns()"
        " SEMI JOIN duckdb_tables() USING (database_name, schema_name, table_name)"
        " WHERE database_name = ? ORDER BY table_oid, column_index",
        [catalog],
    ).fetchall():
        sql = ".".join(map(quote_identifier, (catalog, schema, name)))
        table = tables.setdefault((schema, name), FileTable(schema, name, sql, {}))
        if not generated:
            table.columns[column] = types.LONG_NAMES.get(type_, type_)
    for table in list(tables.values()):
        if TABLES.is_name(table.name) and _has_columns(table, TABLES.types, TABLES.added):
            _apply_notes(connection, tables, table)
    for table in list(tables.values()):
        if table.name == PERSON_COLUMNS.name and _has_columns(table, PERSON_COLUMNS.types):
            _apply_declarations(connection, tables, table)
    for table in tables.values():
        if REJECTED.is_name(table.name) and _has_columns(table, REJECTED.types):
            table.fields = _find_rejected_fields(table, [*tables.values()])
    return list(tables.values())


def _has_columns(table: FileTable, wanted: dict[str, str], added: frozenset[str] = frozenset()) -> bool:
    return {name: type_ for name, type_ in wanted.items() if name not in added}.items() <= table.columns.items()


def _apply_notes(
    connection: duckdb.DuckDBPyConnection, tables: dict[tuple[str, str], FileTable], notes_table: FileTable
) -> None:
    """Applies what the loader knows of the tables of a schema."""
    is_current = TABLES.types.items() <= notes_table.columns.items()
    notes = read_notes(connection, notes_table.sql) if is_current else None
    if notes is None:
        rows = connection.execute(f"SELECT table_name, stream FROM {notes_table.sql}").fetchall()  # noqa: S608 - quoted names
        for name, stream in rows:
            if table := tables.get((notes_table.schema, name)):
                table.stream, table.is_outdated = stream, True
        return
    for name, note in notes.items():
        if table := tables.get((notes_table.schema, name)):
            _apply_note(table, note)


def _apply_note(table: FileTable, note: TableNote) -> None:
    names = {**note.column_names}
    keys = (table.find_column(names.get(key, key)) for key in note.keys)
    table.keys = tuple(key for key in keys if key)
    table.stream, table.is_outdated = note.stream, note.references is None
    for reference in note.references or ():
        located = table.locate(reference, names, table.schema)
        if located is None:
            continue
        if reference.form:
            table.fields.append(located)
        if reference.protection:
            path = (located.column, *reference.path[1:])
            table.paths[path] = reference.protection


def _apply_declarations(
    connection: duckdb.DuckDBPyConnection, tables: dict[tuple[str, str], FileTable], declarations: FileTable
) -> None:
    """Applies what a table `_person_columns` says of other tables, such as those that models build."""
    columns = ", ".join(PERSON_COLUMNS.columns)
    rows: list[tuple[Any, ...]] = connection.execute(f"SELECT {columns} FROM {declarations.sql}").fetchall()  # noqa: S608 - quoted names
    for schema, name, column, raw_schema, raw_table, space, form, is_mention, when_column, when_value in rows:
        table = tables.get((schema, name))
        if table is None or table.stream is not None:
            continue
        if column is None:
            raw = tables.get((raw_schema, raw_table))
            copied = ((item, table.locate(item.reference, {}, raw_schema)) for item in raw.fields) if raw else ()
            table.fields += [replace(located, in_key=item.in_key) for item, located in copied if located]
            table.keys = table.keys or (raw.keys if raw else ())
            known = raw.paths if raw else {}
            table.paths |= {path: name for path, name in known.items() if path[0] in table.columns}
            continue
        when = (when_column, when_value) if when_column else None
        path = (column,)
        reference = Reference(
            path, f"direct_id.{form}", form or "", space or "", is_mention=bool(is_mention), when=when
        )
        if located := table.locate(reference, {}, raw_schema or schema):
            table.fields.append(located)


def _find_rejected_fields(table: FileTable, tables: list[FileTable]) -> list[Located]:
    """Returns where the records in a table `_rejected` refer to people."""
    return [
        locate_rejected(item.reference, table.schema, f"t.{RECORD}", f"t.stream = {quote_literal(other.stream)}")
        for other in tables
        if other.schema == table.schema and other.stream is not None
        for item in other.fields
    ]
