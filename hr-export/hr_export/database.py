"""The tables of a DuckDB file: which are exported, their columns, keys, and what tells whether they have changed."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import duckdb

from hr_export.types import HUGE_AS_DECIMAL, TEXT, exported_type, has_huge, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MODELS = ("hr", "hr_metrics")
OWN_TABLES = r"_(tables|rejected|forgotten|runs|run_streams|schema_changes|singer_state|person_columns)(_\d+)?"
"""Tables that `target-duckdb` and the models keep for themselves, some of them with records or people."""
NOTE_COLUMNS = ("table_name", "is_staging", "key_properties", "column_names")
RUN_COLUMNS = ("run_id", "status", "started_at", "ended_at")
DELETED_AT = "_sdc_deleted_at"


class ExportError(Exception):
    """Something that prevents an export. The message is a sentence that says what to do."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        source_type: Its type in the DuckDB file.
        type: Its type in the copy, as DuckDB calls it.
        description: Its comment.
    """

    name: str
    source_type: str
    type: str
    description: str | None


@dataclass(frozen=True)
class Table:
    """A table, as it is exported.

    Attributes:
        schema: Its schema.
        name: Its name.
        description: Its comment.
        columns: Its columns.
        key: The columns that identify a row; empty if there are none, or several rows have the same values in them.
        rows: Number of rows.
        fingerprint: A hash of the columns, the key and the rows in any order. The probability that a change does not
            change it is 2^-64.
        select: The query for its rows, in the types of the copy.
    """

    schema: str
    name: str
    description: str | None
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rows: int
    fingerprint: str
    select: str

    @property
    def full_name(self) -> str:
        """Its name with the schema, for messages."""
        return f"{self.schema}.{self.name}"


def file_name(name: str) -> str:
    """The name of a file or folder for a name in the database: the same, or one with a hash if it is unusual."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        return name
    return f"{re.sub('[^A-Za-z0-9_-]', '_', name[:80])}-{sha256(name.encode()).hexdigest()[:12]}"


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a file read-only, in one transaction.

    Args:
        path: The DuckDB file.

    Yields:
        The connection, in UTC.

    Raises:
        ExportError: The file does not exist, is not a DuckDB file, or is in use.
    """
    if not path.is_file():
        raise ExportError(f"The file {path} does not exist: load data first, or name the file with --database.")
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        # The message of another failure may hold contents of the file.
        if "lock" in str(error):
            raise ExportError(
                f"The file {path} is in use by another process: run this again when that process has ended."
            ) from None
        raise ExportError(
            f"The file {path} cannot be read as a DuckDB file: name the file that `target-duckdb` loads into."
        ) from None
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("BEGIN TRANSACTION")
        yield connection


def choose_schemas(connection: duckdb.DuckDBPyConnection, chosen: Sequence[str]) -> list[str]:
    """The schemas to export.

    Args:
        connection: A connection.
        chosen: Their names; by default those that the loader loads into, and those of the models.

    Raises:
        ExportError: A schema does not exist, or there is none.
    """
    known = {schema for (schema,) in connection.execute("SELECT schema_name FROM duckdb_tables()").fetchall()}
    for schema in chosen:
        if schema not in known:
            raise ExportError(f"There is no schema {schema} with tables: name some of {', '.join(sorted(known))}.")
    found = list(chosen) or sorted({*own_tables(connection, "_tables", NOTE_COLUMNS), *known.intersection(MODELS)})
    if not found:
        raise ExportError("No schema was loaded by `target-duckdb`: name the schemas to export with --schemas.")
    return found


def read_loads(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The last run of the loader, by schema, of those schemas that it loads into."""
    tables = own_tables(connection, "_runs", RUN_COLUMNS)
    found = {}
    for schema in schemas:
        if table := tables.get(schema):
            columns = ", ".join(f"{name}::VARCHAR AS {name}" for name in RUN_COLUMNS)
            query = f"SELECT {columns} FROM {table} AS run ORDER BY run.started_at DESC LIMIT 1"
            for row in connection.execute(query).fetchall():
                found[schema] = dict(zip(RUN_COLUMNS, row, strict=True))
    return found


