"""Slices by time: a month, a number of days, a day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pendulum

from singer_rest import times
from singer_rest.slices.base import Slice, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from singer_rest.slices.base import ParentIds, Window


def _start(window: Window, years_back: int, days_back: int | None = None) -> pendulum.DateTime:
    """The first moment that is wanted; by default January of so many years ago, or the day so many days ago."""
    if window.since:
        return pendulum.instance(window.since)
    default = pendulum.datetime(window.now.year - years_back, 1, 1)
    if days_back is not None:
        default = pendulum.instance(window.now).subtract(days=days_back).start_of("day")
        # It moves on every day; a read that goes on has to begin where it began.
        default = min(default, pendulum.instance(window.resumed_since or default))
    # The default moves on with the years; the table must not lose its oldest year by that.
    return min(default, pendulum.instance(window.table_since or default))


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
        return _start(window, self.years_back).start_of("month")

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
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


class DateWindows(Slices):
    """One slice per so many days, for lists that want a first and a last day, and answer few days better than many.

    No day lies in two slices. They are cut at the same days in every run, whatever the first one is.

    Args:
        first: Parameter that takes the first day of a slice.
        last: Parameter that takes its last day.
        days: How many days.
        years_back: Without a start, the first day is the first of January of so many years ago.
        years_ahead: Without an end, the last day lies so many years ahead.
        days_back: Without a start, the first day is so many days ago, whatever `years_back` says.
    """

    def __init__(
        self,
        first: str,
        last: str,
        *,
        days: int,
        years_back: int = 5,
        years_ahead: int = 0,
        days_back: int | None = None,
    ) -> None:
        self.first = first
        self.last = last
        self.days_params = (first, last)
        self.days = days
        self.years_back = years_back
        self.years_ahead = years_ahead
        self.days_back = days_back

    def start(self, window: Window) -> datetime:
        """First day of the first slice."""
        return _start(window, self.years_back, self.days_back).start_of("day")

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the slices, the oldest first, to the day of the window's end."""
        now = pendulum.instance(window.now)
        end = (pendulum.instance(window.until) if window.until else now.add(years=self.years_ahead)).date()
        day = pendulum.instance(self.start(window)).date()
        while day <= end:
            following = day.add(days=self.days - day.toordinal() % self.days)
            last = min(following.subtract(days=1), end)
            params = {self.first: day.isoformat(), self.last: last.isoformat()}
            is_over = last < now.date()
            yield Slice(params=params, name="/".join(params.values()) if is_over else None)
            day = following


class DayWindows(Slices):
    """One slice per day in UTC, for lists that answer at most 24 hours at a time.

    Each is asked for by its first moment and by that of the next day, so that nothing falls between two: a record on
    that very moment may come in both. The first slice begins with what is wanted, the last ends as the run begins.

    Args:
        first: Parameter that takes the first moment, in UTC without zone.
        last: Parameter that takes the last moment.
        days_back: Without a start, the first day is so many days ago.
    """

    def __init__(self, first: str, last: str, *, days_back: int) -> None:
        self.first = first
        self.last = last
        self.days_back = days_back

    def start(self, window: Window) -> datetime:
        """First moment of the first slice."""
        return _start(window, 0, self.days_back).set(microsecond=0)

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yield the slices, the oldest first, to the day of the window's end."""
        now = pendulum.instance(window.now)
        end = now.set(microsecond=0).add(seconds=1)
        if window.until:
            end = min(end, pendulum.instance(window.until).start_of("day").add(days=1))
        moment = pendulum.instance(self.start(window))
        while moment < end:
            following = moment.start_of("day").add(days=1)
            bounds = {self.first: times.zoneless(moment), self.last: times.zoneless(min(following, end))}
            day = times.date(moment)
            yield Slice(params=bounds, name=f"{day}/{day}" if following <= now else None)
            moment = following


class MonthlyBackfill(Slices):
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

    def probe(self, window: Window) -> Slice | None:
        """All of the list, where everything is read: most companies' lists need no cutting."""
        return replace(self._slice(None, None, pendulum.instance(window.now)), is_probe=True) if window.whole else None

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
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
