"""Limits the memory that large pages leave allocated in the heaps of worker threads."""

from __future__ import annotations

import ctypes

ARENA_MAX = -8
"""glibc's number for this option."""


def share_heaps() -> None:
    """Makes all threads share one heap, if the C library is glibc.

    Otherwise each thread has its own heap, which never returns the memory of a large page: with eight workers and
    pages of 20 MB that is half of the process's memory.
    """
    try:
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    except (OSError, AttributeError, TypeError):  # another C library may not have it
        return
