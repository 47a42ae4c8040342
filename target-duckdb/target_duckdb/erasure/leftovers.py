"""Finds text that still contains an address or a name of the people, so that a human can look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_duckdb import nested_types
from target_duckdb.database import quote_identifier, quote_literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from target_duckdb.erasure.file_tables import FileTable
    from target_duckdb.erasure.person import Identity
    from target_duckdb.erasure.plan import TablePlan

_MAX_KEYS = 20
_NOT_SEARCHED = ("direct_id.name", "technical", "organisational")
"""Protection classes of columns in which a name is that of somebody else, or of something else."""


@dataclass(frozen=True)
class Leftover:
    """A column that still contains an address or a name.

    Attributes:
        table: The table.
        column: The column.
        rows: In how many rows.
        keys: The keys of some of these rows, empty if the table has no known key.
        kind: `address` or `name`.
    """

    table: str
    column: str
    rows: int
    keys: list[str]
    kind: str


def find_leftovers(
    connection: duckdb.DuckDBPyConnection, plans: Sequence[TablePlan], identity: Identity
) -> list[Leftover]:
    """Returns the columns that contain an address or a full name in rows that stay.

    Args:
        connection: A connection to the file.
        plans: What is removed.
        identity: What identifies the people.
    """
    return [leftover for plan in plans for leftover in _find_in_table(connection, plan, identity)]


def _find_in_table(connection: duckdb.DuckDBPyConnection, plan: TablePlan, identity: Identity) -> Iterator[Leftover]:
    table = plan.table
    columns = [
        name for name, type_ in table.columns.items() if type_ in {"VARCHAR", "JSON"} or nested_types.is_nested(type_)
    ]
    searches = []
    for column in columns:
        text = f"lower(CAST(q.{quote_identifier(column)} AS VARCHAR))"
        if identity.emails:
            searches.append((column, "address", _contains_sql(text, sorted(identity.emails))))
        if identity.names and not table.protection_of(column).startswith(_NOT_SEARCHED):
            searches.append((column, "name", _contains_sql(text, sorted(identity.names))))
    if not searches:
        return
    names = ", ".join(map(quote_identifier, table.columns))
    rows = f"({plan.select_sql()}) AS q({names})"
    counts = ", ".join(f"count(*) FILTER ({condition})" for _, _, condition in searches)
    found = connection.execute(f"SELECT {counts} FROM {rows}").fetchall()[0]  # noqa: S608 - quoted names
    for (column, kind, condition), count in zip(searches, found, strict=True):
        if count:
            yield Leftover(table.full_name, column, count, _find_keys(connection, table, rows, condition), kind)


def _contains_sql(text: str, terms: Sequence[str]) -> str:
    return " OR ".join(f"contains({text}, {quote_literal(term)})" for term in terms)


def _find_keys(connection: duckdb.DuckDBPyConnection, table: FileTable, rows: str, condition: str) -> list[str]:
    personal = [key for key in table.keys if table.protection_of(key).startswith("direct_id")]
    if not table.keys or personal:
        return []
    key = ", ".join(f"CAST(q.{quote_identifier(name)} AS VARCHAR)" for name in table.keys)
    sql = f"SELECT concat_ws('/', {key}) FROM {rows} WHERE {condition} ORDER BY 1 LIMIT {_MAX_KEYS}"  # noqa: S608 - quoted names
    return [value for (value,) in connection.execute(sql).fetchall()]
