"""Example queries for a stream, built from its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docsite.catalog import Field, StreamPage

MOST = 3
CATEGORIES = re.compile(r"(^|_)(status|type|kind|category|state|country|language|gender|frequency|unit|source|role)$")
"""Columns whose values are few."""
DATES = re.compile(r"(date|_on|_at|_dt|_day|month|start|occurred|entered|created)", re.IGNORECASE)
BOOKKEEPING = {"updated_at", "_last_touched_dt_utc", "last_modified_at"}
"""Timestamps that say when a row was written."""
NAMES = ("name", "title", "full_name", "label", "code", "number", "email")
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
SCALARS = ("VARCHAR", "BIGINT")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")


@dataclass(frozen=True)
class Query:
    """A query, and the question that it answers."""

    title: str
    sql: str


def make_queries(page: StreamPage, others: Mapping[str, StreamPage]) -> list[Query]:
    """Returns one to three queries.

    Args:
        page: The stream.
        others: The streams of its tap.
    """
    found = [*_query_by_category(page), *_query_by_month(page), *_query_by_reference(page, others)]
    return found[:MOST] or [_query_rows(page)]


def _query_rows(page: StreamPage) -> Query:
    return Query("The number of rows", f"SELECT count(*) AS row_count\nFROM {_table_sql(page)}{_live_rows_sql(page)};")


def _query_by_category(page: StreamPage) -> Iterator[Query]:
    fits = [item for item in page.columns if item.type == "VARCHAR" and CATEGORIES.search(item.path[0])]
    fits += [item for item in page.columns if item.type == "BOOLEAN"]
    fits = [item for item in fits if item.path[0] not in page.stream.primary_keys and not item.references]
    if fits:
        name = _quote_name(fits[0].path[0])
        yield Query(
            f"Rows by `{fits[0].path[0]}`",
            f"SELECT {name}, count(*) AS row_count\nFROM {_table_sql(page)}{_live_rows_sql(page)}\n"
            f"GROUP BY {name}\nORDER BY row_count DESC;",
        )


def _query_by_month(page: StreamPage) -> Iterator[Query]:
    fits = [item.path[0] for item in page.columns if item.type in TIMES and item.path[0] not in BOOKKEEPING]
    fits = [name for name in fits if DATES.search(name)]
    if fits:
        yield Query(
            f"Rows by month of `{fits[0]}`",
            f"SELECT date_trunc('month', {_quote_name(fits[0])}) AS month, count(*) AS row_count\n"
            f"FROM {_table_sql(page)}{_live_rows_sql(page)}\nGROUP BY month\nORDER BY month;",
        )


def _query_by_reference(page: StreamPage, others: Mapping[str, StreamPage]) -> Iterator[Query]:
    for item, name in page.references:
        other = others[name]
        if item.in_list or len(item.references) > 1 or item.type not in SCALARS or len(other.stream.primary_keys) != 1:
            continue
        key = other.stream.primary_keys[0]
        kept = {column.path[0]: column.type for column in other.columns}
        label = next((label for label in NAMES if label in kept and label != key), None)
        if key not in kept:
            continue
        cast = "" if kept[key] == item.type else f"::{kept[key]}"
        shown = f"other.{_quote_name(label or key)}"
        yield Query(
            f"Rows by the `{label or key}` in `{name}`",
            f"SELECT {shown}, count(*) AS row_count\nFROM {_table_sql(page)} AS one\n"
            f"LEFT JOIN {_table_sql(other)} AS other ON other.{_quote_name(key)} = {_value_sql(item)}{cast}"
            f"{_live_rows_sql(page, 'one.')}\nGROUP BY {shown}\nORDER BY row_count DESC;",
        )
        return


def _value_sql(item: Field) -> str:
    """Returns the SQL for a field of the table with the alias `one`."""
    column, *rest = item.path
    if not rest:
        return f"one.{_quote_name(column)}"
    return f"(one.{_quote_name(column)}->>'$.{'.'.join(rest)}')"


def _live_rows_sql(page: StreamPage, prefix: str = "") -> str:
    return f"\nWHERE {prefix}_sdc_deleted_at IS NULL" if page.stream.versioned else ""


def _table_sql(page: StreamPage) -> str:
    schema, _, name = page.table.partition(".")
    return f"{schema}.{_quote_name(name)}"


def _quote_name(name: str) -> str:
    """Returns a name as an SQL identifier, quoted if necessary."""
    return name if PLAIN.fullmatch(name) and name not in _list_reserved_words() else f'"{name}"'


@cache
def _list_reserved_words() -> frozenset[str]:
    sql = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    return frozenset(name for (name,) in duckdb.connect().execute(sql).fetchall())
