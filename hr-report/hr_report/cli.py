"""The command `hr-report`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import duckdb

from hr_report.database import BUILD, ReportError, opened


def main(arguments: list[str] | None = None) -> int:
    """Writes the page. Returns 0, or 1 after a sentence about what is wrong."""
    parser = argparse.ArgumentParser(
        prog="hr-report", description="Writes one HTML page about the HR models in a DuckDB file."
    )
    parser.add_argument(
        "--database",
        type=Path,
        default=Path("output/warehouse.duckdb"),
        help="the DuckDB file in which the models are built (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("output/report.html"), help="the page to write (default: %(default)s)"
    )
    parser.add_argument(
        "--without-people",
        action="store_true",
        help="only count the people whom sources disagree about, instead of listing them",
    )
    options = parser.parse_args(arguments)
    try:
        with opened(options.database) as connection:
            # Takes a second to import.
            from hr_report.page import write  # noqa: PLC0415

            write(connection, options.out, with_people=not options.without_people)
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The page {options.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    except duckdb.Error:
        # The message may hold personal data.
        print(
            f"The models in {options.database} are not those of this version: build them again with {BUILD}.",
            file=sys.stderr,
        )
        return 1
    print(f"The report is in {options.out}.")
    return 0
