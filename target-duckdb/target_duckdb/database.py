"""The database file: opened for one batch, waited for while another process has it."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from target_duckdb.errors import MemoryTargetError, TargetError, duckdb_sentence, is_lock_error

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("target-duckdb")

_LONGEST_PAUSE = 1.0
#: Enough for most batches. With more, DuckDB keeps more of the file in memory and is no faster.
_FRUGAL = 160 * 1000**2
_MAGIC = slice(8, 12)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])?(i)?b?(?:ytes?)?", re.ASCII | re.IGNORECASE)
_DEFAULT_SIZE = 512 * 1000**2


def literal(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A quoted identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def size_of(text: str) -> int:
    """Bytes of a size as DuckDB writes it (`512MB`, `1 GiB`); of the default where it is none."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return _DEFAULT_SIZE
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " kmgt".index((match[2] or " ").lower()))


class Database:
    """A DuckDB file, and how to open it.

    Args:
        path: Where it is.
        memory_limit: What DuckDB may take, as DuckDB writes it (`512MB`).
        lock_timeout: Seconds to wait while another process has the file open.
        token: A MotherDuck token, for paths that begin with `md:`.
    """

    def __init__(self, path: str, *, memory_limit: str, lock_timeout: float, token: str | None = None) -> None:
        self.path = path
        self._memory_limit = memory_limit
        self._lock_timeout = lock_timeout
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "custom_user_agent": "target-duckdb",
            # A batch is too small to be shared out: more threads take more memory, and more time in sum.
            "threads": 1,
        }
        self._remote = path.startswith("md:")
        if self._remote and token:
            self._config["motherduck_token"] = token

    def check(self) -> None:
        """Looks at the path, and makes its folder, before any input is read.

        Raises:
            TargetError: It cannot be a database that this process may write.
        """
        if self._remote:
            return
        path = Path(self.path)
        try:
            if path.is_dir():
                raise TargetError("The setting `path` names a folder: it must name a DuckDB file.")
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                with path.open("rb") as file:
                    start = file.read(_MAGIC.stop)
                if start[_MAGIC] != b"DUCK":
                    raise TargetError("The setting `path` names a file that is not DuckDB's: name another.")
        except (FileExistsError, NotADirectoryError):
            raise TargetError("The setting `path` lies below a file: it must lie in a folder.") from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise TargetError(f"The DuckDB file cannot be opened ({reason}): check the setting `path`.") from None

    @contextmanager
    def transaction(self, temp_directory: Path, *, frugal: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens the file for one transaction: all of it is kept at the end, or nothing on an error.

        Args:
            temp_directory: Where DuckDB puts what does not fit into memory.
            frugal: Whether to try with less memory than DuckDB may take.

        Raises:
            MemoryTargetError: That was too little.
            TargetError: The file is locked for too long, or DuckDB refuses something.
        """
        committing = False
        before = os.umask(0o777)
        os.umask(before | self._hidden())
        try:
            connection = self._open()
            try:
                self._configure(connection, temp_directory, frugal=frugal)
                connection.begin()
                yield connection
                committing = True
                connection.commit()
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise
            finally:
                with suppress(duckdb.Error):
                    connection.close()
        except duckdb.Error as error:
            short = frugal and not committing and isinstance(error, duckdb.OutOfMemoryException)
            raise (MemoryTargetError if short else TargetError)(duckdb_sentence(error)) from None
        finally:
            os.umask(before)

    def _hidden(self) -> int:
        """The rights of others that the files which DuckDB makes must lack: all, or those that its file lacks."""
        try:
            mode = Path(self.path).stat().st_mode
        except OSError:
            mode = 0
        return 0o077 & ~mode

    def _open(self) -> duckdb.DuckDBPyConnection:
        end = time.monotonic() + self._lock_timeout
        pause = 0.05
        told = False
        while True:
            try:
                return duckdb.connect(self.path, config=self._config)
            except duckdb.Error as error:
                if not is_lock_error(error):
                    raise
                if time.monotonic() >= end:
                    raise TargetError(
                        "The DuckDB file was open in another process for as long as `lock_timeout` says:"
                        " close it there, or raise that setting."
                    ) from None
            if not told:
                logger.info("The DuckDB file is open in another process: waiting for it.")
                told = True
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _configure(self, connection: duckdb.DuckDBPyConnection, temp_directory: Path, *, frugal: bool) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        if self._remote:
            return
        try:
            connection.execute(f"SET memory_limit = {literal(self._memory_limit)}")
        except duckdb.Error:
            raise TargetError("The setting memory_limit is not a size that DuckDB knows, such as '512MB'.") from None
        if frugal and size_of(self._memory_limit) > _FRUGAL:
            connection.execute(f"SET memory_limit = '{_FRUGAL}B'")
        connection.execute(f"SET temp_directory = {literal(str(temp_directory))}")
