"""A durable, append-only journal of requests in a folder of files.

A segment is a file that is named after the position of its first entry and has a line per entry. Several processes may
append: a lock on the file `journal.lock` is held during each group of entries. Readers only see what is durable, so
that a position that they have passed is never given to another entry, even if the machine loses power.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from hr_webhooks.entries import Entry, decode, encode, make_entry, position_of
from hr_webhooks.errors import JournalError
from hr_webhooks.locking import JournalLockedError, open_locked
from hr_webhooks.private_files import PRIVATE_FILE, make_private_folder, sync_folder
from hr_webhooks.segments import Segment, Tail, find_tail, list_segments, make_segment, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Entry", "Journal", "JournalLockedError", "make_entry"]

LOGGER = logging.getLogger(__name__)
LOCK_FILE = "journal.lock"
QUEUE_FILE = "journal.queue"
LOCK_SECONDS = 10.0  # how long a writer or reader waits for the others
POLL_SECONDS = 0.1  # between looks for new entries
SEGMENT_BYTES = 16 * 1024 * 1024


class Journal:
    """A journal in a folder. May be used by several threads.

    Args:
        folder: The folder.
        create: Create the folder if it does not exist. Readers leave it out, so that a wrong path is noticed.
        segment_bytes: The size at which a new segment begins.
        lock_seconds: How long to wait for other processes before `JournalLockedError`.

    Attributes:
        damaged: The number of damaged lines that were left out.

    Raises:
        JournalError: If the folder does not exist, and is not to be created.
        OSError: If it cannot be created.
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        if create:
            make_private_folder(folder)
        if not folder.is_dir():
            raise JournalError(f"There is no journal in {folder}. Start `hr-webhooks serve`, or correct its path.")
        self.folder = folder
        self.damaged = 0
        self._segment_bytes = segment_bytes
        self._lock_seconds = lock_seconds
        self._thread_lock = threading.Lock()
        self._newest: Segment | None = None
        self._tail: Tail | None = None
        self._file: int | None = None  # descriptor of the newest segment, if this process has written to it
        self._resume: dict[int, tuple[Segment, int]] = {}  # where the entries after a position begin

    def append(self, entries: Sequence[Entry]) -> int:
        """Appends entries in one write. They are durable on return; if it raises, none of them was appended.

        Returns:
            The position of the last one.

        Raises:
            OSError: If they cannot be written. A later call may succeed.
        """
        with self._thread_lock, self._locked(fcntl.LOCK_EX):
            segment, tail = self._find_end(repair=True)
            if not entries:
                return tail.last
            lines = b"".join(encode(entry, n) for n, entry in enumerate(entries, tail.last + 1))
            if tail.size and tail.size + len(lines) > self._segment_bytes:
                segment, tail = self._begin_segment(tail.last + 1)
            return self._write(segment, tail, lines, tail.last + len(entries))

    def _write(self, segment: Segment, tail: Tail, lines: bytes, last: int) -> int:
        self._tail = None  # until the write has succeeded
        if self._file is None:
            self._file = os.open(segment.path, os.O_WRONLY)
        try:
            rest = memoryview(lines)
            offset = tail.size
            while rest:
                written = os.pwrite(self._file, rest, offset)
                rest, offset = rest[written:], offset + written
            os.fdatasync(self._file)
        except BaseException:
            # The next writer would remove it, too, but a whole line of a group that failed must not count.
            with suppress(OSError):
                os.ftruncate(self._file, tail.size)
            self._forget()
            raise
        self._tail = tail._replace(last=last, size=offset)
        return last

    def read(self, after: int, limit: int | None = None) -> Iterator[Entry]:
        """Yields the entries after a position that are durable now, in order.

        A damaged line is left out, with a warning in the log.

        Args:
            after: The position; 0 yields all that the journal holds.
            limit: The largest number of entries.

        Raises:
            OSError: If the journal cannot be read.
        """
        with self._thread_lock, self._locked(fcntl.LOCK_SH):
            newest, tail = self._find_end(repair=False)
            with suppress(FileNotFoundError):  # an empty journal has no file
                _sync_file(newest.path)  # its writer may have been killed before it could
            segments = list_segments(self.folder)
        segments = [each for each in segments if each.first <= newest.first]
        start = next((i for i in range(len(segments) - 1, -1, -1) if segments[i].first <= after + 1), 0)
        segment, offset = self._resume.get(after, (None, 0))
        count = 0
        for each in segments[start:]:
            begin = offset if each == segment else 0
            for end, text in self._read_segment(each, begin, tail.size if each == newest else None):
                n = position_of(text)
                if n <= after:
                    continue
                if limit is not None and count >= limit:
                    return
                count += 1
                self._resume = {n: (each, end)}
                yield decode(text)

    def _read_segment(self, segment: Segment, begin: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        try:
            limit = segment.path.stat().st_size if end is None else end
            for line in read_lines(segment.path, begin, limit):
                if line.text is None:
                    self.damaged += 1
                    LOGGER.warning("A damaged line of the journal was left out: %s, before %s", segment.path, line.end)
                else:
                    yield line.end, line.text
        except FileNotFoundError:
            return  # it has been cut meanwhile

    def last_position(self) -> int:
        """Returns the position of the last durable entry; 0 if there never was one."""
        with self._thread_lock, self._locked(fcntl.LOCK_SH):
            newest, tail = self._find_end(repair=False)
            with suppress(FileNotFoundError):
                _sync_file(newest.path)
            return tail.last

    def first_position(self) -> int:
        """Returns the position of the first entry that the journal holds; of the next one if it holds none."""
        segments = list_segments(self.folder)
        return segments[0].first if segments else 1

    def size(self) -> int:
        """Returns the number of bytes of all entries."""
        sizes = []
        for segment in list_segments(self.folder):
            with suppress(FileNotFoundError):  # it has been cut meanwhile
                sizes.append(segment.path.stat().st_size)
        return sum(sizes)

    def wait(self, after: int, timeout: float) -> bool:
        """Waits for an entry after a position.

        Args:
            after: The position.
            timeout: The number of seconds after which to give up.

        Returns:
            Whether there is one.
        """
        deadline = time.monotonic() + timeout
        seen: tuple[int, int] | None = None
        while True:
            found = self._look()
            if found != seen and self.last_position() > after:
                return True
            seen = found
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            time.sleep(min(POLL_SECONDS, remaining))

    def _look(self) -> tuple[int, int] | None:
        """Returns what changes whenever entries are appended, without locking."""
        segments = list_segments(self.folder)
        with suppress(FileNotFoundError):  # it has been cut meanwhile
            return (segments[-1].first, segments[-1].path.stat().st_size) if segments else None
        return None

    def cut(self, until: int) -> int:
        """Removes the segments in which all entries are at or before a position.

        If this covers every entry, an empty segment remains, so that positions continue.

        Returns:
            The number of segments that were removed.

        Raises:
            OSError: If a file cannot be removed.
        """
        with self._thread_lock, self._locked(fcntl.LOCK_EX):
            _, tail = self._find_end(repair=True)
            if tail.size and until >= tail.last:
                self._begin_segment(tail.last + 1)
            segments = list_segments(self.folder)
            removable = [each for each, after in pairwise(segments) if after.first - 1 <= until]
            for segment in removable:
                segment.path.unlink()
            if removable:
                sync_folder(self.folder)
            return len(removable)

    def close(self) -> None:
        """Closes the file that is open. The journal may still be used."""
        with self._thread_lock:
            self._forget()

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        deadline = time.monotonic() + self._lock_seconds
        # Whoever waits for the lock holds the place in the queue, so that a busy process cannot take the lock again and
        # again before the others look.
        place = open_locked(self.folder / QUEUE_FILE, fcntl.LOCK_EX, deadline)
        try:
            descriptor = open_locked(self.folder / LOCK_FILE, kind, deadline)
        finally:
            os.close(place)
        try:
            yield
        finally:
            os.close(descriptor)

    def _find_end(self, *, repair: bool) -> tuple[Segment, Tail]:
        """Returns the newest segment and its end, for which the lock has to be held.

        Args:
            repair: Remove what was never completed, and create the first segment.
        """
        segments = list_segments(self.folder)
        if not segments:
            if repair:
                return self._begin_segment(1)
            return make_segment(self.folder, 1), Tail(0, 0, 0, 0)
        newest = segments[-1]
        status = newest.path.stat()
        if newest != self._newest:
            self._forget()
        tail = self._tail
        if tail is None or (tail.size, tail.device, tail.inode) != (status.st_size, status.st_dev, status.st_ino):
            previous, tail = tail, find_tail(newest, tail)
            if previous is None or previous.inode != tail.inode:
                self._forget()
            if repair and status.st_size > tail.size:
                LOGGER.warning(
                    "The end of the journal was removed, %d bytes that are no complete entry: %s. If no receiver was "
                    "killed while it wrote, check the disk.",
                    status.st_size - tail.size,
                    newest.path,
                )
                os.truncate(newest.path, tail.size)
        self._newest, self._tail = newest, tail
        return newest, tail

    def _begin_segment(self, first: int) -> tuple[Segment, Tail]:
        self._forget()
        segment = make_segment(self.folder, first)
        self._file = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        status = os.fstat(self._file)
        sync_folder(self.folder)
        self._newest, self._tail = segment, Tail(first - 1, 0, status.st_dev, status.st_ino)
        return segment, self._tail

    def _forget(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = self._newest = self._tail = None


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
