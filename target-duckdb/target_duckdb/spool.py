"""Private temporary files that hold records until their batch is committed."""

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

from target_duckdb.database import quote_literal
from target_duckdb.errors import TargetError, os_error_message

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

logger = logging.getLogger("target-duckdb")

PREFIX = "target-duckdb-"
_LOCK = "lock"
#: A folder without a lock file is just being created, unless it is older than this.
_GRACE_SECONDS = 3600
_CHUNK_ROWS = 1000
_LINE_ROWS = 16  # DuckDB parses 2,048 lines at a time, and is faster if their values fit into the processor's cache
_GLOB = re.compile(r"[*?\[]")  # characters of paths that DuckDB would expand
#: Bytes that DuckDB's JSON reader allows for one line. Longer lines take more memory.
MIN_OBJECT_SIZE = 1 << 20
_CHUNK_BYTES = 1 << 18
_SHARED = "all_"  # before the name of a field whose value is written once

_encode_lines = msgspec.json.Encoder().encode_lines


class SpoolDirectory:
    """A folder of mode 0700, removed on `close`, when the process ends, or when the next run starts.

    Args:
        parent: The parent folder, the system's temporary folder by default.

    Raises:
        TargetError: The folder cannot be created.
    """

    def __init__(self, parent: str | None = None) -> None:
        base = Path(parent or tempfile.gettempdir())
        self._what = "the spool (setting `temp_dir`)"
        remove_leftovers(base)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            # Locked before it gets its final name: another run would remove a folder whose lock is free.
            lock = os.open(self.path / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
            _try_lock(lock)  # released when the process ends
            (self.path / f"{_LOCK}.new").rename(self.path / _LOCK)
        except OSError as error:
            raise TargetError(os_error_message(error, self._what)) from None
        self._finalizer = weakref.finalize(self, _remove_folder, self.path, lock)
        self._files = 0

    def close(self) -> None:
        """Removes the folder and its files."""
        self._finalizer()

    def new_file(self) -> Path:
        """Returns the path for a new file."""
        self._files += 1
        return self.path / f"{self._files}.jsonl"

    def append_to_file(self, path: Path, data: bytes) -> None:
        """Appends to a file of mode 0600.

        Raises:
            TargetError: The disk is full, or the folder was removed.
        """
        try:
            # Opened per chunk, because a run may have more streams than a process may open files.
            with os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            raise TargetError(os_error_message(error, self._what)) from None


class SpoolFile:
    """A file of rows. Each line is a JSON object with a list of values per field, for several rows.

    A field that is null in all rows of a line is left out. At least one field must be a list that is not, because its
    length is the number of rows. A value that all rows of a line share may be written once.

    Args:
        directory: The folder in which to create the file.
        wide: Whether to write one object per row, because lists of so many fields would take too much memory in DuckDB.

    Attributes:
        path: The path of the file.
        max_line_bytes: The length of its longest line. An upper bound of it up to `MIN_OBJECT_SIZE`.
    """

    def __init__(self, directory: SpoolDirectory, *, wide: bool = False) -> None:
        self._directory = directory
        self._wide = wide
        self._fields: Sequence[str] = ()
        self._rows: list[Sequence[Any]] = []
        self._rows_bytes = 0
        self._lines: list[bytes] = []
        self._lines_bytes = 0
        self._listed: set[str] = set()
        self._shared: set[str] = set()
        self.path = directory.new_file()
        self.max_line_bytes = 0

    def add_row(self, fields: Sequence[str], row: Sequence[Any], size: int) -> None:
        """Adds a row with a value per field. `size` is its approximate size in bytes."""
        if self._rows_bytes + size > _CHUNK_BYTES or fields is not self._fields:
            self._end_line()
            self._fields = fields
        self._rows.append(row)
        self._rows_bytes += size
        if len(self._rows) >= _CHUNK_ROWS or self._rows_bytes >= _CHUNK_BYTES:
            self._end_line()

    def add_columns(self, fields: Iterable[str], columns: Sequence[Any]) -> None:
        """Adds rows given as columns: lists of values, or the one value of all rows."""
        self._end_line()
        self._add_lines(fields, columns)

    def _end_line(self) -> None:
        if self._rows:
            self._add_lines(self._fields, [*zip(*self._rows, strict=True)])
            self._rows.clear()
            self._rows_bytes = 0

    def _add_lines(self, fields: Iterable[str], columns: Sequence[Any]) -> None:
        items: list[dict[str, Any]]
        rows = max(len(values) for values in columns if isinstance(values, (list, tuple)))
        if self._wide:
            self._listed.update(fields)
            lists = [values if isinstance(values, (list, tuple)) else [values] * rows for values in columns]
            names = [*fields]
            items = [
                {name: value for name, value in zip(names, row, strict=True) if value is not None}
                for row in zip(*lists, strict=True)
            ]
        else:
            shared: dict[str, Any] = {}
            own: list[tuple[str, Sequence[Any]]] = []
            for field, values in zip(fields, columns, strict=True):
                if isinstance(values, (list, tuple)):
                    if values[0] is not None or values.count(None) < rows:
                        own.append((field, values))
                elif values is not None:
                    shared[_SHARED + field] = values
                    self._shared.add(field)
            self._listed.update(field for field, _ in own)
            items = [
                shared | {field: values[start : start + _LINE_ROWS] for field, values in own}
                for start in range(0, rows, _LINE_ROWS)
            ]
        encoded = _encode_lines(items)
        # A few short lines need not be looked at.
        is_long = len(encoded) > MIN_OBJECT_SIZE
        longest = max(map(len, encoded.splitlines(keepends=True))) if is_long else len(encoded)
        self.max_line_bytes = max(self.max_line_bytes, longest)
        self._lines.append(encoded)
        self._lines_bytes += len(encoded)
        if self._lines_bytes >= _CHUNK_BYTES:
            self._write_lines()

    def _write_lines(self) -> None:
        self._directory.append_to_file(self.path, b"".join(self._lines))
        self._lines.clear()
        self._lines_bytes = 0

    def select_sql(self, fields: Mapping[str, str]) -> str:
        """Returns SQL that selects the rows. Call `flush` first.

        Args:
            fields: The DuckDB types of the fields to read, by name.
        """
        suffix = "" if self._wide else "[]"
        # Fields that no row has are not read.
        listed = [name for name in fields if name in self._listed]
        shared = [name for name in fields if name in self._shared]
        types = ", ".join(
            [f"{name}: '{fields[name]}{suffix}'" for name in listed]
            + [f"{_SHARED}{name}: '{fields[name]}'" for name in shared]
        )
        # DuckDB fills fields that are missing or shorter than others with NULL.
        values = {name: f"CAST(NULL AS {type_})" for name, type_ in fields.items()}
        values |= {name: name if self._wide else f"unnest({name})" for name in listed}
        values |= {
            name: f"coalesce({values[name]}, {_SHARED}{name})" if name in self._listed else f"{_SHARED}{name}"
            for name in shared
        }
        rows = ", ".join(f"{value} AS {name}" for name, value in values.items())
        path = quote_literal(_GLOB.sub(r"[\g<0>]", str(self.path)))
        size = max(MIN_OBJECT_SIZE, self.max_line_bytes + 16)
        return (
            f"SELECT {rows} FROM read_json({path}, format = 'newline_delimited',"  # noqa: S608 - own names
            f" columns = {{{types}}}, maximum_object_size = {size})"
        )

    def flush(self) -> None:
        """Writes the rows that are still in memory."""
        self._end_line()
        if self._lines:
            self._write_lines()

    def remove(self) -> None:
        """Removes the file."""
        self.path.unlink(missing_ok=True)


def remove_leftovers(base: Path) -> None:
    """Removes the folders of killed runs. Folders that are locked or belong to another user are kept."""
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
            if _try_lock(lock):
                logger.info("Removing the spool of an earlier run that did not finish.")
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_folder(path: Path, lock: int) -> None:
    os.close(lock)
    shutil.rmtree(path, ignore_errors=True)
