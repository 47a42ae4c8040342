"""Slices: parts of a stream that are read on their own, each with its own pages, and fetched concurrently.

A slice is for example a month, a window of some days, the records of one parent, or one value of a query parameter. A
stream that is not divided has one slice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from singer_rest.aliases import Params, Record

    Takes = Callable[[int | str], bool]


@dataclass(frozen=True)
class Slice:
    """One part of a stream that is read on its own.

    Args:
        params: Query parameters that select this part. One with several values is sent once for each.
        path: Values for the placeholders of the stream's path.
        columns: Column values that are added to each record of this part.
        name: Identifies the part in later runs, which need not read it again: its first and last timestamp or date.
            None: it is read again, because it has not ended yet or such slices may be too many for the state.
        parts: Slices that together hold the same records. They are read instead if the list is long.
        number: The number of its calendar window, which is the same in all runs. None: it is no such window.
    """

    params: Params = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    parts: tuple[Slice, ...] = ()
    number: int | None = None

    @property
    def share_key(self) -> int | str:
        """What identifies the slice in all parts of a back-fill, whenever they started."""
        # Some vendors spell an id in different ways.
        return repr(sorted({**self.params, **self.path}.items())).casefold() if self.number is None else self.number


@dataclass(frozen=True)
class Window:
    """The time window to read. None: the stream's default.

    Args:
        since: Lower bound, UTC.
        until: Upper bound, UTC.
        now: When the run began, UTC.
        table_since: The earliest timestamp that the table covers already, UTC.
        whole: Whether this is a full read, not an incremental one.
        changed_since: The lower bound of the incremental filter, UTC. None: no filter.
        resumed_since: The lower bound of an interrupted full read that this run resumes, UTC.
    """

    since: datetime | None
    until: datetime | None
    now: datetime
    table_since: datetime | None = None
    whole: bool = True
    changed_since: datetime | None = None
    resumed_since: datetime | None = None


class ParentIds(Protocol):
    """The parents as their list is fetched, in order: id and fields."""

    parents: list[tuple[str, Mapping[str, Any]]]
    complete: bool
    error: Exception | None


class Slices(ABC):
    """A way to divide a stream into slices."""

    parent: str | None = None
    """Name of the parent stream, if the slices iterate over its ids."""
    changed: str | None = None
    """The column that holds the parent's replication key, if only changed parents are read."""
    path_params: Collection[str] = ()
    """The placeholders of the path that the slices fill."""
    key: str | None = None
    """The field of the parents that requests use, if it is not their id."""
    ids_param: str | None = None
    """The parameter that takes the parents' ids, if they are not in the path."""
    days_params: tuple[str, str] | None = None
    """The parameters for a slice's first and last day, if it may be split into windows of fewer days."""
    changes_of_all_dates: bool = False
    """Whether incremental reads return records of all dates, and full reads only those of the window."""

    @abstractmethod
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the slices of a window. Slices are read concurrently, so that their records come in any order.

        None in place of a slice means that the next slice is not known yet. The caller then tries again later.
        """

    def share(self, takes: Takes, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yields the slices of one part of a back-fill. Each slice belongs to exactly one part.

        Args:
            takes: Whether the part takes what has a key, such as a slice's `share_key`.
            window: The window.
            parents: The parents.
        """
        for part in self.plan(window, parents):
            if part is None or takes(part.share_key):
                yield part

    def first_boundary(self, window: Window) -> datetime | None:
        """Returns the first boundary of slices, which may differ between the parts of a back-fill. None: unbounded."""
        return self.first_timestamp(window)

    def first_timestamp(self, window: Window) -> datetime | None:  # noqa: ARG002
        """Returns the earliest timestamp that the slices of a window cover. None: unbounded."""
        return None

    def last_timestamp(self, window: Window) -> datetime | None:  # noqa: ARG002
        """Returns the latest timestamp that the slices of a window cover. None: unbounded."""
        return None

    def parent_fields(self, parent: Record) -> Record:  # noqa: ARG002
        """Returns the fields of a parent, besides its id, that the slices need. They stay in memory for all parents."""
        return {}


class SingleSlice(Slices):
    """The whole stream as one slice."""

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the one slice."""
        yield Slice()
