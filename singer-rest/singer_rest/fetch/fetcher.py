"""One run: the readings of the selected streams, parents before children, and the ids that the children walk."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from singer_rest.errors import FilterRefused, NoAccess, RunError, TapError, TimedOutError, UnansweredError, explain
from singer_rest.fetch.coverage import Coverage, parent_ids_of
from singer_rest.fetch.parent_index import ParentIndex
from singer_rest.fetch.sampled import Sampled
from singer_rest.fetch.stream_fetch import StreamFetch
from singer_rest.slices.base import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.fetch.page import Page
    from singer_rest.fetch.scheduler import Scheduler
    from singer_rest.fetch.source import Source
    from singer_rest.slices.base import Slice


class Fetcher:
    """Fetches for the given streams, and hands their pages on.

    Args:
        streams: What to read, in any order.
        stream_named: Gives any stream of the tap, the parents that are not read themselves among them.
        scheduler: Runs the requests; closed with the run.
        trial: Whether a few records of each stream are enough: a listing of ids then ends after its first page.
    """

    def __init__(
        self,
        streams: Iterable[Source],
        stream_named: Callable[[str], Source],
        scheduler: Scheduler,
        *,
        trial: bool = False,
    ) -> None:
        read = {stream.name: stream for stream in streams}
        self.streams = _parents_first(read)
        self._scheduler = scheduler
        self._trial = trial
        self._parent_indexes: dict[str, ParentIndex] = {}
        # A parent's own reading gives the ids, unless it asks only for what changed; then one more listing does.
        self._fetched_for_ids: list[Source] = []
        for stream in self.streams:
            if self._reads(stream):
                self._plan_parent_index(stream, read, stream_named)
        for stream in self.streams:
            if self._can_resume(stream):
                stream.backfill.begin()
        self._fetches = {
            stream.name: (
                stream,
                self._reading(stream, stream.since, self._plan(stream), has_fallback=self._can_fall_back(stream)),
            )
            for stream in self.streams
        }
        self._slices: dict[str, int] = {}
        self._cut: dict[str, bool] = {}
        """Streams whose list was asked for in one piece first, and whether it has to be cut."""

    @property
    def order(self) -> list[str]:
        """The names of the streams, parents before their children."""
        return [stream.name for stream in self.streams]

    def start(self) -> None:
        """Let the workers begin, and read the ids that no stream's own reading gives."""
        apart = [
            (
                parent,
                self._reading(
                    parent, self._parent_indexes[parent.name].since, self._slices_of(parent, parent.window(None))
                ),
            )
            for parent in self._fetched_for_ids
        ]
        for _, reading in [*apart, *self._fetches.values()]:
            self._scheduler.add(reading)
        for parent, reading in apart:
            # What ends a listing is kept in it, and ends the children when their turn comes.
            listing = self._parent_indexes[parent.name]
            listing.coverage = parent.new_coverage()
            covered = self._track_coverage(parent, self._scheduler.pages(reading), listing.coverage)
            with suppress(Exception), closing(self._index_parents(parent, covered)) as pages:
                for _ in pages:
                    if self._trial:
                        listing.complete = True
                        break

    def pages(self, name: str) -> Iterator[Page]:
        """Yield a stream's pages in order.

        Raises:
            Exception: What ended the reading; the pages before it have been handed on.
        """
        stream, reading = self._fetches[name]
        pages = self._track_coverage(stream, self._verify_filter(stream, reading))
        if name in self._parent_indexes and stream not in self._fetched_for_ids:
            return self._index_parents(stream, pages)
        return pages

    def requests(self, name: str) -> int:
        """How many requests were sent for a stream."""
        return self._fetches[name][1].requests

    def share(self, name: str) -> float | None:
        """How much of a stream was handed on, by its slices and counted pages: above 0, up to 1; None: not known."""
        stream, reading = self._fetches[name]
        listing = self._parent_indexes.get(stream.slices.parent or "")
        if not reading.slices_done or (listing and (listing.error or not listing.complete)):
            return None
        if name not in self._slices:
            self._slices[name] = sum(1 for _ in self._plan(stream, probe=False)) + (name in self._cut)
        slices = max(self._slices[name], 1)  # what is finished has left the plan, which may be all of it
        return min(reading.slices_done / slices, 1.0)

    def close(self) -> None:
        """Start no further request."""
        self._scheduler.close()

    def _plan_parent_index(
        self,
        stream: Source,
        read: Mapping[str, Source],
        stream_named: Callable[[str], Source],
        *,
        apart: bool = False,
    ) -> None:
        """Let the ids be listed that a stream walks.

        Args:
            stream: The stream.
            read: The streams that are read, by name.
            stream_named: Gives any stream.
            apart: Whether they are needed before the first page is handed on, for what the stream itself lists.
        """
        name = stream.slices.parent
        if name is None:
            return
        own = read.get(name)
        is_new = name not in self._parent_indexes
        if is_new:
            children = [child for child in self.streams if child.slices.parent == name]
            self._parent_indexes[name] = ParentIndex(own or stream_named(name), children)
        listing = self._parent_indexes[name]
        if stream not in listing.children:
            listing.children.append(stream)
        if is_new:
            wanted = listing.since
            apart = apart or own is None or bool(own.since and (wanted is None or own.since > wanted))
        elif not apart or listing.parent in self._fetched_for_ids:
            return
        self._plan_parent_index(listing.parent, read, stream_named, apart=apart)
        if apart:
            self._fetched_for_ids.append(listing.parent)

    def _can_resume(self, stream: Source) -> bool:
        """Whether a stream may leave out slices that an earlier run finished, and keep those that it finishes.

        Not where its own reading gives the ids for its children, who need all of them. Not in batches, whose records
        carry no version and may leave after the STATE.
        """
        gives_ids = stream.name in self._parent_indexes and stream not in self._fetched_for_ids
        return not (self._trial or gives_ids or stream.writes_batches)

    def _plan(self, stream: Source, *, probe: bool = True) -> Iterator[Slice | None]:
        """The slices that this run reads of a stream."""
        if not self._reads(stream):
            return iter(())
        window = stream.window(stream.slices_start)
        plan = stream.backfill.unfinished(self._slices_of(stream, window))
        whole = None if self._trial or stream.backfill.finished or not probe else stream.slices.probe(window)
        return self._probed(stream.name, whole, plan) if whole else plan

    def _probed(self, name: str, whole: Slice, plan: Iterator[Slice | None]) -> Iterator[Slice | None]:
        yield whole
        while name not in self._cut:
            yield None
        if self._cut[name]:
            yield from plan

    def _reads(self, stream: Source) -> bool:
        return stream.in_connection_test or not self._trial

    def _slices_of(self, stream: Source, window: Window) -> Iterator[Slice | None]:
        parent = stream.slices.parent
        if self._trial:
            window = replace(window, whole=False)  # some records, from wherever they lie
        return stream.slices.plan(window, self._parent_indexes[parent] if parent else None)

    def _can_fall_back(self, stream: Source) -> bool:
        return stream.can_fall_back_to_full and not self._trial

    def _reading(
        self,
        stream: Source,
        since: datetime | None,
        plan: Iterator[Slice | None],
        *,
        has_fallback: bool = False,
        is_second: bool = False,
    ) -> StreamFetch:
        sampled = None
        parent = stream.slices.parent
        if parent and not is_second:  # what is asked for again is what was refused
            explained = _explained(stream.name, parent, plan)
            plan = sampled = Sampled(explained, stream.new_coverage(), stream.slices.ids_param)
        return StreamFetch(
            stream.name,
            plan,
            lambda part: stream.first_request(part, since),
            stream.fetch,
            stream.path,
            has_fallback=has_fallback,
            ahead=stream.prefetches,
            has_key=stream.has_key,
            watch=sampled.tell if sampled else None,
        )

    def _verify_filter(self, stream: Source, reading: StreamFetch) -> Generator[Page]:
        """The pages of a reading, and where they show that what changed cannot be had, those of everything."""
        can_fall_back_to_full, is_first = self._can_fall_back(stream), True
        try:
            with closing(self._scheduler.pages(reading)) as pages:
                for page in pages:
                    if can_fall_back_to_full and not stream.filter_honoured(page):
                        what_came = "ignored"
                        break
                    is_first = is_first and page.is_placeholder
                    yield page
                else:
                    return
        except (RunError, NoAccess):
            raise
        except TapError as error:
            if can_fall_back_to_full and isinstance(error, (UnansweredError, FilterRefused)):
                what_came = _explained_filter(error)
            elif self._trial or not stream.recovers_by_full_read(error, is_first=is_first):
                raise
            else:
                stream.reset_read()
                yield from self._verify_filter(stream, self._refetch(stream, reading))
                return
        stream.fall_back_to_full(what_came)
        yield from self._scheduler.pages(self._refetch(stream, reading))

    def _refetch(self, stream: Source, first: StreamFetch) -> StreamFetch:
        """Another reading of a stream, in the place of the first one."""
        if self._can_resume(stream):
            stream.backfill.begin()
        second = self._reading(stream, stream.since, self._plan(stream))
        second.requests = first.requests
        self._slices.pop(stream.name, None)
        self._cut.pop(stream.name, None)
        self._fetches[stream.name] = stream, second
        self._scheduler.add(second)
        return second

    def _track_coverage(self, stream: Source, pages: Iterator[Page], apart: Coverage | None = None) -> Generator[Page]:
        """A read's pages, then those of what has to be asked for again before it is believed.

        Args:
            stream: The stream.
            pages: The pages.
            apart: What the read covers, where it is none of the stream's own.
        """
        for page in pages:
            (apart or stream.coverage).add_page(page)
            if page.slice.is_probe and not page.is_placeholder:
                self._cut[stream.name] = page.needs_slicing
                self._scheduler.wake()
            yield page
        if self._trial:
            return
        coverage = apart or stream.coverage  # not before: the read may have been begun anew
        if again := coverage.slices_to_retry():
            reading = self._reading(stream, stream.since, iter(again), is_second=True)
            self._scheduler.add(reading)
            for page in self._scheduler.pages(reading):
                coverage.add_page(page)
                yield page
            if not apart:
                self._fetches[stream.name][1].requests += reading.requests
        if coverage.not_found:
            coverage.confirm_gone(self._listed_parent_ids(stream))
        if listing := self._parent_indexes.get(stream.slices.parent or ""):
            coverage.add_parents(listing.coverage or listing.parent.coverage, listing.without_id)

    def _listed_parent_ids(self, stream: Source) -> set[str] | None:
        """What the children of the parents are asked with that the vendor lists now; None: it cannot be told."""
        listing = self._parent_indexes[stream.slices.parent or ""]
        parent = listing.parent
        if parent.slices.parent:  # to list them takes a request for each of theirs
            return None
        fresh, coverage = ParentIndex(parent, listing.children), parent.new_coverage()
        reading = self._reading(parent, None, self._slices_of(parent, parent.window(None)))
        self._scheduler.add(reading)
        try:
            for page in self._track_coverage(parent, self._scheduler.pages(reading), coverage):
                fresh.add(page.records)
        except RunError:
            raise
        except TapError:
            return None
        if coverage.may_hold_rows or fresh.without_id:
            return None
        fresh.end()
        window = Window(None if stream.slices.changed else stream.started, None, stream.started)
        plan = stream.slices.plan(window, fresh)
        return {parent for part in plan if part for parent in parent_ids_of(part, stream.slices.ids_param)}

    def _index_parents(self, stream: Source, pages: Iterator[Page]) -> Generator[Page]:
        listing = self._parent_indexes[stream.name]
        error: Exception | None = TapError(f"{stream.name} was not read to its end")
        try:
            for page in pages:
                listing.add(page.records)
                self._scheduler.wake()
                yield page
            error = None
        except Exception as raised:
            error = raised
            raise
        finally:  # also where the one who takes the pages fails
            if not listing.complete:
                listing.end(error)
            self._scheduler.wake()


