"""Compares the rows that a peer loaded with the server's rows, column by column, after casts to common types.

    python -m benchmarks.compare DATASET DATABASE RECORDS.json

It writes as JSON how many rows each of them has, and how many rows only one of them has. Rows are compared by hashes of
64 bits.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import duckdb

from benchmarks.datasets import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.datasets import Column

TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "local": "TIMESTAMP",
}


def _list_possible_names(column: Column) -> Iterator[str]:
    """Yields possible names of a column: as in our tap's record, as in the vendor's record, or without the wrapping."""
    yield column.path
    yield column.source
    if unwrapped := column.source.partition(".")[2]:
        yield unwrapped


def make_expression(column: Column, present: Mapping[str, str]) -> str | None:
    """Returns the SQL of a column's value. None if the table does not hold it.

    Args:
        column: The column.
        present: The types of the table's columns.
    """
    values = []
    for place in dict.fromkeys(_list_possible_names(column)):
        flat = place.replace(".", "__")
        first, _, rest = place.partition(".")
        if flat in present:
            values.append(_cast_sql(f'"{flat}"', present[flat], column.kind))
        elif rest and first in present:
            values.append(_cast_sql(f"""(CAST("{first}" AS JSON)->>'$.{rest}')""", "VARCHAR", column.kind))
    return f"COALESCE({', '.join(values)})" if values else None


def _cast_sql(value: str, type_: str, kind: str) -> str:
    if kind != "timestamp":
        return f"CAST({value} AS {TYPES[kind]})"
    return f"epoch_us({value if type_.startswith('TIMESTAMP') else f'CAST({value} AS TIMESTAMPTZ)'})"


def compare_rows(dataset: str, database: str, records: str) -> dict[str, object]:
    """Returns the numbers of rows, the rows that only the database or only the server has, and missing columns."""
    columns = DATASETS[dataset].columns
    top = {column.source.partition(".")[0]: "JSON" if "." in column.source else "VARCHAR" for column in columns}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{database}' AS loaded (READ_ONLY)")
        described = connection.execute(f"DESCRIBE loaded.hr.{dataset}").fetchall()
        sources = {
            f"loaded.hr.{dataset}": {row[0]: row[1] for row in described},
            f"read_json('{records}', format = 'array', columns = {top})": top,
        }
        sides = [[make_expression(column, present) for column in columns] for present in sources.values()]
        both = [(mine, its) for mine, its in zip(*sides, strict=True) if mine and its]
        for side, source in enumerate(sources):
            values = ", ".join(pair[side] for pair in both)
            # Of ten million rows the values would not fit into memory.
            connection.execute(f"CREATE TABLE side_{side} AS SELECT hash({values}) AS row FROM {source}")  # noqa: S608 - constant names
        counts = [_count_rows(connection, f"FROM side_{side}") for side in (0, 1)]
        only = [_count_rows(connection, f"FROM side_{side} EXCEPT ALL FROM side_{1 - side}") for side in (0, 1)]
    missing = [column.path for column, mine in zip(columns, sides[0], strict=True) if not mine]
    return {"rows": counts, "only": only, "columns": len(both), "missing": missing}


def _count_rows(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((number,),) = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()  # noqa: S608 - as above
    return int(number)


if __name__ == "__main__":
    print(json.dumps(compare_rows(*sys.argv[1:])))
