"""SQL that brings one spool segment into its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_duckdb.database import quoted

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.tables import Table

#: The segment's rows as they came, in forms of the spool.
SPOOL = "temp.main._spool"
_OLD = "temp.main._old"


@dataclass(frozen=True)
class Value:
    """What a column of the table gets from a row of the spool.

    Attributes:
        column: The column's name in the table.
        sql: An expression over the spool's columns, of the column's type.
        place: The place of the property in the stream's columns; None for what every record carries.
    """

    column: str
    sql: str
    place: int | None = None


def append(connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value]) -> None:
    """Adds every row, in order."""
    columns = ", ".join(quoted(value.column) for value in values)
    expressions = ", ".join(value.sql for value in values)
    connection.execute(f"INSERT INTO {table.sql} ({columns}) SELECT {expressions} FROM {SPOOL} ORDER BY line")  # noqa: S608 - quoted names


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
    by_column = {value.column: value for value in values}
    key_sql = ", ".join(by_column[key].sql for key in keys)
    same = " AND ".join(f"t.{quoted(key)} = k.{quoted(key)}" for key in keys)
    names = ", ".join(f"{by_column[key].sql} AS {quoted(key)}" for key in keys)
    key_rows = f"(SELECT DISTINCT {names} FROM {SPOOL})"  # noqa: S608 - quoted names
    others = [name for name in table.columns if name not in by_column]
    if others or partial:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE _old AS SELECT t.* FROM {table.sql} AS t JOIN {key_rows} AS k ON {same}"  # noqa: S608 - quoted names
        )
    rows = _merged_rows(values, key_sql) if partial else _last_rows(values, key_sql)
    connection.execute(f"DELETE FROM {table.sql} AS t USING {key_rows} AS k WHERE {same}")  # noqa: S608 - quoted names
    columns = ", ".join(quoted(name) for name in [*by_column, *others])
    if not (others or partial):
        connection.execute(f"INSERT INTO {table.sql} ({columns}) {rows}")
        return
    expressions = [
        f"CASE WHEN k.has_{value.place} THEN k.{quoted(value.column)} ELSE t.{quoted(value.column)} END"
        if partial and value.place is not None
        else f"k.{quoted(value.column)}"
        for value in values
    ] + [f"t.{quoted(name)}" for name in others]
    connection.execute(
        f"INSERT INTO {table.sql} ({columns}) SELECT {', '.join(expressions)} FROM ({rows}) AS k"  # noqa: S608 - quoted names
        f" LEFT JOIN {_OLD} AS t ON {same}"
    )
    connection.execute(f"DROP TABLE {_OLD}")


def _last_rows(values: list[Value], key_sql: str) -> str:
    expressions = ", ".join(f"{value.sql} AS {quoted(value.column)}" for value in values)
    return (
        f"SELECT {expressions} FROM {SPOOL}"  # noqa: S608 - quoted names
        f" QUALIFY row_number() OVER (PARTITION BY {key_sql} ORDER BY line DESC) = 1"
    )


def _merged_rows(values: list[Value], key_sql: str) -> str:
    """Per key, each column from the last row that carries it, no older than the last whole record."""
    expressions = []
    for value in values:
        if value.place is None:
            expressions.append(f"arg_max_null({value.sql}, line) AS {quoted(value.column)}")
            continue
        carries = f"line >= base AND (carried IS NULL OR list_contains(carried, {value.place}))"
        expressions.append(f"arg_max_null({value.sql}, line) FILTER (WHERE {carries}) AS {quoted(value.column)}")
        expressions.append(f"bool_or({carries}) AS has_{value.place}")
    base = f"coalesce(max(line) FILTER (WHERE carried IS NULL) OVER (PARTITION BY {key_sql}), 0) AS base"
    return (
        f"SELECT {', '.join(expressions)} FROM (SELECT *, {base} FROM {SPOOL})"  # noqa: S608 - quoted names
        f" GROUP BY {key_sql}"
    )
