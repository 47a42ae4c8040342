"""Memory that large pages leave behind in the workers' heaps."""

from __future__ import annotations

import ctypes

ARENA_MAX = -8
"""The number that glibc knows this setting by."""


def share_heaps() -> None:
    """Let all threads share one heap, where the C library is glibc.

    Each thread would have one of its own, and what a large page took there is not given back: with eight workers and
    pages of 20 MB that is half of what the process holds.
    """
    try:
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    except (OSError, AttributeError, TypeError):  # another C library, which may know nothing of it
        return
