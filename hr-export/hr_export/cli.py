"""The command `hr-export`."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from hr_export.database import ExportError, choose_schemas, opened
from hr_export.parquet import write_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping


def main(arguments: list[str] | None = None) -> int:
    """Exports the tables. Returns 0, or 1 after a sentence about what is wrong."""
    options = parser(os.environ).parse_args(arguments)
    former = os.umask(0o077)  # new files are private
    try:
        with opened(options.database) as connection:
            options.chosen = choose_schemas(connection, options.schemas)
            print(options.export(connection, options))
    except ExportError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"The export failed: {error.strerror or error}{where}", file=sys.stderr)
    except duckdb.IOException:
        print(
            "The export failed: check that the disk has enough free space, and that it can be written.", file=sys.stderr
        )
    except duckdb.Error as error:
        # The message may hold personal data.
        print(f"The file {options.database} could not be exported: {type(error).__name__}.", file=sys.stderr)
    else:
        return 0
    finally:
        os.umask(former)
    return 1


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The options, with defaults from the environment."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--database",
        type=Path,
        default=Path(environment.get("HR_EXPORT_DATABASE") or "output/warehouse.duckdb"),
        help="the DuckDB file to export (default: %(default)s)",
    )
    common.add_argument(
        "--schemas",
        nargs="+",
        default=(environment.get("HR_EXPORT_SCHEMAS") or "").split(),
        metavar="SCHEMA",
        help="the schemas to export (default: those that target-duckdb loads into, hr and hr_metrics)",
    )
    common.add_argument(
        "--without-deleted", action="store_true", help="leave out rows that are marked in _sdc_deleted_at"
    )
    found = argparse.ArgumentParser(
        prog="hr-export", description="Copies the tables of a DuckDB file as Parquet files or Iceberg tables."
    )
    commands = found.add_subparsers(required=True, metavar="parquet|iceberg")
    parquet = commands.add_parser("parquet", parents=[common], help="write Parquet files and a manifest")
    parquet.add_argument(
        "--to",
        type=Path,
        default=Path(environment.get("HR_EXPORT_TO") or "output/parquet"),
        help="the folder (default: %(default)s)",
    )
    parquet.add_argument(
        "--keep", type=at_least_one, default=2, help="how many versions to keep (default: %(default)s)"
    )
    parquet.set_defaults(export=to_parquet)
    iceberg = commands.add_parser("iceberg", parents=[common], help="update Iceberg tables")
    iceberg.add_argument(
        "--catalog",
        default=environment.get("HR_EXPORT_CATALOG") or "sqlite:///output/iceberg/catalog.db",
        help="the address of the catalog (default: sqlite:///output/iceberg/catalog.db)",
    )
    iceberg.add_argument(
        "--warehouse",
        default=environment.get("HR_EXPORT_WAREHOUSE") or "output/iceberg",
        help="the folder or s3://bucket/prefix of the tables (default: %(default)s)",
    )
    iceberg.add_argument(
        "--expire", type=float, metavar="DAYS", help="remove snapshots that are older, and files that only they need"
    )
    iceberg.set_defaults(export=to_iceberg)
    return found


def at_least_one(text: str) -> int:
    """A positive number."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def to_parquet(connection: duckdb.DuckDBPyConnection, options: argparse.Namespace) -> str:
    """Exports as Parquet files. Returns a line that says what was done."""
    return write_parquet(
        connection, options.chosen, options.to, keep=options.keep, with_deleted=not options.without_deleted
    )


def to_iceberg(connection: duckdb.DuckDBPyConnection, options: argparse.Namespace) -> str:
    """Exports as Iceberg tables. Returns a line that says what was done."""
    if not (find_spec("pyiceberg") and find_spec("pyarrow")):
        raise ExportError("Iceberg needs more packages: install hrtaps-export[iceberg].")
    # Takes a second to import.
    from hr_export.iceberg import export_all  # noqa: PLC0415

    age = None if options.expire is None else timedelta(days=options.expire)
    outcome = export_all(
        connection,
        options.chosen,
        options.catalog,
        options.warehouse,
        age=age,
        with_deleted=not options.without_deleted,
    )
    for message in outcome.messages:
        print(message, file=sys.stderr)
    if outcome.failed:
        raise ExportError("\n".join([*outcome.failed, outcome.summary]))
    return outcome.summary
