"""SQL that merges the rows of a spool segment into a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_duckdb.database import quote_identifier

if TYPE_CHECKING:
    import duckdb

    from target_duckdb.table import Table

#: The rows of the segment in spool formats, always with the alias `s`. Columns are numbered and qualified, because the
#: columns of a stream may have any name. Rows are never deleted, so `rowid` is their order of arrival.
SPOOL = "temp.main._spool"
_OLD = "temp.main._old"
_LAST_ROWS = "temp.main._lasts"


@dataclass(frozen=True)
class Value:
    """The value of a table column for a row of the spool.

    Attributes:
        column: The column's name in the table.
        sql: An expression over the spool `s`, of the column's type.
        is_present: A condition over `s` for whether the row updates the column. None if every row does.
    """

    column: str
    sql: str
    is_present: str | None = None


def append_rows(connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value]) -> int:
    """Appends all rows in order. Returns their number."""
    table.is_empty = False
    columns = ", ".join(quote_identifier(value.column) for value in values)
    expressions = ", ".join(value.sql for value in values)
    return _count_rows(connection, f"INSERT INTO {table.sql} ({columns}) SELECT {expressions} FROM {SPOOL} AS s")  # noqa: S608 - quoted names


def upsert_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str]
) -> tuple[int, int]:
    """Replaces rows with the same key and inserts the others. The last of several rows with the same key wins.

    Table columns that are not in the stream keep their values, and get their defaults in new rows.

    Args:
        connection: A connection in a transaction.
        table: The table, with all columns of `values`.
        values: The values of the columns.
        keys: The key columns of the table.

    Returns:
        How many rows were inserted, and how many rows with the same keys they replaced.
    """
    positions = {value.column: position for position, value in enumerate(values)}
    key_sql = ", ".join(values[positions[key]].sql for key in keys)
    same = " AND ".join(f"t.{quote_identifier(key)} = k.v{positions[key]}" for key in keys)
    key_columns = ", ".join(f"{values[positions[key]].sql} AS v{positions[key]}" for key in keys)
    key_rows = f"(SELECT DISTINCT {key_columns} FROM {SPOOL} AS s)"  # noqa: S608 - quoted names
    others = [name for name in table.columns if name not in positions]
    partial = any(value.is_present for value in values)
    needs_old_rows = bool(others) or partial
    if needs_old_rows:
        kept = dict.fromkeys([*keys, *others, *(value.column for value in values if value.is_present)])
        old = f"SELECT {', '.join(f't.{quote_identifier(name)}' for name in kept)} FROM {table.sql} AS t"  # noqa: S608 - quoted names
        connection.execute(f"CREATE OR REPLACE TEMP TABLE _old AS {old} SEMI JOIN {key_rows} AS k ON {same}")
    replaced = 0
    if not table.is_empty:
        replaced = _count_rows(connection, f"DELETE FROM {table.sql} AS t USING {key_rows} AS k WHERE {same}")  # noqa: S608 - quoted names
    table.is_empty = False
    columns = ", ".join(quote_identifier(name) for name in [*positions, *others])
    if not needs_old_rows:
        rows = _last_rows(connection, values, key_sql)
        return _count_rows(connection, f"INSERT INTO {table.sql} ({columns}) {rows}"), replaced
    results = [
        f"CASE WHEN k.h{position} THEN k.v{position} ELSE t.{quote_identifier(value.column)} END"
        if value.is_present
        else f"k.v{position}"
        for position, value in enumerate(values)
    ] + [f"t.{quote_identifier(name)}" for name in others]
    inserted = 0
    defaults = not table.column_defaults.keys().isdisjoint(others)
    for rows in _merged_rows(connection, values, key_sql) if partial else [_last_rows(connection, values, key_sql)]:
        inserted += _count_rows(
            connection,
            f"INSERT INTO {table.sql} ({columns}) SELECT {', '.join(results)} FROM ({rows}) AS k"  # noqa: S608 - quoted names
            f" {'' if defaults else 'LEFT '}JOIN {_OLD} AS t ON {same}",
        )
        if defaults:
            own = ", ".join(quote_identifier(name) for name in positions)
            new = ", ".join(
                f"CASE WHEN k.h{position} THEN k.v{position} END" if value.is_present else f"k.v{position}"
                for position, value in enumerate(values)
            )
            inserted += _count_rows(
                connection,
                f"INSERT INTO {table.sql} ({own}) SELECT {new} FROM ({rows}) AS k ANTI JOIN {_OLD} AS t ON {same}",  # noqa: S608 - quoted names
            )
    connection.execute(f"DROP TABLE {_OLD}")
    return inserted, replaced


def _count_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Executes a statement. Returns how many rows it inserted, deleted or counted."""
    return int(connection.execute(sql).fetchall()[0][0])


