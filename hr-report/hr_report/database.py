"""Opening a file with the models, and its tables' descriptions."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

METRICS = (
    *("headcount", "joiners", "leavers", "attrition", "absence_rate", "absence_types", "overtime"),
    *("open_positions", "funnel", "training_completion", "gender_pay_gap", "gender_pay_quartiles"),
)
"""The tables of the schema `hr_metrics` that the charts need."""
BUILD = "`meltano run dbt-duckdb:build`"


class ReportError(Exception):
    """A file that no report can be made of. The message is a sentence that says what to do."""


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a file read-only.

    Args:
        path: The DuckDB file.

    Yields:
        The connection, in UTC.

    Raises:
        ReportError: The file does not exist, is not a DuckDB file, is in use, or has no models.
    """
    if not path.is_file():
        raise ReportError(f"The file {path} does not exist: load data first, or name the file with --database.")
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        # The message of another failure may hold contents of the file.
        if "lock" in str(error):
            raise ReportError(
                f"The file {path} is in use by another process: run this again when that process has ended."
            ) from None
        raise ReportError(
            f"The file {path} cannot be read as a DuckDB file: name the file that `target-duckdb` loads into."
        ) from None
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        check(connection, path)
        yield connection


def check(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Checks that the models are built.

    Raises:
        ReportError: They are not, or by an earlier version.
    """
    tables = set(connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall())
    missing = sorted(name for name in METRICS if ("hr_metrics", name) not in tables)
    if ("hr", "employee") in tables and len(missing) < len(METRICS):
        if missing:
            raise ReportError(
                f"The models in {path} were built by another version and lack hr_metrics.{missing[0]}: build them again"
                f" with {BUILD}."
            )
        return
    loaded = any(table == "_singer_state" for _, table in tables)
    if loaded or any(schema in {"tap_personio", "tap_factorial", "tap_cornerstone"} for schema, _ in tables):
        raise ReportError(f"The models are not built in {path} yet: run {BUILD} first.")
    raise ReportError(
        f"The file {path} has no data of the taps: load it with"
        " `meltano run tap-personio target-duckdb dbt-duckdb:build`, or name another file with --database."
    )


def descriptions(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, str]:
    """The models' descriptions of some tables, by their names with the schema. Empty texts for those without one."""
    known = "SELECT schema_name || '.' || table_name AS name, comment FROM duckdb_tables()"
    found = dict(connection.execute(f"FROM ({known}) WHERE list_contains(?, name)", [list(tables)]).fetchall())
    return {table: found.get(table) or "" for table in tables}


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Runs a query. Returns its rows by column, with decimals as floats."""
    result = connection.execute(sql)
    columns = [column[0] for column in result.description or ()]
    return [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in zip(columns, row, strict=True)}
        for row in result.fetchall()
    ]


def literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"
