"""Row versions never decrease: a record with an older version, or with none, updates the row but not its version."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_duckdb.columns import TABLE_VERSION
from target_duckdb.database import quote_identifier
from target_duckdb.merge import SPOOL

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from target_duckdb.merge import Value
    from target_duckdb.table import Table

_NEWEST_VERSIONS = "temp.main._newest"


def version_sql(expression: str, type_: str = "VARCHAR") -> str:
    """Returns SQL for the version in a column of any type, NULL if it is not a number."""
    return expression if type_ == "BIGINT" else f"TRY_CAST({expression} AS HUGEINT)"


@contextmanager
def keep_newest_versions(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str]
) -> Iterator[None]:
    """Sets upserted rows to the newest of their old and new versions, or to the newest known one if they have none.

    Full reads may overlap in one table, and incremental runs may send no versions. If their records lowered a row's
    version, activating the newer version would delete the row.

    Args:
        connection: A connection in a transaction.
        table: The table before the upsert.
        values: The values of the columns.
        keys: The key columns of the table.
    """
    column = table.find_column(TABLE_VERSION)
    newest = None if column is None else _newest_known_version(connection, table, column)
    if column is None or newest is None:
        yield
        return
    sql = {value.column: value.sql for value in values}
    names = [f"k{position}" for position in range(len(keys))]
    incoming = ", ".join(f"{sql[key]} AS {name}" for key, name in zip(keys, names, strict=True))
    existing = ", ".join(f"t.{quote_identifier(key)}" for key in keys)
    same = " AND ".join(f"t.{quote_identifier(key)} = k.{name}" for key, name in zip(keys, names, strict=True))
    version = version_sql(f"t.{quote_identifier(column)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _newest AS WITH incoming AS (SELECT {incoming}, s.version FROM {SPOOL} AS s)"  # noqa: S608 - quoted names
        f" SELECT {', '.join(names)}, coalesce(max(version), {newest}) AS version FROM (FROM incoming UNION ALL"
        f" SELECT {existing}, {version} FROM {table.sql} AS t SEMI JOIN incoming AS k ON {same})"
        f" GROUP BY {', '.join(names)}"
    )
    yield
    connection.execute(
        f"UPDATE {table.sql} AS t SET {quote_identifier(column)} = k.version FROM {_NEWEST_VERSIONS} AS k WHERE {same}"  # noqa: S608 - quoted names
        f" AND {version} IS DISTINCT FROM k.version"
    )
    connection.execute(f"DROP TABLE {_NEWEST_VERSIONS}")


def fill_missing_versions(connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value]) -> list[Value]:
    """Returns the values with the newest known version for rows that have no version."""
    column = table.find_column(TABLE_VERSION)
    newest = None if column is None else _newest_known_version(connection, table, column)
    if column is None or newest is None:
        return values
    version = f"coalesce(s.version, CAST({newest} AS {table.columns[column]}))"
    return [replace(value, sql=version) if value.column == column else value for value in values]


def newest_version(connection: duckdb.DuckDBPyConnection, table: Table) -> int | None:
    """Returns the newest version in a table, None if it has none."""
    column = table.find_column(TABLE_VERSION)
    if column is None or table.is_empty:
        return None
    version = version_sql(quote_identifier(column), table.columns[column])
    (newest,) = _fetch_one(connection, f"SELECT max({version}) FROM {table.sql}")  # noqa: S608 - quoted names
    return None if newest is None else int(newest)


def _newest_known_version(connection: duckdb.DuckDBPyConnection, table: Table, column: str) -> int | None:
    """Returns the newest version in the table and the spool, None if no version could decrease."""
    rows, oldest, newest, numbered = _fetch_one(
        connection,
        f"SELECT count(*), min(s.version), max(s.version), count(s.version) FROM {SPOOL} AS s",  # noqa: S608 - own names
    )
    if not rows:  # all were left out
        return None
    if numbered == rows and oldest == newest and not table.is_empty:
        # Usually the table has no newer version, which DuckDB can tell from its statistics.
        version = version_sql(quote_identifier(column), table.columns[column])
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
