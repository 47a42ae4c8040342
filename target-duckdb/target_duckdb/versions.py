"""The version of a row never goes down: a record of an older version, or of none, changes the row's values only."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_duckdb.columns import TABLE_VERSION
from target_duckdb.database import quoted
from target_duckdb.merge import SPOOL

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from target_duckdb.merge import Value
    from target_duckdb.tables import Table

_NEWEST_VERSIONS = "temp.main._newest"


def version_sql(expression: str, type_: str = "VARCHAR") -> str:
    """SQL for the version in a column of any type; NULL for what is none."""
    return expression if type_ == "BIGINT" else f"TRY_CAST({expression} AS HUGEINT)"


@contextmanager
def keep_newest_versions(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str]
) -> Iterator[None]:
    """Gives rows that are upserted meanwhile the newest version that they had or came with; of none, the newest known.

    Two full reads may overlap in one table, and a run that reads changes only may send no versions. Where their records
    took a version away, the activation of the newer one would delete rows that it holds.

    Args:
        connection: A connection in a transaction.
        table: The table, not changed yet.
        values: What each column gets.
        keys: The table's key columns.
    """
    column = table.find_column(TABLE_VERSION)
    newest = None if column is None else _newest_known_version(connection, table, column)
    if column is None or newest is None:
        yield
        return
    sql = {value.column: value.sql for value in values}
    names = [f"k{position}" for position in range(len(keys))]
    incoming = ", ".join(f"{sql[key]} AS {name}" for key, name in zip(keys, names, strict=True))
    existing = ", ".join(f"t.{quoted(key)}" for key in keys)
    same = " AND ".join(f"t.{quoted(key)} = k.{name}" for key, name in zip(keys, names, strict=True))
    version = version_sql(f"t.{quoted(column)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _newest AS WITH came AS (SELECT {incoming}, s.version FROM {SPOOL} AS s)"  # noqa: S608 - quoted names
        f" SELECT {', '.join(names)}, coalesce(max(version), {newest}) AS version FROM (FROM came UNION ALL"
        f" SELECT {existing}, {version} FROM {table.sql} AS t SEMI JOIN came AS k ON {same}) GROUP BY {', '.join(names)}"
    )
    yield
    connection.execute(
        f"UPDATE {table.sql} AS t SET {quoted(column)} = k.version FROM {_NEWEST_VERSIONS} AS k WHERE {same}"  # noqa: S608 - quoted names
        f" AND {version} IS DISTINCT FROM k.version"
    )
    connection.execute(f"DROP TABLE {_NEWEST_VERSIONS}")


def fill_versions(connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value]) -> list[Value]:
    """The values of rows that are added, those without a version with the newest known one."""
    column = table.find_column(TABLE_VERSION)
    newest = None if column is None else _newest_known_version(connection, table, column)
    if column is None or newest is None:
        return values
    version = f"coalesce(s.version, CAST({newest} AS {table.columns[column]}))"
    return [replace(value, sql=version) if value.column == column else value for value in values]


def newest_version(connection: duckdb.DuckDBPyConnection, table: Table) -> int | None:
    """The newest version in a table, if it holds any."""
    column = table.find_column(TABLE_VERSION)
    if column is None or table.is_empty:
        return None
    version = version_sql(quoted(column), table.columns[column])
    (newest,) = _fetch_one(connection, f"SELECT max({version}) FROM {table.sql}")  # noqa: S608 - quoted names
    return None if newest is None else int(newest)


def _newest_known_version(connection: duckdb.DuckDBPyConnection, table: Table, column: str) -> int | None:
    """The newest version in the table and the spool, if a version could go down."""
    rows, oldest, newest, numbered = _fetch_one(
        connection,
        f"SELECT count(*), min(s.version), max(s.version), count(s.version) FROM {SPOOL} AS s",  # noqa: S608 - own names
    )
    if numbered == rows and oldest == newest and not table.is_empty:
        # Most tables hold none that is newer, which DuckDB knows without a look at their rows.
        version = version_sql(quoted(column), table.columns[column])
        newer = f"SELECT count(*) FROM (SELECT 1 FROM {table.sql} WHERE {version} > {oldest:d} LIMIT 1)"  # noqa: S608 - quoted names
        if not _fetch_one(connection, newer)[0]:
            return None
    elif numbered == rows and oldest == newest:
        return None
    known = [version for version in (newest_version(connection, table), newest) if version is not None]
    return max(known, default=None)


def _fetch_one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    (row,) = connection.execute(sql).fetchall()
    return tuple(row)
