"""Builds the models with dbt: checks the file first, and explains in one sentence what is wrong with it.

    HR_DATABASE=output/warehouse.duckdb python models/build.py

Further arguments are handed on to `dbt build`, such as `--vars '{min_group: 10}'`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

MODELS = Path(__file__).parent
DATABASE = MODELS.parent / "output" / "warehouse.duckdb"
VENDORS = ("personio", "factorial", "cornerstone")


def find_problem(database: Path) -> str | None:
    """Returns a sentence about what prevents a build, or None."""
    if not database.is_file():
        return (
            f"The file {database} does not exist. Load data first, or name the file with the data in HR_DATABASE"
            " (for Meltano, in DBT_DUCKDB_DATABASE)."
        )
    try:
        with duckdb.connect(database) as connection:
            schemas = connection.execute("SELECT DISTINCT table_schema FROM information_schema.tables").fetchall()
    except duckdb.IOException as error:
        if "lock" in str(error):
            return f"The file {database} is in use by another process. Run this again when that has ended."
        return f"The file {database} cannot be opened as a DuckDB file."
    except duckdb.Error:
        return f"The file {database} cannot be opened as a DuckDB file."
    if not {f"tap_{vendor}" for vendor in VENDORS} & {name for (name,) in schemas}:
        return f"The file {database} has no loaded data: no schema {', '.join(f'tap_{name}' for name in VENDORS)}."
    return None


def main() -> int:
    """Runs dbt."""
    database = Path(os.environ.get("HR_DATABASE") or DATABASE).absolute()
    if problem := find_problem(database):
        print(problem, file=sys.stderr)
        return 1
    dbt = str(Path(sys.executable).parent / "dbt")
    # Unit tests are about the models, not about the data. A log of every statement and a manifest take seconds.
    command = [dbt, "--log-level-file=info", "--no-write-json", "build", "--exclude-resource-type=unit_test"]
    environment = {
        "DBT_PROJECT_DIR": str(MODELS),
        "DBT_PROFILES_DIR": str(MODELS),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # Compiling dbt's two thousand files takes seconds.
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "HR_DATABASE": str(database),
    }
    return subprocess.run([*command, *sys.argv[1:]], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
