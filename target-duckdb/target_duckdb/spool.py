"""Private files that hold records between their arrival and the batch's transaction."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from target_duckdb.database import literal
from target_duckdb.errors import TargetError, os_error_message

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

logger = logging.getLogger("target-duckdb")

PREFIX = "target-duckdb-"
_LOCK = "lock"
#: A folder without a lock file is younger than its owner's next lines of code, or older than this and left behind.
_GRACE_SECONDS = 3600
_CHUNK_ROWS = 1000
_GLOB = re.compile(r"[*?\[]")  # a folder's name may hold what DuckDB takes for a pattern
#: What DuckDB allows for one line at least.
MIN_OBJECT_SIZE = 1 << 20
_CHUNK_BYTES = 1 << 18

_encode_lines = msgspec.json.Encoder().encode_lines


class SpoolDirectory:
    """A folder of mode 0700 that goes when it is closed, when the process ends, or when the next run starts.

    Args:
        parent: Where to make it; the system's folder for temporary files by default.

    Raises:
        TargetError: It cannot be made.
    """

    def __init__(self, parent: str | None = None) -> None:
        base = Path(parent or tempfile.gettempdir())
        self._what = "the spool (setting `temp_dir`)"
        remove_leftovers(base)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            # Locked before it has its name: another run that starts takes a lock that nobody holds for a leftover.
            lock = os.open(self.path / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
            _lock(lock)  # held until the process ends, however it ends
            (self.path / f"{_LOCK}.new").rename(self.path / _LOCK)
        except OSError as error:
            raise TargetError(os_error_message(error, self._what)) from None
        self._finalizer = weakref.finalize(self, _remove, self.path, lock)
        self._files = 0

    def close(self) -> None:
        """Removes the folder and all that is in it."""
        self._finalizer()

    def new_file(self) -> Path:
        """A name for a new file."""
        self._files += 1
        return self.path / f"{self._files}.jsonl"

    def append(self, path: Path, data: bytes) -> None:
        """Writes at the end of a file of mode 0600.

        Raises:
            TargetError: The disk is full or the folder is gone.
        """
        try:
            # Opened per chunk: a run may have hundreds of streams, a process not as many open files.
            with os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            raise TargetError(os_error_message(error, self._what)) from None


class SpoolFile:
    """Rows of one layout, some at a time as one JSON object a line: a list of values per field.

    DuckDB reads this in half the time that an object per row takes. A field that is empty in all rows of a line is left
    out; the first of a row's must never be empty, because it says how many rows there are.

    Args:
        directory: Where to make it.
        wide: Whether its rows have so many fields that lists would take too much of DuckDB's memory: an object per row.

    Attributes:
        path: Where it is.
        longest: Bytes of its longest line.
    """

    def __init__(self, directory: SpoolDirectory, *, wide: bool = False) -> None:
        self._directory = directory
        self._wide = wide
        self._fields: Sequence[str] = ()
        self._rows: list[Sequence[Any]] = []
        self._rows_bytes = 0
        self._lines: list[bytes] = []
        self._lines_bytes = 0
        self.path = directory.new_file()
        self.max_line_bytes = 0

    def add(self, fields: Sequence[str], row: Sequence[Any], size: int) -> None:
        """Takes one row of values of these fields; `size` is about what it takes in bytes."""
        if self._rows_bytes + size > _CHUNK_BYTES or fields is not self._fields:
            self._end_line()
            self._fields = fields
        self._rows.append(row)
        self._rows_bytes += size
        if len(self._rows) >= _CHUNK_ROWS or self._rows_bytes >= _CHUNK_BYTES:
            self._end_line()

    def add_columns(self, fields: Iterable[str], columns: Iterable[Sequence[Any]]) -> None:
        """Takes some rows, column by column."""
        self._end_line()
        self._add_line(fields, columns)

    def _end_line(self) -> None:
        if self._rows:
            self._add_line(self._fields, zip(*self._rows, strict=True))
            self._rows.clear()
            self._rows_bytes = 0

    def _add_line(self, fields: Iterable[str], columns: Iterable[Sequence[Any]]) -> None:
        objects: Iterable[dict[str, Any]]
        if self._wide:
            names, rows = [*fields], zip(*columns, strict=True)
            objects = ({n: value for n, value in zip(names, row, strict=True) if value is not None} for row in rows)
        else:
            objects = [
                {
                    field: values
                    for field, values in zip(fields, columns, strict=True)
                    if values[0] is not None or values.count(None) < len(values)
                }
            ]
        for item in objects:
            line = _encode_lines([item])
            self.max_line_bytes = max(self.max_line_bytes, len(line))
            self._lines.append(line)
            self._lines_bytes += len(line)
            if self._lines_bytes >= _CHUNK_BYTES:
                self._write()

    def _write(self) -> None:
        self._directory.append(self.path, b"".join(self._lines))
        self._lines.clear()
        self._lines_bytes = 0

    def select(self, fields: Mapping[str, str]) -> str:
        """SQL that gives the rows, once all were written.

        Args:
            fields: The fields to read, and the types with which DuckDB reads them.
        """
        suffix = "" if self._wide else "[]"
        types = ", ".join(f"{name}: '{type_}{suffix}'" for name, type_ in fields.items())
        # A field that a line lacks, or that is shorter than others, is filled up with NULL.
        rows = ", ".join(name if self._wide else f"unnest({name}) AS {name}" for name in fields)
        path = literal(_GLOB.sub(r"[\g<0>]", str(self.path)))
        size = max(MIN_OBJECT_SIZE, self.max_line_bytes + 16)
        return (
            f"SELECT {rows} FROM read_json({path}, format = 'newline_delimited',"  # noqa: S608 - own names
            f" columns = {{{types}}}, maximum_object_size = {size})"
        )

    def flush(self) -> None:
        """Writes what is still in memory."""
        self._end_line()
        if self._lines:
            self._write()

    def remove(self) -> None:
        """Removes the file."""
        self.path.unlink(missing_ok=True)


def remove_leftovers(base: Path) -> None:
    """Removes the folders of runs that were killed. Those of living runs are locked, those of others not ours."""
    if sys.platform == "win32":
        return
    for folder in base.glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            if status.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
                continue
            if not (folder / _LOCK).exists():
                if time.time() - status.st_mtime > _GRACE_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:
            continue
        try:
            if _lock(lock):
                logger.info("Removing the spool that an earlier run left behind.")
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(path: Path, lock: int) -> None:
    os.close(lock)
    shutil.rmtree(path, ignore_errors=True)
