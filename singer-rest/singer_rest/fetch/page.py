"""The parsed body of a response, and the page made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from singer_rest.fetch.meanings import Meaning

if TYPE_CHECKING:
    from datetime import datetime

    from singer_rest.aliases import Record
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice


class FittedRecords(Sequence["Record"]):
    """The records of a page, fitted to their schema and encoded. Access to single records parses the page again.

    Args:
        count: Number of records.
        lines: The encoded records, a line each.
        keys: The values of each primary key.
        latest: The latest timestamp of the replication key, if there is one.
        load: Reads the records as the vendor sent them.
        withheld: Number of records without a line, because the privacy profile drops them.
    """

    def __init__(
        self,
        count: int,
        lines: bytes,
        keys: Sequence[Sequence[Any]],
        latest: datetime | None,
        load: Callable[[], Sequence[Record]],
        *,
        withheld: int = 0,
    ) -> None:
        self.lines = lines
        self.keys = keys
        self.latest = latest
        self.withheld = withheld
        self._count = count
        self._load = load

    @cached_property
    def _loaded(self) -> Sequence[Record]:
        return self._load()

    def __len__(self) -> int:
        """Returns the number of records."""
        return self._count

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        """Returns a record, or a sequence of records for a slice object."""
        return self._loaded[place]


class StructRows(list[Any]):
    """The rows of a decoded page as structs, in place of its records.

    Args:
        rows: The structs.
        records: The records that a page holds instead.
    """

    def __init__(self, rows: list[Any], records: FittedRecords) -> None:
        super().__init__(rows)
        self.records = records


@dataclass(frozen=True)
class ParsedBody:
    """The parsed body of a response.

    Args:
        records: The records as the vendor sent them.
        next_requests: The requests for the following pages: none on the last page; one if each page points to the next;
            all of them, on the first page, if the number of pages is known. Those are then fetched concurrently.
        total: Number of items in the whole list, as the vendor reports it. None: not reported or not reliable.
        item_count: How many of these items the body holds. None: one for each record.
        failed_items: Number of items that the vendor reports as failed.
        maybe_incomplete: Whether records may be missing because the body does not confirm that there are none.
        note: Data that the stream needs once the page is yielded.
    """

    records: Sequence[Record]
    next_requests: Sequence[Request] = ()
    total: int | None = None
    item_count: int | None = None
    failed_items: int = 0
    maybe_incomplete: bool = False
    note: Any = None


@dataclass
class Page:
    """The records of one response, in the vendor's order.

    Args:
        records: The records as the vendor sent them.
        next_requests: The requests for the following pages: the next one, or all if their number is known.
        slice: The slice that the page belongs to.
        size: Size of the body in bytes.
        received: When the response arrived, UTC.
        meaning: The meaning of the response.
        parent: The id of a deleted, forbidden or rejected parent, as used in the request.
        why: Why the vendor rejected the request for the parent, as a sentence.
        total: Number of items in the whole list, if the vendor reports it.
        item_count: How many of these items the page holds.
        failed_items: Number of items that the vendor reports as failed.
        maybe_incomplete: Whether records may be missing because the body does not confirm that there are none.
        is_first: Whether it is the first page of a list. A slice can consist of several lists.
        restart_count: How often the list was restarted.
        is_placeholder: Whether it stands for a request that was replaced by others and holds no records.
        is_no_content: Whether the vendor sent no body at all, which may be a mistake.
        ends_slice: Whether it is the last page of its slice. Set when the page is yielded.
        memory: What its stream remembers of its slice from page to page. Other slices are read at the same time.
        fingerprint: Identifies its records, to detect repeated pages. None: not computed.
        note: Data that the stream needs once the page is yielded.
    """

    records: Sequence[Record]
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
    restart_count: int = 0
    is_placeholder: bool = False
    is_no_content: bool = False
    ends_slice: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    fingerprint: int | None = None
    note: Any = None
