"""The DuckDB database: opened once per batch, and waited for while another process has it open."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.errors import (
    LockedTargetError,
    OutOfMemoryTargetError,
    TargetError,
    duckdb_message,
    is_extension_error,
    is_lock_error,
    lock_holder,
)
from target_duckdb.own_tables import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

logger = logging.getLogger("target-duckdb")

_MAX_NAMED_FILES = 3
_MAX_PAUSE = 1.0
#: Enough for most batches. With more, DuckDB caches more of the file but is not faster.
_LOW_MEMORY_BYTES = 160 * 1000**2
_MAGIC = slice(8, 12)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])?(i)?b?(?:ytes?)?", re.ASCII | re.IGNORECASE)
_DEFAULT_SIZE = 512 * 1000**2


_TOKEN_SETTING = "motherduck_token"  # noqa: S105 - a name
IN_MEMORY = ":memory:"


def _is_remote(path: str) -> bool:
    return path.startswith(("md:", "motherduck:"))


def quote_literal(text: str) -> str:
    """Returns an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def quote_identifier(name: str) -> str:
    """Returns a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def parse_size(text: str) -> int:
    """Parses a size in DuckDB's notation (`512MB`, `1 GiB`) into bytes. Invalid sizes give the default."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return _DEFAULT_SIZE
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " kmgt".index((match[2] or " ").lower()))


