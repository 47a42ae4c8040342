"""Opens a DuckDB file for the commands that remove people from it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.erasure.file_tables import FileTable, read_tables
from target_duckdb.erasure.rewrite import NEW, check_disk_space, rewrite
from target_duckdb.errors import TargetError, duckdb_message
from target_duckdb.own_tables import FORGOTTEN
from target_duckdb.plugin import ConfiguredTarget, expand_home
from target_duckdb.spool import SpoolDirectory
from target_duckdb.tombstones import check_key, create_key, read_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_duckdb.erasure.plan import TablePlan
    from target_duckdb.tombstones import Marker

_MAX_NAMED_TABLES = 5


@dataclass
class Session:
    """An open file.

    Attributes:
        connection: A connection.
        path: The file.
        catalog: The name of its database.
        tables: Its tables.
        config: The loader's settings.
    """

    connection: duckdb.DuckDBPyConnection
    path: Path
    catalog: str
    tables: list[FileTable]
    config: dict[str, object]

    def check_tables(self) -> None:
        """Checks that it is known to whom the loaded rows refer.

        Raises:
            TargetError: A table was last loaded by an earlier version.
        """
        if not any(table.stream is not None for table in self.tables):
            raise TargetError("The DuckDB file has no tables of this loader: check the setting `path`.")
        outdated = [table.full_name for table in self.tables if table.is_outdated]
        if outdated:
            more = f" and {len(outdated) - _MAX_NAMED_TABLES} more" if len(outdated) > _MAX_NAMED_TABLES else ""
            raise TargetError(
                "It is not known to whom the rows of tables refer that an earlier version of the loader loaded"
                f" ({', '.join(outdated[:_MAX_NAMED_TABLES])}{more}): run their taps once, or drop these tables."
            )

    def open_marker(self) -> Marker:
        """Returns what computes the marks of forgotten people.

        Raises:
            TargetError: There is no key, or existing marks were made with another one.
        """
        setting = self.config.get("tombstone_key_file")
        if not setting:
            raise TargetError(
                "The setting `tombstone_key_file` is missing: set it to a file apart from the database, which holds the"
                " key by which later loads recognize who was forgotten. It is created if it does not exist."
            )
        path = expand_home(str(setting))
        checks = []
        if self._forgotten is not None:
            rows = self.connection.execute(f"SELECT DISTINCT key_check FROM {self._forgotten.sql}").fetchall()  # noqa: S608 - quoted names
            checks = [check for (check,) in rows]
        if not checks:
            create_key(path)
        marker = read_key(path)
        check_key(marker, checks)
        return marker

    @property
    def _forgotten(self) -> FileTable | None:
        return next((table for table in self.tables if (table.schema, table.name) == ("main", FORGOTTEN.name)), None)

    def rewrite(
        self,
        plans: Sequence[TablePlan],
        verify: Callable[[list[FileTable]], None],
        marks: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Writes the new file and puts it in the place of the old one.

        Args:
            plans: What is removed.
            verify: Checks the tables of the new file. An exception keeps the old one.
            marks: The marks of people who are forgotten, with the check of their key.
        """
        check_disk_space(self.path)

        def finish(connection: duckdb.DuckDBPyConnection) -> None:
            if marks:
                self._write_marks(marks)
            verify(read_tables(connection, NEW))

        rewrite(self.connection, self.path, self.catalog, plans, finish)

    def _write_marks(self, marks: Sequence[tuple[str, str]]) -> None:
        sql = f"{NEW}.main.{FORGOTTEN.name}"
        if self._forgotten is None:
            for statement in FORGOTTEN.create_sql(sql):
                self.connection.execute(statement)
        values = [[mark for mark, _ in marks], [check for _, check in marks]]
        self.connection.execute(
            f"INSERT INTO {sql} SELECT DISTINCT mark, key_check, now()"  # noqa: S608 - own name
            " FROM (SELECT unnest(?) AS mark, unnest(?) AS key_check)"
            f" WHERE mark NOT IN (SELECT mark FROM {sql})",
            values,
        )


@contextmanager
def open_session(plugin: ConfiguredTarget, *, read_only: bool) -> Iterator[Session]:
    """Opens the file of the loader's settings.

    Args:
        plugin: The loader's settings.
        read_only: Whether the file stays as it is. Otherwise no other process may have it open.

    Raises:
        TargetError: There is no such file, or it cannot be opened, or DuckDB fails.
    """
    database = plugin.database
    if not database.is_own_file:
        raise TargetError(
            "This command needs a DuckDB file in the setting `path`, without `catalog`: remove people from other"
            " databases by their own means."
        )
    database.check_path()
    if database.is_missing:
        raise TargetError("The DuckDB file does not exist: check the setting `path`.")
    temp_dir = plugin.config.get("temp_dir")
    spool = SpoolDirectory(expand_home(temp_dir) if temp_dir else None)  # removes the spools of killed runs
    try:
        with database.open_alone(spool.path / "duckdb", read_only=read_only) as connection:
            if not read_only:
                connection.execute("CHECKPOINT")
            catalog = database.find_catalog(connection)
            path = Path(database.path).resolve()
            yield Session(connection, path, catalog, read_tables(connection, catalog), dict(plugin.config))
    except duckdb.Error as error:
        message = duckdb_message(error).replace("DuckDB failed to load a batch", "DuckDB failed")
        raise TargetError(message.replace("The batch was rolled back", "The file is unchanged")) from None
    finally:
        spool.close()
