"""Builds the models with dbt. Checks the database file first, and explains in one sentence what is wrong with it.

    HR_DATABASE=output/warehouse.duckdb python models/build.py

Further arguments are handed on to `dbt build`, such as `--vars '{min_group: 10}'`.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import duckdb

MODELS = Path(__file__).parent
DATABASE = MODELS.parent / "output" / "warehouse.duckdb"
VENDORS = ("personio", "factorial", "cornerstone")
STATE = "_singer_state"
"""The table that `target-duckdb` writes beside the data."""


def find_problem(database: Path, arguments: str) -> str | None:
    """Finds out what prevents a build.

    Args:
        database: The DuckDB file.
        arguments: The arguments for dbt, which may name the schemas of the data.

    Returns:
        A sentence that says what to do, or None.
    """
    if not database.is_file():
        return (
            f"The file {database} does not exist. Load data first, or name the file with the data in HR_DATABASE"
            " (for Meltano, in DBT_DUCKDB_DATABASE)."
        )
    try:
        with duckdb.connect(database) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
    except duckdb.Error as error:
        if "lock" in str(error):
            return f"The file {database} is in use by another process. Run this again when that process has ended."
        return (
            f"The file {database} cannot be opened as a DuckDB file. Name the file that `target-duckdb` loads into"
            " in HR_DATABASE (for Meltano, in DBT_DUCKDB_DATABASE)."
        )
    return find_missing(database, set(tables), arguments)


def find_missing(database: Path, tables: set[tuple[str, str]], arguments: str) -> str | None:
    """Finds out whether a file lacks data of the taps. Takes and returns the same as `find_problem`."""
    if not tables:
        return f"The file {database} has no tables yet. Load data first: meltano run tap-personio target-duckdb."
    loaded = sorted({schema for schema, table in tables if table == STATE})
    if not loaded:
        return (
            f"The tables in {database} are not from `target-duckdb`, whose types the models rely on. Load the data with"
            " it, or name another file in HR_DATABASE (for Meltano, in DBT_DUCKDB_DATABASE)."
        )
    schemas = {schema for schema, _ in tables}
    if not any(f"{vendor}_schema" in arguments or f"tap_{vendor}" in schemas for vendor in VENDORS):
        return (
            f"The file {database} has loaded data, but no schema {', '.join(f'tap_{name}' for name in VENDORS)}."
            f" State which vendor's data it is, for example with --vars '{{personio_schema: {loaded[0]}}}'."
        )
    return None


def main() -> None:
    """Runs dbt, which ends the process."""
    given = os.environ.get("HR_DATABASE")
    if not given and os.environ.get("DBT_TARGET") == "prod":
        sys.exit("The profile prod has no default file. Name the file with the data in HR_DATABASE.")
    database = Path(given or DATABASE).absolute()
    if problem := find_problem(database, " ".join(sys.argv[1:])):
        sys.exit(problem)
    settings = {
        "DBT_PROJECT_DIR": str(MODELS),
        "DBT_PROFILES_DIR": str(MODELS),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **os.environ,
        "HR_DATABASE": str(database),
    }
    os.environ.update(settings)
    # Looking for garbage, of which there is little, takes a sixth of the time, and compiling dbt's files takes seconds.
    gc.disable()
    sys.dont_write_bytecode = False
    from dbt.cli.main import cli  # noqa: PLC0415 - takes seconds, and is not needed for a file without data

    # Unit tests are about the models, not about the data. A log of every statement and a manifest take seconds.
    options = ["--log-level-file=info", "--no-write-json", "build", "--exclude-resource-type=unit_test"]
    cli.main([*options, *sys.argv[1:]], prog_name="dbt")


if __name__ == "__main__":
    main()
