"""How a stream is cut into slices: parts that page on their own and can be under way at the same time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from singer_rest.aliases import Params, Record


@dataclass(frozen=True)
class Slice:
    """One part of a stream.

    Args:
        params: Query parameters that ask for this part; one with several values is sent once for each.
        path: Values for the placeholders of the stream's path.
        columns: Values that each record of this part gets, by column.
        name: What the part is known by in later runs, which need not read it again: its first and its last moment, or
            day. None: it is read again, for it is not over yet, or there may be too many like it for the state.
        is_probe: Whether it is all of the list, whose first page shows whether it has to be cut.
    """

    params: Params = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    is_probe: bool = False


@dataclass(frozen=True)
class Window:
    """The time that a stream is read for; None: the stream's own default.

    Args:
        since: First moment that is wanted, UTC.
        until: Last moment that is wanted, UTC.
        now: When the run began, UTC.
        table_since: First moment that the table reaches back to already, UTC.
        whole: Whether everything is read, not only what changed.
        changed_since: What changed since is asked for, UTC; None: not only what changed.
        begun_since: First moment of a read of everything that an earlier run began, UTC.
    """

    since: datetime | None
    until: datetime | None
    now: datetime
    table_since: datetime | None = None
    whole: bool = True
    changed_since: datetime | None = None
    resumed_since: datetime | None = None


class ParentIds(Protocol):
    """The parents, as their listing hands them on, in its order: id, and its record."""

    parents: list[tuple[str, Mapping[str, Any]]]
    complete: bool
    error: Exception | None


class Slices(ABC):
    """A way to cut a stream."""

    parent: str | None = None
    """Name of the stream whose ids the slices walk, if they walk any."""
    changed: str | None = None
    """The column that holds the parent's replication key, where only parents that changed are walked."""
    key: str | None = None
    """The parents' field that is asked with, where it is not their id."""
    ids_param: str | None = None
    """The parameter that takes the parents' ids, where they do not stand in the path."""
    days_params: tuple[str, str] | None = None
    """The parameters that take a slice's first and last day, where it may be asked for in parts of fewer days."""

    @abstractmethod
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        """Yield the slices of a window, in the order in which their records are handed on.

        None in between says that the next slice is not known yet and is to be asked for again later.
        """

    def probe(self, window: Window) -> Slice | None:  # noqa: ARG002
        """All of the list as one slice, to be asked for first: only where it has a second page, the slices are read.

        None: it is read in its slices from the beginning.
        """
        return None

    def start(self, window: Window) -> datetime | None:  # noqa: ARG002
        """First moment that the slices of a window reach back to; None: without end."""
        return None

    def parent_fields(self, parent: Record) -> Record:  # noqa: ARG002
        """What the slices depend on of a parent's record, beside its id; it is kept, and there may be many parents."""
        return {}


class SingleSlice(Slices):
    """The stream in one piece."""

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the one slice."""
        yield Slice()