def drop_unmatched_marks(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str], others: list[int]
) -> int:
    """Removes deletion marks from the spool that hold only a key which neither the table nor another record has.

    Merged, such a mark would become a row without values.

    Args:
        connection: A connection in a transaction.
        table: The table, with all columns of `values`.
        values: The values of the columns.
        keys: The key columns of the table.
        others: The positions of the spooled columns other than keys and metadata.

    Returns:
        How many marks were removed.
    """
    sql = {value.column: value.sql for value in values}
    columns = ", ".join(f"{sql[key]} AS k{position}" for position, key in enumerate(keys))
    is_bare = (
        f"s.deleted IS NOT NULL AND NOT list_has_any(s.present, CAST([{', '.join(map(str, others))}] AS INTEGER[]))"
    )
    in_table = " AND ".join(f"t.{quote_identifier(key)} = k.k{position}" for position, key in enumerate(keys))
    in_spool = " AND ".join(f"o.k{position} = k.k{position}" for position in range(len(keys)))
    return _count_rows(
        connection,
        f"DELETE FROM {SPOOL} WHERE rowid IN (SELECT k.row FROM (SELECT s.rowid AS row, {columns} FROM {SPOOL} AS s"  # noqa: S608 - quoted names
        f" WHERE {is_bare}) AS k ANTI JOIN {table.sql} AS t ON {in_table}"
        f" ANTI JOIN (SELECT {columns} FROM {SPOOL} AS s WHERE NOT ({is_bare})) AS o ON {in_spool})",
    )


def count_marks(
    connection: duckdb.DuckDBPyConnection, table: Table, values: list[Value], keys: list[str]
) -> tuple[int, int]:
    """Counts the deletion marks of the spool before they are merged.

    Args:
        connection: A connection in a transaction.
        table: The table, with all columns of `values`.
        values: The values of the columns.
        keys: The key columns of the table.

    Returns:
        How many rows they will mark, and how many of these are in the table already.
    """
    sql = {value.column: value.sql for value in values}
    marks = f"FROM {SPOOL} AS s WHERE s.deleted IS NOT NULL"
    if not {*keys} <= sql.keys() or not keys:
        return _count_rows(connection, f"SELECT count(*) {marks}"), 0
    columns = ", ".join(f"{sql[key]} AS k{position}" for position, key in enumerate(keys))
    same = " AND ".join(f"t.{quote_identifier(key)} = k.k{position}" for position, key in enumerate(keys))
    marked = f"(SELECT DISTINCT {columns} {marks})"
    existing = f"SELECT count(*) FROM {table.sql} AS t SEMI JOIN {marked} AS k ON {same}"  # noqa: S608 - quoted names
    return _count_rows(connection, f"SELECT count(*) FROM {marked}"), _count_rows(connection, existing)  # noqa: S608 - quoted names


def _last_rows(connection: duckdb.DuckDBPyConnection, values: list[Value], key_sql: str) -> str:
    rows = _rows_sql(values)
    last_row_ids = f"SELECT max(s.rowid) FROM {SPOOL} AS s GROUP BY {key_sql}"  # noqa: S608 - quoted names
    count = f"SELECT (SELECT count(*) FROM ({last_row_ids})) = (SELECT count(*) FROM {SPOOL})"  # noqa: S608 - quoted names
    keys_are_unique = connection.execute(count).fetchall()[0][0]
    return rows if keys_are_unique else f"{rows} WHERE s.rowid IN ({last_row_ids})"


def _rows_sql(values: list[Value]) -> str:
    expressions = [f"{value.sql} AS v{position}" for position, value in enumerate(values)]
    expressions += [f"{value.is_present} AS h{position}" for position, value in enumerate(values) if value.is_present]
    return f"SELECT {', '.join(expressions)} FROM {SPOOL} AS s"  # noqa: S608 - quoted names


def _merged_rows(connection: duckdb.DuckDBPyConnection, values: list[Value], key_sql: str) -> list[str]:
    """Merges rows per key: each column is from the last row that updates it. `h<n>` tells whether any does."""
    # Merging takes memory, so only rows with different columns are merged. Otherwise the last row is used.
    differ = "count(DISTINCT coalesce(s.part, 0)) > 1 OR (count(*) > 1 AND bool_or(s.present IS NOT NULL))"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _lasts AS SELECT max(s.rowid) AS last, {differ} AS differ,"  # noqa: S608 - quoted names
        f" CASE WHEN differ THEN list(s.rowid) END AS rows FROM {SPOOL} AS s GROUP BY {key_sql}"
    )
    unmerged = f"{_rows_sql(values)} WHERE s.rowid IN (SELECT last FROM {_LAST_ROWS} WHERE NOT differ)"  # noqa: S608 - quoted names
    if not connection.execute(f"SELECT coalesce(bool_or(differ), false) FROM {_LAST_ROWS}").fetchall()[0][0]:  # noqa: S608 - same
        return [unmerged]
    expressions = []
    for position, value in enumerate(values):
        last = f"arg_max_null({value.sql}, s.rowid)"
        if value.is_present:
            expressions.append(f"{last} FILTER (WHERE {value.is_present}) AS v{position}")
            expressions.append(f"bool_or({value.is_present}) AS h{position}")
        else:
            expressions.append(f"{last} AS v{position}")
    merged = (
        f"SELECT {', '.join(expressions)} FROM {SPOOL} AS s"  # noqa: S608 - quoted names
        f" WHERE s.rowid IN (SELECT unnest(rows) FROM {_LAST_ROWS} WHERE differ) GROUP BY {key_sql}"
    )
    return [unmerged, merged]
