"""Locks between processes."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from hr_webhooks.private_files import PRIVATE_FILE

if TYPE_CHECKING:
    from pathlib import Path

FIRST_POLL_SECONDS = 0.0005
MAX_POLL_SECONDS = 0.005


class JournalLockedError(OSError):
    """Another process has kept the journal locked for too long."""


def open_locked(path: Path, kind: int, deadline: float) -> int:
    """Opens a file and locks it. Closing it, also by the end of the process, releases the lock.

    Args:
        path: The file, which is created if it does not exist.
        kind: `fcntl.LOCK_EX` or `fcntl.LOCK_SH`.
        deadline: When to give up, as of `time.monotonic`.

    Returns:
        The descriptor of the file.

    Raises:
        JournalLockedError: If others have kept it locked until the deadline.
        OSError: If it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, PRIVATE_FILE)
    pause = FIRST_POLL_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise JournalLockedError(f"Another process keeps {path} locked.") from None
                time.sleep(pause)
                pause = min(2 * pause, MAX_POLL_SECONDS)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