def _explained_filter(error: UnansweredError | FilterRefused) -> str:
    """What the vendor did to the filter for what changed."""
    if isinstance(error, FilterRefused):
        return "refused"
    return "gave no answer in time to" if isinstance(error, TimedOutError) else "gave no answer of use to"


def _explained(name: str, parent: str, plan: Iterator[Slice | None]) -> Iterator[Slice | None]:
    """Say of a parent's failure what it means for the child."""
    try:
        yield from plan
    except RunError:
        raise
    except NoAccess as error:
        raise NoAccess(f"{name}: it walks {parent}, and {error}") from None
    except Exception as error:  # noqa: BLE001 - whatever it was, it ends the child
        raise TapError(f"{name}: it walks {parent}, which could not be read to its end. {explain(error)}") from None


def _parents_first(streams: Mapping[str, Source]) -> list[Source]:
    """Order streams so that ids are known as early as can be: parents, theirs before them, then the rest by name."""
    ordered: dict[str, Source] = {}

    def place(name: str) -> None:
        if name in streams:
            place(streams[name].slices.parent or "")
            ordered.setdefault(name, streams[name])

    for name in sorted(stream.slices.parent for stream in streams.values() if stream.slices.parent):
        place(name)
    for name in sorted(streams):
        place(name)
    return list(ordered.values())
