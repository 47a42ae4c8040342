"""Estimates the requests of one stream in a run, from its slices and from the page that a probe found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from singer_rest.diagnose.probe import Probe, index_of_parents, is_one_list
from singer_rest.http.paginators import PageNumber

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from singer_rest.fetch.parent_index import ParentIndex
    from singer_rest.slices.base import Window
    from singer_rest.stream import RestStream

Accuracy: TypeAlias = Literal["exact", "about", "at_least"]
NO_TOTAL = "the vendor reports no total"
RANKS = {"exact": 0, "about": 1, "at_least": 2}


class ReadPlan(NamedTuple):
    """The part of a stream that a run reads.

    Args:
        stream: The stream.
        since: The lower bound of the incremental filter. None: there is none.
        window: The time window that the slices cover.
        is_full: Whether everything is read, not only changes.
        parents_since: The earliest change to parents whose children are needed. None: all parents are needed.
    """

    stream: RestStream
    since: datetime | None
    window: Window
    is_full: bool
    parents_since: datetime | None


class Estimate(NamedTuple):
    """The requests that a run sends for a stream.

    Args:
        requests: Number of requests.
        accuracy: Whether the number is exact, approximate or a lower bound.
        rows: Number of rows, or None if unknown.
        note: Why the number is not known exactly.
    """

    requests: int
    accuracy: Accuracy
    rows: int | None = None
    note: str = ""


class Parents(NamedTuple):
    """The parents of a stream.

    Args:
        known: The parents that are known.
        factor: The estimated number of parents, divided by the number of known ones.
        accuracy: The accuracy of the factor.
    """

    known: ParentIndex
    factor: float
    accuracy: Accuracy


def plan_read(stream: RestStream) -> ReadPlan:
    """Returns the plan by which the next run reads a stream."""
    window = stream.window(stream.slices_start)
    parents_since = stream.replication.since if stream.slices.changed else None
    return ReadPlan(stream, stream.since, window, stream.replication.whole, parents_since)


def estimate_requests(read: ReadPlan, found: Probe | None, parents: Parents | None) -> Estimate:
    """Estimates the requests of a stream.

    Args:
        read: The plan by which the stream is read.
        found: The probe of the stream. None: nothing was requested.
        parents: The parents, if the stream has any and they are known.
    """
    if found and found.blocked_by:
        return Estimate(0, "exact", None, f"its parent stream {read.stream.slices.parent} cannot be read")
    if found and not found.has_records and not found.skip_reason:
        return Estimate(1, "about", None, "it cannot be read; --doctor says why")
    slices, slice_accuracy = _count_slices(read, parents)
    pages, page_accuracy = _pages_per_slice(read, found)
    if slices > 1 and page_accuracy == "exact":
        page_accuracy = "about"  # only one of them was requested
    accuracy = least_accurate(slice_accuracy, page_accuracy) if slices else slice_accuracy
    note = ""
    if parents is None and read.stream.slices.parent:
        note = f"one or more per row of {read.stream.slices.parent}, whose number is unknown"
    elif accuracy == "at_least" and found and found.page:
        note = NO_TOTAL
    rows = found.total if found and found.is_of_stream else None
    # A lower bound for one slice says nothing about the others, but that each takes a request.
    requests = slices * pages if page_accuracy != "at_least" else slices + (pages - 1 if slices else 0)
    return Estimate(requests, accuracy, rows, note)


def _pages_per_slice(read: ReadPlan, found: Probe | None) -> tuple[int, Accuracy]:
    if found is None or found.page is None:
        return 1, "at_least"
    if read.since and not is_one_list(read.stream):  # what was found is not filtered
        return 1, "about" if found.is_all else "at_least"
    return count_pages(found)


def least_accurate(*accuracies: Accuracy) -> Accuracy:
    """Returns the lowest of some accuracies, which is that of a sum or a product."""
    return max(accuracies, key=RANKS.__getitem__, default="exact")


def _count_slices(read: ReadPlan, parents: Parents | None) -> tuple[int, Accuracy]:
    """Returns the number of slices of a stream, and the accuracy of that number."""
    slices = read.stream.slices
    if slices.parent is None:
        return sum(1 for part in slices.plan(read.window, None) if part), "exact"
    if parents is None:
        return 0, "at_least"
    known = sum(1 for part in slices.plan(read.window, parents.known) if part)
    return math.ceil(known * parents.factor), parents.accuracy


def count_pages(found: Probe) -> tuple[int, Accuracy]:
    """Returns the number of pages of the slice that was requested, and the accuracy of that number."""
    page, stream = found.page, found.stream
    if page is None or found.is_all:
        return 1, "exact"
    total, items = page.total or 0, page.item_count
    numbered = stream.pagination if isinstance(stream.pagination, PageNumber) else None
    if total > items > 0 or (total and not page.records):
        pages = stream.pages_for(total, items or 1)
        # Numbered pages end with an empty one if the last one is full, or if the total is not relied on.
        is_relied_on = len(page.next_requests) > 1 or pages <= 2  # noqa: PLR2004
        return pages + (numbered is not None and (total % items == 0 or not is_relied_on)), "exact"
    if numbered and items < numbered.size:
        return 2, "about"  # a page after the last one, to see that it is empty
    return 2, "at_least"


def known_parents(stream: RestStream, found: Mapping[str, Probe], read: Mapping[str, ReadPlan]) -> Parents | None:
    """Returns the parents that a stream iterates over, or None if they are unknown.

    Args:
        stream: The stream.
        found: The probes by stream, those of the parents among them.
        read: The plans by which the parents are read, by stream.
    """
    parent = found.get(stream.slices.parent or "")
    if parent is None or not parent.has_records:
        return None
    index = index_of_parents(parent, [stream])
    known = len(index.parents)
    total, accuracy = _count_parents(parent, found, read)
    if total is None or not known:
        return Parents(index, 1, "exact" if parent.is_all else "at_least")
    return Parents(index, max(1.0, total / known), accuracy)


def _count_parents(
    parent: Probe, found: Mapping[str, Probe], read: Mapping[str, ReadPlan]
) -> tuple[int | None, Accuracy]:
    """Returns the number of records of a parent stream, and the accuracy of that number."""
    if parent.is_of_stream and parent.total is not None:
        return parent.total, "exact" if parent.is_all else "about"
    counted = sum_of_totals(parent.stream, found)
    if counted is not None and not parent.is_all:
        return counted, "about"
    if parent.is_all and parent.page and parent.stream.name in read:
        slices, accuracy = _count_slices(read[parent.stream.name], known_parents(parent.stream, found, read))
        return slices * len(parent.page.records), least_accurate(accuracy, "about")
    return None, "at_least"


def sum_of_totals(stream: RestStream, found: Mapping[str, Probe]) -> int | None:
    """Returns the number of a stream's records, if the totals of other streams add up to it."""
    totals = [found[name].total if name in found else None for name in stream.counted_by]
    known = [total for total in totals if total is not None]
    return sum(known) if known and len(known) == len(totals) else None
