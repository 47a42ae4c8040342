"""How a stream is cut into slices: parts that page on their own and can be under way at the same time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import pendulum

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from singer_rest.pages import Params


@dataclass(frozen=True)
class Slice:
    """One part of a stream.

    Args:
        params: Query parameters that ask for this part; one with several values is sent once for each.
        path: Values for the placeholders of the stream's path.
        columns: Values that each record of this part gets, by column.
        name: What the part is known by in later runs, which need not read it again: its first and its last moment.
            None: it is read again, for it is not over yet, or there may be too many like it for the state.
    """

    params: Params = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class Window:
    """The time that a stream is read for; None: the stream's own default.

    Args:
        since: First moment that is wanted, UTC.
        until: Last moment that is wanted, UTC.
        now: When the run began, UTC.
        table_since: First moment that the table reaches back to already, UTC.
        whole: Whether everything is read, not only what changed.
    """

    since: datetime | None
    until: datetime | None
    now: datetime
    table_since: datetime | None = None
    whole: bool = True


class Ids(Protocol):
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
    needs_record: bool = False
    """Whether the slices depend on more of a parent than its id."""

    @abstractmethod
    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:
        """Yield the slices of a window, in the order in which their records are handed on.

        None in between says that the next slice is not known yet and is to be asked for again later.
        """

    def start(self, window: Window) -> datetime | None:  # noqa: ARG002
        """First moment that the slices of a window reach back to; None: without end."""
        return None


class Whole(Slices):
    """The stream in one piece."""

    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the one slice."""
        yield Slice()


class Values(Slices):
    """One slice per value of a parameter that the vendor requires, such as ``type=team``.

    Args:
        param: The query parameter.
        values: Its values.
        column: Column that each record gets: the value.
    """

    def __init__(self, param: str, *values: str, column: str | None = None) -> None:
        self.param = param
        self.values = values
        self.column = column

    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield a slice per value."""
        for value in self.values:
            yield Slice(params={self.param: value}, columns={self.column: value} if self.column else {})


class Months(Slices):
    """One slice per calendar month, for lists that answer at most a month at a time.

    Args:
        first: Parameter that takes the first day of the month.
        last: Parameter that takes its last day.
        column: Column that each record gets: the month's first day, ``YYYY-MM-DD``.
        years_back: Without a start, the first month is January of so many years ago.
    """

    def __init__(self, first: str, last: str, *, column: str = "month", years_back: int = 5) -> None:
        self.first = first
        self.last = last
        self.column = column
        self.years_back = years_back

    def start(self, window: Window) -> datetime:
        """First day of the first month."""
        if window.since:
            return pendulum.instance(window.since).start_of("month")
        default = pendulum.datetime(window.now.year - self.years_back, 1, 1)
        # The default moves on with the years; the table must not lose its oldest year by that.
        return min(default, pendulum.instance(window.table_since or default))

    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield a slice per month, the oldest first, to the month of the window's end."""
        month = pendulum.instance(self.start(window)).date()
        end = pendulum.instance(window.until or window.now).date()
        while month <= end:
            first, last = month.to_date_string(), month.end_of("month").to_date_string()
            following = month.add(months=1)
            is_over = following <= pendulum.instance(window.now).date()
            yield Slice(
                params={self.first: first, self.last: last},
                columns={self.column: first},
                name=f"{first}/{last}" if is_over else None,
            )
            month = following


class SpreadOverMonths(Slices):
    """One slice per month that many records lie in, and one for all before and one for all after.

    Together they hold what the list holds in one piece, but are under way together. A record on the very moment that
    parts two slices comes in both. What changed since the last run is little, and is read in one piece.

    Args:
        after: Parameter that takes the first moment of a slice, local time without zone.
        before: Parameter that takes its last moment.
        years_back: The first slice ends with January of so many years ago.
        days: Whether the parameters take days, and are required. The days that part two slices come in one only;
            records are looked for from 1970 to nine years ahead.
    """

    def __init__(self, after: str, before: str, *, years_back: int = 5, days: bool = False) -> None:
        self.after = after
        self.before = before
        self.years_back = years_back
        self.days = days

    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the slices, the oldest first."""
        end = pendulum.instance(window.now)
        month: pendulum.DateTime | None = None
        if window.whole:
            month = pendulum.datetime(end.year - self.years_back, 1, 1)
            yield self._slice(None, month, end)
        while month and month <= end:
            following = month.add(months=1)
            yield self._slice(month, following, end)
            month = following
        yield self._slice(month, None, end)

    def _slice(self, first: pendulum.DateTime | None, last: pendulum.DateTime | None, now: pendulum.DateTime) -> Slice:
        # A slice that is not over yet has no name: what comes to lie in it later must not be left out.
        name = f"{times.date(first) if first else '..'}/{times.date(last)}" if last and last <= now else None
        if self.days:
            first = first or pendulum.datetime(1970, 1, 1)
            last = last.subtract(days=1) if last else now.add(years=9)
            return Slice(params={self.after: first.to_date_string(), self.before: last.to_date_string()}, name=name)
        moments = {self.after: first, self.before: last}
        return Slice(params={param: times.zoneless(moment) for param, moment in moments.items() if moment}, name=name)


class Children(Slices):
    """One slice per record of another stream.

    Args:
        parent: Name of the parent stream.
        column: The placeholder of the path (or, with `param`, the query parameter's column) that takes the parent's id.
        param: The query parameter that takes the parent's id, where it does not stand in the path.
        changed: The column that gets the parent's replication key. The children can only have changed with their
            parent then: it is their own replication key, and only parents that changed since are walked.
        where: Which parents have children at all.
    """

    def __init__(
        self,
        parent: str,
        column: str,
        *,
        param: str | None = None,
        changed: str | None = None,
        where: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        self.parent = parent
        self.column = column
        self.param = param
        self.changed = changed
        self.where = where
        self.needs_record = where is not None

    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:
        """Yield a slice per parent, as their ids become known; what ended their listing ends this too."""
        if parents is None:
            raise LookupError(f"nobody lists {self.parent}")
        walked = 0
        while walked < len(parents.parents) or not parents.complete:
            if walked == len(parents.parents):
                yield None
                continue
            parent_id, kept = parents.parents[walked]
            walked += 1
            if self._is_wanted(kept, window.since):
                yield self._slice(parent_id, kept)
        if parents.error:
            raise parents.error

    def _is_wanted(self, kept: Mapping[str, Any], since: datetime | None) -> bool:
        if self.where and not self.where(kept):
            return False
        changed_at = kept.get(self.changed) if self.changed else None
        try:
            return not (since and changed_at) or times.parse(changed_at) >= since
        except (ValueError, AttributeError):
            return True  # a moment that cannot be read may be any

    def _slice(self, parent_id: str, kept: Mapping[str, Any]) -> Slice:
        return Slice(
            params={self.param: parent_id} if self.param else {},
            path={} if self.param else {self.column: quote(parent_id, safe="")},
            columns={self.column: parent_id, **({self.changed: kept.get(self.changed)} if self.changed else {})},
        )
