"""Sends one request for each stream, and for the parents of children, with the code that a run uses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from singer_rest.fetch.meanings import OF_PARENT
from singer_rest.fetch.parent_index import ParentIndex
from singer_rest.fetch.stream_fetch import StreamFetch
from singer_rest.slices.base import SingleSlice
from singer_rest.slices.windows import MonthlyBackfill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.fetch.page import Page
    from singer_rest.fetch.scheduler import Scheduler
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice
    from singer_rest.stream import RestStream

MAX_PARENTS = 3
"""Number of parents whose children are requested, if the vendor refuses those of the first one."""


@dataclass
class Probe:
    """The result of one request for a stream.

    Args:
        stream: The stream.
        page: The page. None: nothing was received.
        error: Why no page was received, if a request was sent or the stream cannot be requested.
        unasked: Why no request was sent, if there is no error.
        seconds: Duration of the request.
        blocked_by: The parent or an ancestor that could not be read, so that nothing was requested.
        candidates: The slices to request until one is readable.
    """

    stream: RestStream
    page: Page | None = None
    error: Exception | None = None
    skip_reason: str = ""
    seconds: float = 0.0
    blocked_by: Probe | None = None
    candidates: list[Slice] = field(default_factory=list)

    @property
    def has_records(self) -> bool:
        """Whether the stream could be read; it may have no record."""
        return self.page is not None and self.page.meaning not in OF_PARENT

    @property
    def is_all(self) -> bool:
        """Whether the page holds the whole slice."""
        if not self.has_records or self.page is None or self.page.next_requests:
            return False
        return (self.page.total or 0) <= max(self.page.item_count, len(self.page.records))

    @property
    def is_of_stream(self) -> bool:
        """Whether its slice is the whole stream."""
        return is_one_list(self.stream)

    @property
    def total(self) -> int | None:
        """Number of records of the slice, from the vendor's total or because the page holds all of them."""
        if not self.has_records or self.page is None:
            return None
        if self.is_all:
            return len(self.page.records)
        # If a page holds another number of items than of records, the total counts something else. If it does not
        # exceed the page, it counts that page.
        counts_records = self.page.item_count == len(self.page.records) < (self.page.total or 0)
        return self.page.total if counts_records else None


def is_one_list(stream: RestStream) -> bool:
    """Whether a stream is read as one list, at least if that is short."""
    return isinstance(stream.slices, (SingleSlice, MonthlyBackfill))


def probe_streams(
    tap: DiagnosableTap,
    streams: Iterable[RestStream],
    request_for: Callable[[RestStream, Slice], Request],
) -> dict[str, Probe]:
    """Requests one page of each stream, and of the parents that they need.

    Args:
        tap: The tap.
        streams: The streams.
        request_for: Returns the request for a slice.

    Returns:
        The probes by the stream's name, including those of the parents that were needed.
    """
    found: dict[str, Probe] = {}
    scheduler = tap.new_scheduler(int(tap.config["max_concurrency"]))
    try:
        for level in _levels_of_ancestry(tap, streams):
            due = [_plan_probe(stream, found) for stream in level]
            found.update({one.stream.name: one for one in due})
            for _ in range(MAX_PARENTS):
                due = [one for one in due if one.candidates and not one.has_records]
                _send_requests(scheduler, due, request_for)
    finally:
        scheduler.close()
    return found


def probe_slices(
    tap: DiagnosableTap, stream: RestStream, parts: Iterable[Slice], request_for: Callable[[RestStream, Slice], Request]
) -> list[Probe]:
    """Requests one page of each of some slices of a stream."""
    scheduler = tap.new_scheduler(int(tap.config["max_concurrency"]))
    try:
        due = [Probe(stream, candidates=[part]) for part in parts]
        _send_requests(scheduler, due, request_for)
    finally:
        scheduler.close()
    return due


