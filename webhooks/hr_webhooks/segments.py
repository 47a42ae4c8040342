"""The files of the journal."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from hr_webhooks.entries import is_whole, position_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".jsonl"
_DIGITS = 20
LINE_BEGIN = re.compile(rb'[0-9a-f]{8} \{"n":\d')


class Segment(NamedTuple):
    """A file of the journal.

    Attributes:
        first: The position of its first entry, whether it has been written already or not.
        path: The file.
    """

    first: int
    path: Path


class Line(NamedTuple):
    """A line of a segment.

    Attributes:
        end: The offset of the byte after it.
        text: The line with its newline; None: it is damaged.
    """

    end: int
    text: bytes | None


class Tail(NamedTuple):
    """Where a segment ends.

    Attributes:
        last: The position of the last whole entry; the position before the segment's first if there is none.
        size: The offset of the byte after that entry. What follows was never completed.
        device: Identifies the file together with `inode`.
        inode: The number of the file.
    """

    last: int
    size: int
    device: int
    inode: int


def list_segments(folder: Path) -> list[Segment]:
    """Returns the segments of a folder in order."""
    names = sorted(entry for entry in os.listdir(folder) if entry.endswith(SUFFIX))  # noqa: PTH208 - twice as fast
    stems = ((name, name.removesuffix(SUFFIX)) for name in names)
    return [Segment(int(stem), folder / name) for name, stem in stems if len(stem) == _DIGITS and stem.isdecimal()]


def make_segment(folder: Path, first: int) -> Segment:
    """Returns the segment that begins with a position. The file is not created."""
    return Segment(first, folder / f"{first:0{_DIGITS}}{SUFFIX}")


def read_lines(path: Path, start: int, end: int) -> Iterator[Line]:
    """Yields the lines between two offsets, of which the first is the start of a line.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while offset < end and (line := file.readline(end - offset)):
            if is_whole(line):
                offset += len(line)
                yield Line(offset, line)
            else:
                yield from _find_lines(line, offset)
                offset += len(line)


def _find_lines(damaged: bytes, offset: int) -> Iterator[Line]:
    """Yields the lines that are whole in a damaged one, which may be several whose line breaks are gone.

    Args:
        damaged: The damaged line.
        offset: Where it begins.
    """
    begins = [0, *(match.start() for match in LINE_BEGIN.finditer(damaged, 1)), len(damaged)]
    for begin, end in pairwise(begins):
        line = damaged[begin:end]
        candidates = (line, line[:-1] + b"\n")  # the last byte may be what was a line break
        yield Line(offset + end, next(filter(is_whole, candidates), None))


def find_tail(segment: Segment, known: Tail | None = None) -> Tail:
    """Finds the end of a segment.

    Args:
        segment: The segment.
        known: An earlier end, from which the search starts if the file is still the same.

    Raises:
        OSError: If the file cannot be read.
    """
    status = segment.path.stat()
    last, size = segment.first - 1, 0
    if known and (known.device, known.inode) == (status.st_dev, status.st_ino) and known.size <= status.st_size:
        last, size = known.last, known.size
    for line in read_lines(segment.path, size, status.st_size):
        if line.text is not None:
            last, size = position_of(line.text), line.end
    return Tail(last, size, status.st_dev, status.st_ino)
