"""SQL that brings the rows of one spool segment into their table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_duckdb.database import quoted

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.tables import Table

#: The segment's rows as they came, in forms of the spool. Always read as `s`: a stream's columns may have any name, so
#: only qualified names and numbers are safe. Nothing is ever deleted from it: `rowid` says in which order rows came.
SPOOL = "temp.main._spool"
_OLD = "temp.main._old"


@dataclass(frozen=True)
class Value:
    """What a column of the table gets from a row of the spool.

    Attributes:
        column: The column's name in the table.
        sql: An expression over the spool `s`, of the column's type.
        place: The place of the property in the stream's columns; None for what every record carries.
    """

    column: str
    sql: str
    place: int | None = None


def append(connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value]) -> None:
    """Adds every row; DuckDB keeps their order."""
    columns = ", ".join(quoted(value.column) for value in values)
    expressions = ", ".join(value.sql for value in values)
    connection.execute(f"INSERT INTO {table.sql} ({columns}) SELECT {expressions} FROM {SPOOL} AS s")  # noqa: S608 - quoted names


def upsert(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str], *, partial: bool
) -> None:
    """Replaces the rows whose keys came, and adds the others; of several rows with one key the last wins.

    Columns of the table that the stream does not have keep what they hold.

    Args:
        connection: A connection in a transaction.
        table: The table, with all columns that the values name.
        values: What each column gets.
        keys: The table's key columns.
        partial: Whether some rows are marks of deletion, which touch only the columns that they carry.
    """
    number = {value.column: place for place, value in enumerate(values)}
    key_sql = ", ".join(values[number[key]].sql for key in keys)
    same = " AND ".join(f"t.{quoted(key)} = k.v{number[key]}" for key in keys)
    key_columns = ", ".join(f"{values[number[key]].sql} AS v{number[key]}" for key in keys)
    key_rows = f"(SELECT DISTINCT {key_columns} FROM {SPOOL} AS s)"  # noqa: S608 - quoted names
    others = [name for name in table.columns if name not in number]
    with_old = bool(others) or partial
    if with_old:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE _old AS SELECT t.* FROM {table.sql} AS t SEMI JOIN {key_rows} AS k ON {same}"  # noqa: S608 - quoted names
        )
    connection.execute(f"DELETE FROM {table.sql} AS t USING {key_rows} AS k WHERE {same}")  # noqa: S608 - quoted names
    columns = ", ".join(quoted(name) for name in [*number, *others])
    rows = _merged_rows(values, key_sql) if partial else _last_rows(connection, values, key_sql)
    if not with_old:
        connection.execute(f"INSERT INTO {table.sql} ({columns}) {rows}")
        return
    results = [
        f"CASE WHEN k.h{place} THEN k.v{place} ELSE t.{quoted(value.column)} END"
        if partial and value.place is not None
        else f"k.v{place}"
        for place, value in enumerate(values)
    ] + [f"t.{quoted(name)}" for name in others]
    connection.execute(
        f"INSERT INTO {table.sql} ({columns}) SELECT {', '.join(results)} FROM ({rows}) AS k"  # noqa: S608 - quoted names
        f" LEFT JOIN {_OLD} AS t ON {same}"
    )
    connection.execute(f"DROP TABLE {_OLD}")


def _last_rows(connection: duckdb.DuckDBPyConnection, values: list[Value], key_sql: str) -> str:
    expressions = ", ".join(f"{value.sql} AS v{place}" for place, value in enumerate(values))
    rows = f"SELECT {expressions} FROM {SPOOL} AS s"  # noqa: S608 - quoted names
    lasts = f"SELECT max(s.rowid) FROM {SPOOL} AS s GROUP BY {key_sql}"  # noqa: S608 - quoted names
    count = f"SELECT (SELECT count(*) FROM ({lasts})) = (SELECT count(*) FROM {SPOOL})"  # noqa: S608 - quoted names
    each_once = connection.execute(count).fetchall()[0][0]
    return rows if each_once else f"{rows} WHERE s.rowid IN ({lasts})"


def _merged_rows(values: list[Value], key_sql: str) -> str:
    """Per key, each column from the last row that carries it, back to the last whole record; `h<n>`: is there one?"""
    expressions = []
    for place, value in enumerate(values):
        if value.place is None:
            expressions.append(f"arg_max_null({value.sql}, s.line) AS v{place}")
            continue
        carries = f"s.line >= s.base AND (s.carried IS NULL OR list_contains(s.carried, {value.place}))"
        expressions.append(f"arg_max_null({value.sql}, s.line) FILTER (WHERE {carries}) AS v{place}")
        expressions.append(f"bool_or({carries}) AS h{place}")
    base = f"coalesce(max(s.rowid) FILTER (WHERE s.carried IS NULL) OVER (PARTITION BY {key_sql}), 0) AS base"
    return (
        f"SELECT {', '.join(expressions)} FROM (SELECT *, s.rowid AS line, {base} FROM {SPOOL} AS s) AS s"  # noqa: S608 - quoted names
        f" GROUP BY {key_sql}"
    )
