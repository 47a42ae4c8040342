"""One run: the readings of the selected streams, parents before children, and the ids that the children walk."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from singer_rest.errors import FilterRefused, NoAccess, RunError, TapError, TooSlow, Unanswered, explain
from singer_rest.fetch.coverage import Coverage, parents_of
from singer_rest.fetch.parent_index import Listing
from singer_rest.fetch.sampled import Sampled
from singer_rest.fetch.stream_fetch import Reading
from singer_rest.slices.base import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.fetch.page import Page
    from singer_rest.fetch.scheduler import Scheduler
    from singer_rest.fetch.source import Source
    from singer_rest.slices.base import Slice


class Run:
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
        self._listings: dict[str, Listing] = {}
        # A parent's own reading gives the ids, unless it asks only for what changed; then one more listing does.
        self._listed_apart: list[Source] = []
        for stream in self.streams:
            if self._reads(stream):
                self._list_parents(stream, read, stream_named)
        for stream in self.streams:
            if self._may_go_on(stream):
                stream.backfill.begin()
        self._readings = {
            stream.name: (
                stream,
                self._reading(stream, stream.since, self._plan(stream), tentative=self._may_start_over(stream)),
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
                self._reading(parent, self._listings[parent.name].since, self._slices_of(parent, parent.window(None))),
            )
            for parent in self._listed_apart
        ]
        for _, reading in [*apart, *self._readings.values()]:
            self._scheduler.add(reading)
        for parent, reading in apart:
            # What ends a listing is kept in it, and ends the children when their turn comes.
            listing = self._listings[parent.name]
            listing.coverage = parent.new_coverage()
            covered = self._covered(parent, self._scheduler.pages(reading), listing.coverage)
            with suppress(Exception), closing(self._noting_ids(parent, covered)) as pages:
                for _ in pages:
                    if self._trial:
                        listing.complete = True
                        break

    def pages(self, name: str) -> Iterator[Page]:
        """Yield a stream's pages in order.

        Raises:
            Exception: What ended the reading; the pages before it have been handed on.
        """
        stream, reading = self._readings[name]
        pages = self._covered(stream, self._checked(stream, reading))
        if name in self._listings and stream not in self._listed_apart:
            return self._noting_ids(stream, pages)
        return pages

    def requests(self, name: str) -> int:
        """How many requests were sent for a stream."""
        return self._readings[name][1].requests

    def share(self, name: str) -> float | None:
        """How much of a stream was handed on, by its slices and counted pages: above 0, up to 1; None: not known."""
        stream, reading = self._readings[name]
        listing = self._listings.get(stream.slices.parent or "")
        if not reading.done or (listing and (listing.error or not listing.complete)):
            return None
        if name not in self._slices:
            self._slices[name] = sum(1 for _ in self._plan(stream, probe=False)) + (name in self._cut)
        slices = max(self._slices[name], 1)  # what is finished has left the plan, which may be all of it
        return min(reading.done / slices, 1.0)

    def close(self) -> None:
        """Start no further request."""
        self._scheduler.close()

    def _list_parents(
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
        is_new = name not in self._listings
        if is_new:
            children = [child for child in self.streams if child.slices.parent == name]
            self._listings[name] = Listing(own or stream_named(name), children)
        listing = self._listings[name]
        if stream not in listing.children:
            listing.children.append(stream)
        if is_new:
            wanted = listing.since
            apart = apart or own is None or bool(own.since and (wanted is None or own.since > wanted))
        elif not apart or listing.parent in self._listed_apart:
            return
        self._list_parents(listing.parent, read, stream_named, apart=apart)
        if apart:
            self._listed_apart.append(listing.parent)

    def _may_go_on(self, stream: Source) -> bool:
        """Whether a stream may leave out slices that an earlier run finished, and keep those that it finishes.

        Not where its own reading gives the ids for its children, who need all of them. Not in batches, whose records
        carry no version and may leave after the STATE.
        """
        gives_ids = stream.name in self._listings and stream not in self._listed_apart
        return not (self._trial or gives_ids or stream.writes_batches)

    def _plan(self, stream: Source, *, probe: bool = True) -> Iterator[Slice | None]:
        """The slices that this run reads of a stream."""
        if not self._reads(stream):
            return iter(())
        window = stream.window(stream.slices_since)
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
        return stream.in_trials or not self._trial

    def _slices_of(self, stream: Source, window: Window) -> Iterator[Slice | None]:
        parent = stream.slices.parent
        if self._trial:
            window = replace(window, whole=False)  # some records, from wherever they lie
        return stream.slices.plan(window, self._listings[parent] if parent else None)

    def _may_start_over(self, stream: Source) -> bool:
        return stream.may_start_over and not self._trial

    def _reading(
        self,
        stream: Source,
        since: datetime | None,
        plan: Iterator[Slice | None],
        *,
        tentative: bool = False,
        is_second: bool = False,
    ) -> Reading:
        sampled = None
        parent = stream.slices.parent
        if parent and not is_second:  # what is asked for again is what was refused
            explained = _explained(stream.name, parent, plan)
            plan = sampled = Sampled(explained, stream.new_coverage(), stream.slices.ids_param)
        return Reading(
            stream.name,
            plan,
            lambda part: stream.first_request(part, since),
            stream.fetch,
            stream.path,
            tentative=tentative,
            ahead=stream.reads_ahead,
            has_key=stream.has_key,
            watch=sampled.tell if sampled else None,
        )

    def _checked(self, stream: Source, reading: Reading) -> Generator[Page]:
        """The pages of a reading, and where they show that what changed cannot be had, those of everything."""
        may_start_over, is_first = self._may_start_over(stream), True
        try:
            with closing(self._scheduler.pages(reading)) as pages:
                for page in pages:
                    if may_start_over and not stream.is_heeded(page):
                        what_came = "ignored"
                        break
                    is_first = is_first and page.asks_again
                    yield page
                else:
                    return
        except (RunError, NoAccess):
            raise
        except TapError as error:
            if may_start_over and isinstance(error, (Unanswered, FilterRefused)):
                what_came = _explained_filter(error)
            elif self._trial or not stream.falls_back(error, is_first=is_first):
                raise
            else:
                stream.begin_anew()
                yield from self._checked(stream, self._second(stream, reading))
                return
        stream.start_over(what_came)
        yield from self._scheduler.pages(self._second(stream, reading))

    def _second(self, stream: Source, first: Reading) -> Reading:
        """Another reading of a stream, in the place of the first one."""
        if self._may_go_on(stream):
            stream.backfill.begin()
        second = self._reading(stream, stream.since, self._plan(stream))
        second.requests = first.requests
        self._slices.pop(stream.name, None)
        self._cut.pop(stream.name, None)
        self._readings[stream.name] = stream, second
        self._scheduler.add(second)
        return second

    def _covered(self, stream: Source, pages: Iterator[Page], apart: Coverage | None = None) -> Generator[Page]:
        """A read's pages, then those of what has to be asked for again before it is believed.

        Args:
            stream: The stream.
            pages: The pages.
            apart: What the read covers, where it is none of the stream's own.
        """
        for page in pages:
            (apart or stream.coverage).see(page)
            if page.slice.is_probe and not page.asks_again:
                self._cut[stream.name] = page.is_cut
                self._scheduler.poke()
            yield page
        if self._trial:
            return
        coverage = apart or stream.coverage  # not before: the read may have been begun anew
        if again := coverage.begin_again():
            reading = self._reading(stream, stream.since, iter(again), is_second=True)
            self._scheduler.add(reading)
            for page in self._scheduler.pages(reading):
                coverage.see(page)
                yield page
            if not apart:
                self._readings[stream.name][1].requests += reading.requests
        if coverage.not_found:
            coverage.prove(self._present(stream))
        if listing := self._listings.get(stream.slices.parent or ""):
            coverage.see_parents(listing.coverage or listing.parent.coverage, listing.without_id)

    def _present(self, stream: Source) -> set[str] | None:
        """What the children of the parents are asked with that the vendor lists now; None: it cannot be told."""
        listing = self._listings[stream.slices.parent or ""]
        parent = listing.parent
        if parent.slices.parent:  # to list them takes a request for each of theirs
            return None
        fresh, coverage = Listing(parent, listing.children), parent.new_coverage()
        reading = self._reading(parent, None, self._slices_of(parent, parent.window(None)))
        self._scheduler.add(reading)
        try:
            for page in self._covered(parent, self._scheduler.pages(reading), coverage):
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
        return {parent for part in plan if part for parent in parents_of(part, stream.slices.ids_param)}

    def _noting_ids(self, stream: Source, pages: Iterator[Page]) -> Generator[Page]:
        listing = self._listings[stream.name]
        error: Exception | None = TapError(f"{stream.name} was not read to its end")
        try:
            for page in pages:
                listing.add(page.records)
                self._scheduler.poke()
                yield page
            error = None
        except Exception as raised:
            error = raised
            raise
        finally:  # also where the one who takes the pages fails
            if not listing.complete:
                listing.end(error)
            self._scheduler.poke()


def _explained_filter(error: Unanswered | FilterRefused) -> str:
    """What the vendor did to the filter for what changed."""
    if isinstance(error, FilterRefused):
        return "refused"
    return "gave no answer in time to" if isinstance(error, TooSlow) else "gave no answer of use to"


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
