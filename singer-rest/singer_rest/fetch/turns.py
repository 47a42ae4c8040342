"""Advances the reads of several streams in turn, as their pages arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGES_PER_TURN = 4  # of a stream, before it is the turn of another
_END = object()
Read: TypeAlias = "tuple[str, Iterator[object]]"
"""A pair: a stream's name, and the iterator that reads it, which yields None while it waits for pages."""


class Waiter(Protocol):
    """Waits for pages."""

    def __call__(self, *, blocks: bool) -> set[str]:
        """Returns the streams that have a page or have ended. If there is none and `blocks`, waits for one."""


def read_in_turns(reads: Iterable[Read], wait_for_pages: Waiter) -> None:
    """Advances reads in turn until all of them have ended.

    Args:
        reads: The reads.
        wait_for_pages: Waits for pages of the streams.
    """
    left: dict[str, list[Iterator[object]]] = {}
    for name, read in reads:
        left.setdefault(name, []).append(read)
    due: Iterable[str] = list(left)
    while left:
        unfinished = []
        for name in due:
            outcomes = [(read, _advance(read)) for read in left[name]]
            left[name] = [read for read, outcome in outcomes if outcome is not False]
            if not left[name]:
                del left[name]
            elif any(outcome for _, outcome in outcomes):
                unfinished.append(name)
        due = {*unfinished, *wait_for_pages(blocks=not unfinished)} if left else ()


def _advance(read: Iterator[object]) -> bool | None:
    """Advances a read by a few pages. Returns None if the read waits for its next page, and False if it has ended."""
    for _ in range(PAGES_PER_TURN):
        progress = next(read, _END)
        if progress is None or progress is _END:
            return None if progress is None else False
    return True
