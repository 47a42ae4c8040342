"""What a reply's body holds, and the page that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_rest.fetch.answers import Meaning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice


@dataclass(frozen=True)
class Parsed:
    """What a body holds.

    Args:
        records: The records as the vendor sent them.
        next_requests: The requests for the following pages: none on the last page; one if each page points to the next;
            all of them, on the first page, if the number of pages is known. Those are then fetched concurrently.
        total: How many items the vendor says that the whole list holds; None: it does not say, or cannot be relied on.
        item_count: How many of these the body holds; None: one for each record.
        failed_items: How many items the vendor says that it could not give.
        maybe_incomplete: Whether the body may lack records: it does not say that there are none, but is taken for that.
        note: What the stream has to know once the page is handed on; its own.
    """

    records: list[Record]
    next_requests: Sequence[Request] = ()
    total: int | None = None
    item_count: int | None = None
    failed_items: int = 0
    maybe_incomplete: bool = False
    note: Any = None


@dataclass
class Page:
    """The records of one answer, in the vendor's order.

    Args:
        records: The records as the vendor sent them.
        next_requests: The requests for the pages after this one: the next one, or all where their number is known.
        slice: The slice that the page belongs to.
        size: Bytes of the body.
        received: When the answer was there, UTC.
        meaning: What the answer means.
        parent: The parent, as it was asked with, where the answer says that it is gone, forbidden or refused.
        why: Why the vendor refused what was asked of the parent, as a sentence.
        total: How many items the vendor says that the list holds, if it does.
        item_count: How many of these the page holds.
        failed_items: How many items the vendor says that it could not give.
        maybe_incomplete: Whether the answer does not say that there are no records, but is taken for that.
        is_first: Whether a list begins with it: a slice may be read in several.
        restarts: How often the list was begun anew.
        asks_again: Whether it answers nothing yet, and what follows is only another way to ask.
        needs_slicing: Whether its list goes on, and is read in slices instead.
        is_no_content: Whether the vendor sent no body at all, which may be a mistake.
        ends_slice: Whether it is the last page of its slice; known once it is handed on.
        fingerprint: What tells its records from those of other pages; None: it has none.
        note: What the stream has to know of it; its own.
    """

    records: list[Record]
    next_requests: Sequence[Request]
    slice: Slice
    size: int
    received: datetime
    meaning: Meaning = Meaning.RECORDS
    parent: str | None = None
    why: str = ""
    total: int | None = None
    item_count: int = 0
    failed_items: int = 0
    maybe_incomplete: bool = False
    is_first: bool = False
    restarts: int = 0
    is_placeholder: bool = False
    needs_slicing: bool = False
    is_no_content: bool = False
    ends_slice: bool = False
    fingerprint: int | None = None
    note: Any = None
