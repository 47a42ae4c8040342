"""One run: the readings of the selected streams, parents before children, and the ids that the children walk."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from singer_rest.scheduler import Reading, Scheduler

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.pages import Page
    from singer_rest.slices import Window
    from singer_rest.stream import RestStream


class Listing:
    """The ids of a parent stream, in its order, as they become known."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.complete = False
        self.error: Exception | None = None


class Run:
    """Fetches for the given streams, and hands their pages on.

    Args:
        streams: What to read, in any order.
        known: All streams of the tap by name, the parents that are not read themselves among them.
        scheduler: Runs the requests; closed with the run.
        trial: Whether a few records of each stream are enough: a listing of ids then ends after its first page.
    """

    def __init__(
        self,
        streams: Iterable[RestStream],
        known: Mapping[str, RestStream],
        scheduler: Scheduler,
        *,
        trial: bool = False,
    ) -> None:
        self.streams = _parents_first({stream.name: stream for stream in streams})
        self._scheduler = scheduler
        self._trial = trial
        read = {stream.name: stream for stream in self.streams}
        parents = dict.fromkeys(stream.slices.parent for stream in self.streams if stream.slices.parent)
        self._listings = {name: Listing() for name in parents}
        # A parent's own reading gives the ids, unless it asks only for what changed; then one more listing does.
        self._extra = [known[name] for name in parents if name not in read or read[name].since]
        self._readings = {
            stream.name: (stream, self._reading(stream, stream.since, stream.window(stream.replication.since)))
            for stream in self.streams
        }

    def start(self) -> None:
        """Let the workers begin, and read the ids that no stream's own reading gives."""
        extra = [(parent, self._reading(parent, None, parent.window(None))) for parent in self._extra]
        for _, reading in [*extra, *self._readings.values()]:
            self._scheduler.add(reading)
        for parent, reading in extra:
            # What ends a listing is kept in it, and ends the children when their turn comes.
            with suppress(Exception), closing(self._noting_ids(parent, reading)) as pages:
                for _ in pages:
                    if self._trial:
                        break

    def pages(self, name: str) -> Iterator[Page]:
        """Yield a stream's pages in order.

        Raises:
            Exception: What ended the reading; the pages before it have been handed on.
        """
        stream, reading = self._readings[name]
        if name in self._listings and stream not in self._extra:
            return self._noting_ids(stream, reading)
        return self._scheduler.pages(reading)

    def requests(self, name: str) -> int:
        """How many requests were sent for a stream."""
        return self._readings[name][1].requests

    def close(self) -> None:
        """Start no further request."""
        self._scheduler.close()

    def _reading(self, stream: RestStream, since: datetime | None, window: Window) -> Reading:
        listing = self._listings[stream.slices.parent] if stream.slices.parent else None
        return Reading(
            stream.name,
            stream.slices.plan(window, listing),
            lambda part: stream.page_request(part, since),
            stream.fetch,
            stream.path,
        )

    def _noting_ids(self, stream: RestStream, reading: Reading) -> Generator[Page]:
        listing = self._listings[stream.name]
        try:
            for page in self._scheduler.pages(reading):
                listing.ids.extend(map(stream.parent_id, page.records))
                self._scheduler.poke()
                yield page
        except Exception as error:
            listing.error = error
            raise
        finally:
            listing.complete = True
            self._scheduler.poke()


def _parents_first(streams: Mapping[str, RestStream]) -> list[RestStream]:
    """Order streams so that ids are known as early as can be: parents, theirs before them, then the rest by name."""
    ordered: dict[str, RestStream] = {}

    def place(name: str) -> None:
        if name in streams:
            place(streams[name].slices.parent or "")
            ordered.setdefault(name, streams[name])

    for name in sorted(stream.slices.parent for stream in streams.values() if stream.slices.parent):
        place(name)
    for name in sorted(streams):
        place(name)
    return list(ordered.values())
