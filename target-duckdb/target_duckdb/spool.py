"""Private files that hold records between their arrival and the batch's transaction."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
import weakref
from pathlib import Path

import msgspec

from target_duckdb.errors import TargetError, os_sentence

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("target-duckdb")

PREFIX = "target-duckdb-"
_LOCK = "lock"
#: A folder without a lock file is younger than its owner's next line of code, or older than this and left behind.
_GRACE_SECONDS = 3600
_CHUNK_ROWS = 1000
_CHUNK_BYTES = 1 << 20

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
            lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise TargetError(os_sentence(error, self._what)) from None
        _lock(lock)  # held until the process ends, however it ends
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
            raise TargetError(os_sentence(error, self._what)) from None


class SpoolFile:
    """Rows of one layout, one JSON object a line."""

    def __init__(self, directory: SpoolDirectory) -> None:
        self._directory = directory
        self._rows: list[msgspec.Struct] = []
        self._pending_bytes = 0
        self.path = directory.new_file()
        self.rows = 0
        #: The longest record's bytes, but for those that were written on their own.
        self.longest = 0
        #: Bytes of the longest line of those that were written on their own.
        self.longest_line = 0

    def add(self, row: msgspec.Struct, size: int) -> None:
        """Takes one row; `size` is about what it takes in bytes."""
        self.rows += 1
        if size >= _CHUNK_BYTES:  # on its own: nothing else waits in memory, and its length is known exactly
            self.flush()
            line = _encode_lines([row])
            self.longest_line = max(self.longest_line, len(line))
            self._directory.append(self.path, line)
            return
        self._rows.append(row)
        self._pending_bytes += size
        self.longest = max(self.longest, size)
        if len(self._rows) >= _CHUNK_ROWS or self._pending_bytes >= _CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is still in memory."""
        if self._rows:
            self._directory.append(self.path, _encode_lines(self._rows))
            self._rows.clear()
            self._pending_bytes = 0

    def remove(self) -> None:
        """Removes the file."""
        self._rows.clear()
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
