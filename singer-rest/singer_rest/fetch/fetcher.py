"""Fetches the selected streams of a run, parents before children, and the ids of the parents."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from singer_rest.errors import (
    AccessDeniedError,
    FilterRejectedError,
    RateLimitError,
    RunError,
    TapError,
    UnansweredError,
)
from singer_rest.fetch.coverage import Coverage, parent_ids_of
from singer_rest.fetch.meanings import filter_failure
from singer_rest.fetch.parent_index import ParentIndex, add_page, parents_first, with_parent_errors
from singer_rest.fetch.parent_sampler import ParentSampler
from singer_rest.fetch.stream_fetch import StreamFetch
from singer_rest.fetch.turns import read_in_turns
from singer_rest.slices.base import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.fetch.fetchable_stream import FetchableStream
    from singer_rest.fetch.page import Page
    from singer_rest.fetch.scheduler import Scheduler
    from singer_rest.fetch.turns import Read
    from singer_rest.slices.base import Slice


T = TypeVar("T")


class Fetcher:
    """Fetches the given streams and yields their pages.

    Args:
        streams: The streams to read, in any order.
        stream_named: Returns any stream of the tap, including parents that are not selected.
        scheduler: Runs the requests. Closed together with the fetcher.
        connection_test: Whether a few records of each stream are enough. Lists of ids then end after the first page.
    """

    def __init__(
        self,
        streams: Iterable[FetchableStream],
        stream_named: Callable[[str], FetchableStream],
        scheduler: Scheduler,
        *,
        connection_test: bool = False,
    ) -> None:
        selected = {stream.name: stream for stream in streams}
        self.streams = parents_first(selected)
        self._scheduler = scheduler
        self._connection_test = connection_test
        self._parent_indexes: dict[str, ParentIndex] = {}
        # The parent's own read provides the ids, unless it is incremental; then a separate full read does.
        self._fetched_for_ids: list[FetchableStream] = []
        for stream in self.streams:
            if self._is_read(stream):
                self._plan_parent_index(stream, selected, stream_named)
        for stream in self.streams:
            if self._can_resume(stream):
                stream.backfill.begin()
        self._fetches = {
            stream.name: (
                stream,
                self._stream_fetch(
                    stream, stream.since, self._slices_to_read(stream), has_fallback=self._can_fall_back(stream)
                ),
            )
            for stream in self.streams
        }
        self._slice_counts: dict[str, int] = {}

    @property
    def order(self) -> list[str]:
        """The names of the streams, parents before their children."""
        return [stream.name for stream in self.streams]

    def start(self) -> list[Read]:
        """Starts the requests.

        Returns:
            The reads of parents whose ids no selected stream provides, for `read_all`.
        """
        id_fetches = [
            (
                parent,
                self._stream_fetch(
                    parent, self._parent_indexes[parent.name].since, self._slices_of(parent, parent.window(None))
                ),
            )
            for parent in self._fetched_for_ids
        ]
        for _, stream_fetch in [*id_fetches, *self._fetches.values()]:
            self._scheduler.add(stream_fetch)
        return [(parent.name, self._read_ids(parent, stream_fetch)) for parent, stream_fetch in id_fetches]

    def _read_ids(self, parent: FetchableStream, stream_fetch: StreamFetch) -> Generator[Page | None]:
        # An error is stored in the index and raised when the children are read.
        parent_index = self._parent_indexes[parent.name]
        parent_index.coverage = parent.new_coverage()
        pages = self._scheduler.pages(stream_fetch)
        tracked = self._track_coverage(parent, pages, parent_index.coverage, parent_index.since)
        with suppress(Exception), closing(self._index_parents(parent, tracked)) as indexed:
            for page in indexed:
                if page and self._connection_test:
                    parent_index.complete = True
                    break
                yield page

    def read_all(self, reads: Iterable[Read]) -> None:
        """Advances reads in turn as their pages arrive, until all of them have ended.

        Args:
            reads: The reads of the streams, and those that `start` returned.
        """
        read_in_turns(reads, self._scheduler.wait_for_pages)

    def read_blocking(self, read: Iterable[T | None]) -> Iterator[T]:
        """Yields what a single read yields, and waits for the read's pages."""
        return self._scheduler.read_blocking(read)

    def pages(self, name: str) -> Iterator[Page | None]:
        """Yields a stream's pages: in order within a slice, and None while there is no page to yield.

        Raises:
            Exception: Why the read ended early. The pages before it have been yielded.
        """
        stream, stream_fetch = self._fetches[name]
        pages = self._track_coverage(stream, self._verify_filter(stream, stream_fetch))
        if name in self._parent_indexes and stream not in self._fetched_for_ids:
            return self._index_parents(stream, pages)
        return pages

    def request_count(self, name: str) -> int:
        """Returns the number of requests sent for a stream."""
        return self._fetches[name][1].requests

    def fraction_done(self, name: str) -> float | None:
        """Returns the fraction of a stream that has been yielded, from its slices and pages. None: not known."""
        stream, stream_fetch = self._fetches[name]
        parent_index = self._parent_indexes.get(stream.slices.parent or "")
        if not stream_fetch.slices_done or (parent_index and (parent_index.error or not parent_index.complete)):
            return None
        if name not in self._slice_counts:
            self._slice_counts[name] = sum(1 for _ in self._slices_to_read(stream))
        # Finished slices are not in the plan, which may be empty. Long slices are replaced by their parts.
        slices = max(self._slice_counts[name] + stream_fetch.parts_added, 1)
        return min(stream_fetch.slices_done / slices, 1.0)

    def close(self) -> None:
        """Stops the scheduler. No further request is sent."""
        self._scheduler.close()

    def _plan_parent_index(
        self,
        stream: FetchableStream,
        selected: Mapping[str, FetchableStream],
        stream_named: Callable[[str], FetchableStream],
        *,
        separately: bool = False,
    ) -> None:
        """Plans how to collect the ids of the parents that a stream iterates over.

        Args:
            stream: The stream.
            selected: The selected streams, by name.
            stream_named: Returns any stream.
            separately: Whether a separate read has to collect them before the first page is yielded.
        """
        name = stream.slices.parent
        if name is None:
            return
        own = selected.get(name)
        is_new = name not in self._parent_indexes
        if is_new:
            children = [child for child in self.streams if child.slices.parent == name]
            self._parent_indexes[name] = ParentIndex(own or stream_named(name), children)
        parent_index = self._parent_indexes[name]
        if stream not in parent_index.children:
            parent_index.children.append(stream)
        if is_new:
            wanted = parent_index.since
            is_narrowed = own is None or own.part or (own.since and (wanted is None or own.since > wanted))
            separately = separately or bool(is_narrowed)
        elif not separately or parent_index.parent in self._fetched_for_ids:
            return
        self._plan_parent_index(parent_index.parent, selected, stream_named, separately=separately)
        if separately:
            self._fetched_for_ids.append(parent_index.parent)

    def _can_resume(self, stream: FetchableStream) -> bool:
        """Whether a stream may skip slices that an earlier run finished, and record the slices that it finishes.

        It may not if its own read provides the ids for its children, which need all ids. It may not write BATCH files,
        whose records carry no version and may be written after the STATE message. It may not read given records again.
        """
        gives_ids = stream.name in self._parent_indexes and stream not in self._fetched_for_ids
        return not (self._connection_test or gives_ids or stream.writes_batches or stream.rereads)

    def _slices_to_read(self, stream: FetchableStream) -> Iterator[Slice | None]:
        """Returns the slices of a stream that this run reads."""
        if not self._is_read(stream):
            return iter(())
        window = stream.window(stream.slices_start)
        return stream.backfill.skip_finished(self._slices_of(stream, window, is_shared=True))

    def _is_read(self, stream: FetchableStream) -> bool:
        return stream.used_in_connection_test or not self._connection_test

    def _slices_of(self, stream: FetchableStream, window: Window, *, is_shared: bool = False) -> Iterator[Slice | None]:
        parent_index = self._parent_indexes[stream.slices.parent] if stream.slices.parent else None
        if self._connection_test:
            window = replace(window, whole=False)  # any records will do
        return stream.share(window, parent_index) if is_shared else stream.slices.plan(window, parent_index)

    def _can_fall_back(self, stream: FetchableStream) -> bool:
        return stream.can_fall_back_to_full and not self._connection_test

    def _stream_fetch(
        self,
        stream: FetchableStream,
        since: datetime | None,
        plan: Iterator[Slice | None],
        *,
        has_fallback: bool = False,
        is_second: bool = False,
        reader: str | None = None,
        pause: float = 0.0,
    ) -> StreamFetch:
        sampler = None
        parent = stream.slices.parent
        if parent and not is_second:  # refused slices are retried without sampling
            plan_with_errors = with_parent_errors(stream.name, parent, plan)
            plan = sampler = ParentSampler(plan_with_errors, stream.new_coverage(), stream.slices.ids_param)
        return StreamFetch(
            stream.name,
            plan,
            lambda part: stream.first_request(part, since),
            stream.fetch,
            stream.path,
            has_fallback=has_fallback,
            prefetches=stream.prefetches,
            has_key=stream.has_key,
            on_result=sampler.add_result if sampler else None,
            reader=reader,
            pause=pause,
        )

    def _verify_filter(self, stream: FetchableStream, stream_fetch: StreamFetch) -> Generator[Page | None]:
        """Yields the pages of a read, and then of a full read if the vendor does not honour the incremental filter."""
        can_fall_back_to_full, is_first = self._can_fall_back(stream), True
        try:
            with closing(self._scheduler.pages(stream_fetch)) as pages:
                for page in pages:
                    if page and can_fall_back_to_full and not stream.filter_honoured(page):
                        outcome = "ignored"
                        break
                    is_first = is_first and (page is None or page.is_placeholder)
                    yield page
                else:
                    return
        except (RunError, AccessDeniedError, RateLimitError):
            raise
        except TapError as error:
            if can_fall_back_to_full and isinstance(error, (UnansweredError, FilterRejectedError)):
                outcome = filter_failure(error)
            elif self._connection_test or not stream.recovers_by_full_read(error, is_first=is_first):
                raise
            else:
                stream.reset_read()
                yield from self._verify_filter(stream, self._start_full_fetch(stream, stream_fetch))
                return
        stream.fall_back_to_full(outcome)
        yield from self._scheduler.pages(self._start_full_fetch(stream, stream_fetch))

    def _start_full_fetch(self, stream: FetchableStream, first_fetch: StreamFetch) -> StreamFetch:
        """Starts another read of a stream that replaces the first one."""
        if self._can_resume(stream):
            stream.backfill.begin()
        full_fetch = self._stream_fetch(stream, stream.since, self._slices_to_read(stream))
        full_fetch.requests = first_fetch.requests
        self._slice_counts.pop(stream.name, None)
        self._fetches[stream.name] = stream, full_fetch
        self._scheduler.add(full_fetch)
        return full_fetch

    def _track_coverage(
        self,
        stream: FetchableStream,
        pages: Iterator[Page | None],
        own_coverage: Coverage | None = None,
        own_since: datetime | None = None,
        reader: str | None = None,
    ) -> Generator[Page | None]:
        """Yields the pages of a read, then the pages of the slices to retry.

        Args:
            stream: The stream.
            pages: The pages.
            own_coverage: The coverage of a separate read. None: the stream's.
            own_since: The lower bound of the filter of a separate read.
            reader: The stream that the pages are read for. None: this one.
        """
        for page in pages:
            if page:
                add_page(page, stream, own_coverage)
            yield page
        if self._connection_test:
            return
        coverage = own_coverage or stream.coverage  # only now: the stream may have been restarted
        while retries := coverage.slices_to_retry():
            since = own_since if own_coverage else stream.since
            pause = coverage.retry_pause * self._scheduler.first_delay
            stream_fetch = self._stream_fetch(stream, since, iter(retries), is_second=True, reader=reader, pause=pause)
            self._scheduler.add(stream_fetch)
            for page in self._scheduler.pages(stream_fetch):
                if page:
                    add_page(page, stream, own_coverage)
                yield page
            if not own_coverage:
                self._fetches[stream.name][1].requests += stream_fetch.requests
        if coverage.not_found:
            coverage.confirm_gone((yield from self._listed_parent_ids(stream)))
        if parent_index := self._parent_indexes.get(stream.slices.parent or ""):
            coverage.add_parents(parent_index.coverage or parent_index.parent.coverage, parent_index.without_id)

    def _listed_parent_ids(self, stream: FetchableStream) -> Generator[None, None, set[str] | None]:
        """Returns the ids of the parents that the vendor lists now, as requests use them. None: not known."""
        parent_index = self._parent_indexes[stream.slices.parent or ""]
        parent = parent_index.parent
        if parent.slices.parent:  # would take a request for each of the grandparents
            return None
        current_parents, coverage = ParentIndex(parent, parent_index.children), parent.new_coverage()
        plan = self._slices_of(parent, parent.window(None))
        stream_fetch = self._stream_fetch(parent, None, plan, reader=stream.name)
        self._scheduler.add(stream_fetch)
        try:
            pages = self._scheduler.pages(stream_fetch)
            for page in self._track_coverage(parent, pages, coverage, reader=stream.name):
                if page:
                    current_parents.add_parents(page.records)
                else:
                    yield None
        except RunError:
            raise
        except TapError:
            return None
        if coverage.may_hold_rows or current_parents.without_id:
            return None
        current_parents.finish()
        window = Window(None if stream.slices.changed else stream.started, None, stream.started)
        child_slices = stream.slices.plan(window, current_parents)
        return {parent for part in child_slices if part for parent in parent_ids_of(part, stream.slices.ids_param)}

    def _index_parents(self, stream: FetchableStream, pages: Iterator[Page | None]) -> Generator[Page | None]:
        parent_index = self._parent_indexes[stream.name]
        error: Exception | None = TapError(f"{stream.name} was not read completely")
        try:
            for page in pages:
                if page:
                    parent_index.add_parents(page.records)
                    self._scheduler.wake()
                yield page
            error = None
        except Exception as raised:
            error = raised
            raise
        finally:  # also if the caller fails
            if not parent_index.complete:
                parent_index.finish(error)
            self._scheduler.wake()
