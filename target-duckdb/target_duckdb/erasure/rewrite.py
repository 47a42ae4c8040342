"""Writes a new file without what is removed, and replaces the old one by it.

DuckDB keeps removed values in free blocks, also after VACUUM and a checkpoint. Only a new file is without them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.database import quote_identifier, quote_literal
from target_duckdb.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from target_duckdb.erasure.plan import TablePlan

NEW = "rewritten"
"""The name of the new database while it is attached."""
_SUFFIX = ".rewriting"
_WAL = ".wal"


def check_disk_space(path: Path) -> None:
    """Checks that a copy of a file fits on its disk.

    Raises:
        TargetError: It does not.
    """
    needed, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise TargetError(
            f"The disk that holds the DuckDB file has too little space for the new file: free {needed - free:,} bytes."
        )


def rewrite(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    catalog: str,
    plans: Sequence[TablePlan],
    finish: Callable[[duckdb.DuckDBPyConnection], None],
) -> None:
    """Writes the new file and puts it in the place of the old one, which stays open, and so locked, meanwhile.

    A process that is killed leaves either the old file or the new one.

    Args:
        connection: A connection that has the file open for writing.
        path: The file.
        catalog: The name of its database.
        plans: What is removed from each table.
        finish: Is called with the new database attached as `rewritten`, before it replaces the old one.

    Raises:
        TargetError: A table of the new file does not have the rows that it should have.
    """
    new = path.with_name(path.name + _SUFFIX)
    remove_leftovers(path)
    try:
        with _attached(connection, new, catalog):
            connection.execute(f"COPY FROM DATABASE {quote_identifier(catalog)} TO {NEW} (SCHEMA)")
            for plan in _in_order_of_foreign_keys(connection, catalog, plans):
                _copy_table(connection, plan)
            finish(connection)
            connection.execute(f"CHECKPOINT {NEW}")
        _replace(new, path)
    except BaseException:
        with suppress(OSError):
            remove_leftovers(path)
        raise


def remove_leftovers(path: Path) -> None:
    """Removes the unfinished new file of a process that was killed."""
    for suffix in (_SUFFIX, f"{_SUFFIX}{_WAL}"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, new: Path, catalog: str) -> Iterator[None]:
    tag = "SELECT rtrim(tags['storage_version'], '+') FROM duckdb_databases() WHERE database_name = ?"
    ((version,),) = connection.execute(tag, [catalog]).fetchall()
    umask = os.umask(0o077)
    try:
        connection.execute(f"ATTACH {quote_literal(str(new))} AS {NEW} (STORAGE_VERSION {quote_literal(version)})")
    finally:
        os.umask(umask)
    try:
        yield
    finally:
        with suppress(duckdb.Error):
            connection.execute(f"DETACH {NEW}")


def _copy_table(connection: duckdb.DuckDBPyConnection, plan: TablePlan) -> None:
    table = plan.table
    new = f"{NEW}.{quote_identifier(table.schema)}.{quote_identifier(table.name)}"
    columns = ", ".join(map(quote_identifier, table.columns))
    connection.execute(f"INSERT INTO {new} ({columns}) {plan.select_sql()}")
    ((old_rows,),) = connection.execute(f"SELECT count(*) FROM {table.sql}").fetchall()  # noqa: S608 - quoted names
    ((new_rows,),) = connection.execute(f"SELECT count(*) FROM {new}").fetchall()  # noqa: S608 - quoted names
    if new_rows != old_rows - plan.deleted:
        raise TargetError(f"The table '{table.full_name}' was not copied completely; the file is unchanged.")


def _in_order_of_foreign_keys(
    connection: duckdb.DuckDBPyConnection, catalog: str, plans: Sequence[TablePlan]
) -> list[TablePlan]:
    """Returns the plans so that each table follows those that its foreign keys refer to."""
    rows = connection.execute(
        "SELECT schema_name, table_name, referenced_table FROM duckdb_constraints()"
        " WHERE database_name = ? AND constraint_type = 'FOREIGN KEY'",
        [catalog],
    ).fetchall()
    needed = {(schema, name, other) for schema, name, other in rows if name != other}
    found: list[TablePlan] = []
    due = list(plans)
    while due:
        waiting = {(plan.table.schema, plan.table.name) for plan in due}
        ready = [
            plan
            for plan in due
            if not any(
                (plan.table.schema, plan.table.name) == (schema, name) and (schema, other) in waiting
                for schema, name, other in needed
            )
        ]
        found += ready or due
        due = [plan for plan in due if ready and plan not in ready]
    return found


def _replace(new: Path, path: Path) -> None:
    """Puts the new file in the place of the old one, with its permissions."""
    status = path.stat()
    with suppress(OSError):  # only root may give files away
        os.chown(new, status.st_uid, status.st_gid)
    new.chmod(status.st_mode & 0o7777)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    path.with_name(path.name + _WAL).unlink(missing_ok=True)  # of the old file, which is checkpointed
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
