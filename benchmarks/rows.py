"""The generated records of a data set, as the server reads them."""

from __future__ import annotations

import mmap
from array import array
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = date(2025, 11, 1)
DAYS = 365
BEGIN, SEPARATOR, END = b"[\n", b",\n", b"\n]"  # the last two are equally long


class Rows:
    """The generated records of a data set.

    Args:
        path: The file of the records.
        count: Their number.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.count = count
        self._positions = array("Q")
        self._positions.frombytes(path.with_suffix(".positions").read_bytes())
        with path.open("rb") as file:
            self._records = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def read_range(self, first: int, last: int) -> memoryview:
        """Returns the JSON of the records from `first` up to but not including `last`, separated by commas."""
        if first >= last:
            return self._records[:0]
        return self._records[self._positions[first] : self._positions[last] - len(SEPARATOR)]

    def find_first_on_day(self, day: str) -> int:
        """Returns the number of the first record on or after a date or timestamp, ``YYYY-MM-DD...``."""
        return self._find_first((date.fromisoformat(day[:10]) - FIRST_DAY).days)

    def find_first_after_day(self, day: str) -> int:
        """Returns the number of the first record after a date."""
        return self._find_first((date.fromisoformat(day[:10]) - FIRST_DAY).days + 1)

    def _find_first(self, day: int) -> int:
        return -(-min(max(day, 0), DAYS) * self.count // DAYS)
