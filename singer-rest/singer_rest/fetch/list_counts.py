"""Counts the items of lists and slices, to notice that some are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest.slices.base import Slice


@dataclass
class ListCount:
    """Item counts of one list, from its first page on.

    Args:
        total: Number of items that the vendor reports.
        received: Number of items received.
        restart_count: How often the list was restarted.
        counts_records: Whether the vendor's total counts records, not objects nested in them.
    """

    total: int = 0
    received: int = 0
    restart_count: int = 0
    counts_records: bool = True

    @property
    def is_short(self) -> bool:
        """Whether the vendor reports more items than were received."""
        return self.received < self.total

    @property
    def surplus(self) -> int | None:
        """Number of items received beyond the reported total. None: the vendor reports no total of records."""
        return max(self.received - self.total, 0) if self.total and self.counts_records else None


@dataclass
class SliceCount:
    """The counts of one slice.

    Args:
        slice: The slice.
        list: Those of the list that is being read. A slice can consist of several.
        rows: Number of records.
        repeated: Number of records that repeat the key of an earlier one.
        surplus: Number of items received beyond the reported totals. None: there is no total of records.
        is_incomplete: Whether records may be missing.
        is_unread: Whether its parent was not found or refused, or the vendor cannot return it or some of its items, or
            sent no body the first time.
        is_refused: Whether one of its parents is forbidden or rejected.
    """

    slice: Slice
    list: ListCount = field(default_factory=ListCount)
    rows: int = 0
    repeated: int = 0
    surplus: int | None = None
    is_incomplete: bool = False
    is_unread: bool = False
    is_refused: bool = False

    def close_list(self) -> None:
        """Adds the counts of a list that has been read."""
        self.is_incomplete = self.is_incomplete or self.list.is_short
        if (surplus := self.list.surplus) is not None:
            self.surplus = (self.surplus or 0) + surplus