def _levels_of_ancestry(tap: DiagnosableTap, streams: Iterable[RestStream]) -> Sequence[Sequence[RestStream]]:
    """Returns the streams and their ancestors in levels, so that parents come before their children."""
    depths: dict[str, int] = {}
    by_name: dict[str, RestStream] = {stream.name: stream for stream in streams}

    def find_depth(name: str) -> int:
        if name not in depths:
            stream = by_name.setdefault(name, by_name.get(name) or tap.stream_named(name))
            depths[name] = 1 + find_depth(stream.slices.parent) if stream.slices.parent else 0
        return depths[name]

    for name in list(by_name):
        find_depth(name)
    return [
        [by_name[name] for name in sorted(depths) if depths[name] == level]
        for level in range(max(depths.values(), default=-1) + 1)
    ]


def _plan_probe(stream: RestStream, found: Mapping[str, Probe]) -> Probe:
    """Returns the probe of a stream with the slices to request, before anything is sent."""
    if not stream.used_in_connection_test:
        return Probe(stream, skip_reason="each request counts against a quota of the vendor")
    parent = found.get(stream.slices.parent or "")
    if parent and not parent.has_records:
        if not parent.skip_reason:
            return Probe(stream, blocked_by=parent.blocked_by or parent)
        return Probe(stream, skip_reason=f"it needs a record of {parent.stream.name}, and {parent.skip_reason}")
    parts = newest_slices(stream, parent)
    if parent and not parts:
        count = len(parent.page.records) if parent.page else 0
        reason = f"none of the {count} records of {parent.stream.name} that were read has any"
        return Probe(stream, skip_reason=reason if count else f"there is no record of {parent.stream.name}")
    if not parts:
        return Probe(stream, skip_reason="there is nothing to read between `start_date` and `end_date`")
    return Probe(stream, candidates=parts if parent else parts[:1])


def newest_slices(stream: RestStream, parent: Probe | None) -> list[Slice]:
    """Returns the newest slice of a stream, if possible one that has ended. For children, one for each known parent."""
    window = stream.window(stream.slices_start)
    now = stream.started
    until = min(window.until, now) if window.until else now
    index = index_of_parents(parent, [stream]) if parent else None
    parts = [part for part in stream.slices.plan(replace(window, until=until, whole=False), index) if part]
    if stream.slices.parent is not None:
        return parts[::-1] if stream.slices.days_params else parts
    if named := [part for part in parts if part.name]:
        return named[-1:]
    return parts[-1:] if stream.slices.days_params else parts[:1]


def index_of_parents(parent: Probe, children: list[RestStream]) -> ParentIndex:
    """Returns an index of the parents on the page of a probe."""
    index = ParentIndex(parent.stream, [*children])
    index.add_parents(parent.page.records if parent.page else ())
    index.finish()
    return index


def _send_requests(
    scheduler: Scheduler, due: Sequence[Probe], request_for: Callable[[RestStream, Slice], Request]
) -> None:
    """Sends the next request of each probe concurrently, and stores the page or error in the probe."""
    fetches = [(one, _make_fetch(one, one.candidates.pop(0), request_for)) for one in due]
    for _, stream_fetch in fetches:
        scheduler.add(stream_fetch)
    for one, stream_fetch in fetches:
        try:
            for _ in scheduler.read_blocking(scheduler.pages(stream_fetch)):
                pass  # `_make_fetch` has stored it
        except Exception as error:  # noqa: BLE001 - it is reported, and the others go on
            one.error = error


def _make_fetch(one: Probe, part: Slice, request_for: Callable[[RestStream, Slice], Request]) -> StreamFetch:
    stream = one.stream

    def first_page(request: Request, part: Slice) -> Page:
        began = time.monotonic()
        page = stream.fetch(request, part)
        one.seconds = time.monotonic() - began
        if not page.is_placeholder:
            one.page = page
            return replace(page, next_requests=())
        return page

    # With fewer attempts than in a run, since a report should not take as long.
    return StreamFetch(
        stream.name, iter([part]), lambda part: request_for(stream, part), first_page, stream.path, has_fallback=True
    )