def _parse_version(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def no_row_matches(connection: duckdb.DuckDBPyConnection, source: str, condition: str | None) -> bool:
    """Whether no row of a table matches a condition in SQL."""
    if condition is None:
        return True
    return not connection.execute(f"SELECT coalesce(bool_or({condition}), false) FROM {source}").fetchall()[0][0]  # noqa: S608 - quoted names


@dataclass(frozen=True)
class Attachment:
    """A database to attach.

    Attributes:
        path: A file, or a URL that DuckDB's ATTACH supports, such as `ducklake:lake.ducklake`.
        alias: The name of the database, by default derived by DuckDB.
        options: Options of ATTACH.
    """

    path: str
    alias: str | None = None
    options: Mapping[str, str | float | bool] = field(default_factory=dict)

    def attach_sql(self, *, read_only: bool) -> str:
        """Returns the ATTACH statement."""
        values: dict[str, str | float | bool] = {name.upper(): value for name, value in self.options.items()}
        if read_only:
            values["READ_ONLY"] = True
        options = ", ".join(
            f"{name} {quote_literal(value) if isinstance(value, str) else value}" for name, value in values.items()
        )
        alias = f" AS {quote_identifier(self.alias)}" if self.alias else ""
        return f"ATTACH {quote_literal(self.path)}{alias}{f' ({options})' if options else ''}"


class Database:
    """A DuckDB database.

    Args:
        path: The path of the file.
        memory_limit: The memory limit in DuckDB's notation (`512MB`).
        lock_timeout: Seconds to wait while another process has the file open.
        token: A MotherDuck token, for paths that start with `md:`.
        attach: Databases to attach.
        catalog: The name of the database that holds the tables, by default the one at `path`.
        storage_version: The DuckDB version that must be able to read a new file, such as `v1.0.0`.
    """

    def __init__(
        self,
        path: str,
        *,
        memory_limit: str,
        lock_timeout: float,
        token: str | None = None,
        attach: Iterable[Attachment] = (),
        catalog: str | None = None,
        storage_version: str | None = None,
    ) -> None:
        self.path = path
        self._memory_limit = memory_limit
        self._lock_timeout = lock_timeout
        self._attach = tuple(attach)
        self._catalog = catalog
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "custom_user_agent": "target-duckdb",
            # A batch is too small to be split: more threads take more memory and more CPU time.
            "threads": 1,
        }
        self._storage_version = storage_version
        if storage_version and not _is_remote(path):
            self._config["storage_compatibility_version"] = storage_version
        self._has_created_file = False  # in the last transaction
        #: Called just before a transaction is committed. An exception rolls it back.
        self.before_commit: Callable[[], None] = lambda: None
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # of the next attribute
        self._interruptible: duckdb.DuckDBPyConnection | None = None
        # Read once, because it can only be read by changing it, and meanwhile another thread may create files.
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._remote = _is_remote(path)
        self._is_file = not self._remote and path != IN_MEMORY
        if token and self._remote:
            self._config[_TOKEN_SETTING] = token
        elif token and any(_is_remote(item.path) for item in self._attach):
            os.environ[_TOKEN_SETTING] = token  # the setting exists only after the MotherDuck extension is loaded

    def interrupt(self) -> None:
        """Interrupts a transaction in another thread unless it is being committed, and stops waiting for the file."""
        self._stopped.set()
        with self._lock:
            if self._interruptible is not None:
                self._interruptible.interrupt()

    def check_path(self) -> None:
        """Checks the path and creates its folder, before any input is read.

        Raises:
            TargetError: The path cannot be written or is not a DuckDB file.
        """
        if not self._is_file:
            return
        path = Path(self.path)
        try:
            if path.is_dir():
                raise TargetError("The setting `path` is a folder: it must be a DuckDB file.")
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                with path.open("rb") as file:
                    start = file.read(_MAGIC.stop)
                if start[_MAGIC] != b"DUCK":
                    raise TargetError("The setting `path` is not a DuckDB file: choose another file.")
        except (FileExistsError, NotADirectoryError):
            raise TargetError("The setting `path` is inside a file instead of a folder: change it.") from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise TargetError(f"The DuckDB file cannot be opened ({reason}): check the setting `path`.") from None

    @property
    def is_missing(self) -> bool:
        """Whether the file does not exist."""
        return self._is_file and not Path(self.path).exists()

    def _note_new_file(self) -> None:
        """Logs the names of other DuckDB files in the folder of a new one, in case its path has changed."""
        path = Path(self.path)
        others = sorted(other.name for other in path.parent.glob("*.duckdb") if other != path)
        if others:
            more = len(others) - _MAX_NAMED_FILES
            logger.info(
                "The DuckDB file '%s' is created. Its folder also has %s%s:"
                " if your earlier loads are there, rename that file, or set `path` to it.",
                path.name,
                ", ".join(f"'{name}'" for name in others[:_MAX_NAMED_FILES]),
                f" and {more} more" if more > 0 else "",
            )

    @contextmanager
    def transaction(
        self, temp_directory: Path, *, low_memory: bool = False, wait: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens the database for one transaction, which is committed at the end or rolled back on an error.

        Args:
            temp_directory: The folder in which DuckDB writes data that does not fit into memory.
            low_memory: Whether to use less memory than the limit.
            wait: Whether to wait while another process has the file open.

        Raises:
            LockedTargetError: The file is locked for longer than `lock_timeout`.
            OutOfMemoryTargetError: The transaction needs more memory than with `low_memory`.
            TargetError: DuckDB fails.
        """
        committing = False
        if self.is_missing:
            self._note_new_file()
        os.umask(self._umask | self._find_missing_permissions())
        try:
            connection = self._open(read_only=False, wait=wait)
            try:
                self._interruptible = connection
                self._configure(connection, temp_directory, low_memory=low_memory)
                connection.begin()
                yield connection
                committing = True
                with self._lock:
                    self.before_commit()
                    self._interruptible = None
                connection.commit()
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise
            finally:
                with self._lock:
                    self._interruptible = None
                with suppress(duckdb.Error):
                    connection.close()
        except duckdb.Error as error:
            retry_with_more_memory = low_memory and not committing and isinstance(error, duckdb.OutOfMemoryException)
            raise (OutOfMemoryTargetError if retry_with_more_memory else TargetError)(duckdb_message(error)) from None
        finally:
            os.umask(self._umask)

    @property
    def is_own_file(self) -> bool:
        """Whether the tables are in the file at `path`."""
        return self._is_file and self._catalog is None

    @contextmanager
    def open_alone(self, temp_directory: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens the database without a transaction.

        Args:
            temp_directory: The folder in which DuckDB writes data that does not fit into memory.
            read_only: Whether other processes may have it open for reading, too.

        Raises:
            LockedTargetError: The file is locked for longer than `lock_timeout`.
        """
        with self._open(read_only=read_only) as connection:
            self._configure(connection, temp_directory, low_memory=False)
            yield connection

    def read_committed_state(self, schema: str, state_id: str) -> str:
        """Reads the state that was committed with the rows in the database.

        Args:
            schema: The schema of all tables.
            state_id: Identifies the row of the state table.

        Returns:
            JSON text, `{}` if there is none.

        Raises:
            TargetError: The file does not exist, or cannot be read.
        """
        if self.is_missing:
            raise TargetError("The DuckDB file does not exist, so it has no state: check the setting `path`.")
        try:
            with self._open(read_only=True) as connection:
                names = (self.find_catalog(connection), schema, STATE.name)
                table = ".".join(map(quote_identifier, names))
                schemas = self._list_schemas_with_states(connection)
                query = f"SELECT state FROM {table} WHERE state_id = ?"  # noqa: S608 - quoted names
                has_states = schema.lower() in {name.lower() for name in schemas}
                rows = connection.execute(query, [state_id]).fetchall() if has_states else []
        except duckdb.Error as error:
            raise TargetError(duckdb_message(error)) from None
        if not rows and schemas:
            logger.warning(
                "The schema '%s' has no state for '%s', but these schemas have states: %s."
                " Set `default_target_schema` or `state_id`.",
                schema,
                state_id,
                ", ".join(schemas),
            )
        return str(rows[0][0]) if rows else "{}"

    def _list_schemas_with_states(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        found = connection.execute(
            "SELECT schema_name FROM duckdb_tables() WHERE table_name = ? AND database_name = ? ORDER BY ALL",
            [STATE.name, self.find_catalog(connection)],
        )
        return [name for (name,) in found.fetchall()]

    def find_catalog(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Returns the name of the database that holds the tables."""
        if self._catalog is None:
            return str(connection.execute("SELECT current_database()").fetchall()[0][0])
        rows = connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        found = next((name for (name,) in rows if name.lower() == self._catalog.lower()), None)
        if found is None:
            raise TargetError("The setting `catalog` must name a database opened by `path` or `attach`.")
        return str(found)

    @property
    def is_empty(self) -> bool:
        """Whether the database that holds the tables is a file that the current transaction has created."""
        return self._has_created_file and self._catalog is None

    def _find_missing_permissions(self) -> int:
        """Returns the permissions that new files must not have.

        These are the permissions that the database file lacks, or all permissions of group and others if there is no
        file yet.
        """
        try:
            mode = Path(self.path).stat().st_mode
        except OSError:
            mode = 0
        return 0o077 & ~mode

    def _open(self, *, read_only: bool, wait: bool = True) -> duckdb.DuckDBPyConnection:
        end = time.monotonic() + (self._lock_timeout if wait else 0)
        pause = 0.05
        logged = False
        while True:
            try:
                return self._connect(read_only=read_only)
            except duckdb.Error as error:
                if not is_lock_error(error):
                    raise
                holder = lock_holder(error)
                if self._stopped.is_set() or time.monotonic() >= end:
                    raise LockedTargetError(
                        "The DuckDB file is still open in another process after `lock_timeout`: close it there"
                        f"{holder}, or raise that setting."
                    ) from None
            if not logged:
                logger.info("The DuckDB file is open in another process%s: waiting for it.", holder)
                logged = True
            self._stopped.wait(min(pause, max(0.0, end - time.monotonic())))
            pause = min(pause * 2, _MAX_PAUSE)

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        self._has_created_file = self.is_missing
        try:
            # A database in memory, which only attaches others, cannot be opened read-only.
            connection = duckdb.connect(self.path, read_only and self.path != IN_MEMORY, self._config)
        except duckdb.InvalidInputException:
            raise TargetError(
                f"DuckDB {duckdb.__version__} cannot write the setting `storage_version`: choose one of its versions."
            ) from None
        except duckdb.Error as error:
            if self._remote and not is_extension_error(error):
                raise TargetError(
                    "MotherDuck cannot open the database: check the settings `path` and `token`."
                ) from None
            raise
        try:
            for number, item in enumerate(self._attach, start=1):
                self._attach_one(connection, number, item.attach_sql(read_only=read_only))
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _attach_one(connection: duckdb.DuckDBPyConnection, number: int, sql: str) -> None:
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            if is_lock_error(error) or is_extension_error(error):
                raise
            raise TargetError(
                f"Entry {number} of the setting `attach` cannot be attached: check its path, alias and options."
            ) from None

    def _check_storage_version(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Warns once of a file that is newer than the setting."""
        wanted, self._storage_version = self._storage_version, None
        if not wanted or wanted == "latest" or self._remote:
            return
        tag = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
        actual = str(connection.execute(tag).fetchall()[0][0]).rstrip("+")
        if _parse_version(actual) > _parse_version(wanted):
            logger.warning(
                "The DuckDB file has the storage version %s, which the setting `storage_version` (%s) does not change:"
                " load into a new file, or copy it with COPY FROM DATABASE.",
                actual,
                wanted,
            )

    def _configure(self, connection: duckdb.DuckDBPyConnection, temp_directory: Path, *, low_memory: bool) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        self._check_storage_version(connection)
        if self._remote:
            return
        try:
            connection.execute(f"SET memory_limit = {quote_literal(self._memory_limit)}")
        except duckdb.Error:
            raise TargetError("The setting memory_limit is not a size in DuckDB's notation, such as '512MB'.") from None
        if low_memory and parse_size(self._memory_limit) > _LOW_MEMORY_BYTES:
            connection.execute(f"SET memory_limit = '{_LOW_MEMORY_BYTES}B'")
        connection.execute(f"SET temp_directory = {quote_literal(str(temp_directory))}")