def read_tables(connection: duckdb.DuckDBPyConnection, schema: str, *, with_deleted: bool) -> Iterator[Table]:
    """Yields the tables of a schema, without the loader's own.

    Args:
        connection: A connection.
        schema: The schema.
        with_deleted: Whether rows that are marked as deleted are exported.
    """
    staging: set[str] = set()
    keys: dict[str, Sequence[str]] = dict(
        connection.execute(
            "SELECT table_name, constraint_column_names FROM duckdb_constraints()"
            " WHERE schema_name = ? AND constraint_type = 'PRIMARY KEY'",
            [schema],
        ).fetchall()
    )
    streams: set[str] = set()
    if table := own_tables(connection, "_tables", NOTE_COLUMNS).get(schema):
        for name, is_staging, properties, names in connection.execute(
            f"SELECT {', '.join(NOTE_COLUMNS)} FROM {table}"
        ).fetchall():
            (staging if is_staging else streams).add(name)
            column_names = json.loads(names or "{}")
            keys[name] = [column_names.get(one, one) for one in properties or ()] or keys.get(name, ())
    comments: dict[str, dict[str, str | None]] = {}
    for name, column, comment in connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = ?", [schema]
    ).fetchall():
        comments.setdefault(name, {})[column] = comment
    for name, comment in connection.execute(
        "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = ? ORDER BY ALL", [schema]
    ).fetchall():
        if name not in staging and (name in streams or not re.fullmatch(OWN_TABLES, name)):
            source = f"{quote(schema)}.{quote(name)}"
            if not with_deleted and DELETED_AT in comments[name]:
                source += f" WHERE {DELETED_AT} IS NULL"
            columns = read_columns(connection, source, comments[name])
            select = f"SELECT {', '.join(map(as_exported, columns))} FROM {source}"
            key, rows, fingerprint = examine(connection, select, columns, keys.get(name, ()))
            yield Table(schema, name, comment or None, columns, key, rows, fingerprint, select)


def read_columns(
    connection: duckdb.DuckDBPyConnection, source: str, comments: Mapping[str, str | None]
) -> tuple[Column, ...]:
    """Reads the columns of a table.

    Args:
        connection: A connection.
        source: The table as SQL, with the condition of the exported rows.
        comments: The comments of the columns.
    """
    relation = connection.sql(f"FROM {source} LIMIT 0")
    kinds = dict(zip(relation.columns, relation.types, strict=True))
    too_large = set()
    if huge := [name for name, kind in kinds.items() if has_huge(kind)]:
        # Where a value cannot be cast, it becomes NULL, also within a nested one.
        lost = ", ".join(
            f"bool_or(TRY_CAST({quote(name)} AS {exported_type(kinds[name])})::VARCHAR"
            f" IS DISTINCT FROM {quote(name)}::VARCHAR)"
            for name in huge
        )
        (row,) = connection.execute(f"SELECT {lost} FROM {source}").fetchall()
        too_large = {name for name, is_lost in zip(huge, row, strict=True) if is_lost}
    return tuple(
        Column(
            name,
            str(kind),
            exported_type(kind, TEXT if name in too_large else HUGE_AS_DECIMAL),
            comments.get(name) or None,
        )
        for name, kind in kinds.items()
    )


def as_exported(column: Column) -> str:
    """A column as SQL, in the type of the copy."""
    name = quote(column.name)
    return name if column.type == column.source_type else f"CAST({name} AS {column.type}) AS {name}"


def examine(
    connection: duckdb.DuckDBPyConnection, select: str, columns: Sequence[Column], key: Sequence[str]
) -> tuple[tuple[str, ...], int, str]:
    """Counts and hashes the rows of a table.

    Args:
        connection: A connection.
        select: The query for its rows.
        columns: Its columns.
        key: The columns that should identify a row.

    Returns:
        The columns that do, the number of rows, and the fingerprint.
    """
    names = {column.name.lower(): column.name for column in columns}
    found = tuple(names[name.lower()] for name in key if name.lower() in names)
    distinct = "NULL"
    if found and len(found) == len(key):
        known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in found)
        distinct = f"count(DISTINCT ({', '.join(map(quote, found))},)) FILTER ({known})"
    values = ", ".join(quote(column.name) for column in columns)
    ((rows, hashes, different),) = connection.execute(
        f"SELECT count(*), sum(hash({values})), {distinct} FROM ({select})"
    ).fetchall()
    identifying = found if different == rows else ()
    content = (duckdb.__version__, columns, identifying, rows, hashes)
    return identifying, rows, sha256(repr(content).encode()).hexdigest()


def own_tables(connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str]) -> dict[str, str]:
    """The full names, quoted, of one of the loader's own tables, by schema.

    Args:
        connection: A connection.
        name: Its name. It has a suffix where the user has a table of that name.
        columns: Columns that it has.
    """
    found = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_columns()"
        " WHERE regexp_full_match(table_name, ? || '(_\\d+)?') AND list_contains(?, column_name)"
        " GROUP BY ALL HAVING count(*) = ? ORDER BY ALL DESC",
        [name, [*columns], len(columns)],
    )
    return {schema: f"{quote(schema)}.{quote(table)}" for schema, table in found.fetchall()}
