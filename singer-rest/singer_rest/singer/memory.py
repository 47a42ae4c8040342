"""Settings of the process for its memory: the heaps of worker threads, and how often garbage is collected."""

from __future__ import annotations

import ctypes
import gc

ARENA_MAX = -8
"""glibc's number for this option."""


ALLOCATIONS = 100_000
"""Objects allocated until Python looks for cycles: some pages' worth. Records form none."""


def reduce_gc_frequency() -> None:
    """Makes Python look for unreachable cycles less often, and never among the objects of a tap's start."""
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])
    if not gc.isenabled():  # a tap's executable disables it for its imports
        gc.freeze()
        gc.enable()


def use_single_malloc_arena() -> None:
    """Makes all threads share one heap, if the C library is glibc.

    Otherwise each thread has its own heap, which never returns the memory of a large page: with eight workers and
    pages of 20 MB that is half of the process's memory.
    """
    try:
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    except (OSError, AttributeError, TypeError):  # another C library may not have it
        return
