"""Slices by time: months, windows of several days, single days."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pendulum

from singer_rest import times
from singer_rest.slices.base import Slice, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from singer_rest.slices.base import ParentIds, Takes, Window


def _lower_bound(window: Window, years_back: int, days_back: int | None = None) -> pendulum.DateTime:
    """Returns the lower bound of a window. Default: January `years_back` years ago, or the day `days_back` days ago."""
    if window.since:
        return pendulum.instance(window.since)
    default = pendulum.datetime(window.now.year - years_back, 1, 1)
    if days_back is not None:
        default = pendulum.instance(window.now).subtract(days=days_back).start_of("day")
        # The default moves every day; a resumed read must start where it started.
        default = min(default, pendulum.instance(window.resumed_since or default))
    # The default moves every year; the table must not lose its oldest year.
    return min(default, pendulum.instance(window.table_since or default))


class Months(Slices):
    """One slice per calendar month, for lists that return at most one month at a time.

    Args:
        first: The parameter for the first day of the month.
        last: The parameter for the last day.
        column: The column of each record that takes the month's first day, ``YYYY-MM-DD``.
        years_back: Without a lower bound, the first month is January of this many years ago.
    """

    def __init__(self, first: str, last: str, *, column: str = "month", years_back: int = 5) -> None:
        self.first = first
        self.last = last
        self.column = column
        self.years_back = years_back

    def first_timestamp(self, window: Window) -> datetime:
        """Returns the first day of the first month."""
        return _lower_bound(window, self.years_back).start_of("month")

    def last_timestamp(self, window: Window) -> datetime:
        """Returns the end of the last month."""
        return pendulum.instance(window.until or window.now).end_of("month")

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields a slice per month, oldest first, up to the month of the upper bound."""
        month = pendulum.instance(self.first_timestamp(window)).date()
        end = pendulum.instance(self.last_timestamp(window)).date()
        while month <= end:
            first, last = month.to_date_string(), month.end_of("month").to_date_string()
            next_start = month.add(months=1)
            has_ended = next_start <= pendulum.instance(window.now).date()
            yield Slice(
                params={self.first: first, self.last: last},
                columns={self.column: first},
                name=f"{first}/{last}" if has_ended else None,
                number=_month_number(month),
            )
            month = next_start


class DateWindows(Slices):
    """One slice per number of days, for lists that require a first and a last day and return short windows faster.

    No day lies in two slices. The slices are the same in every run, whatever the lower bound is.

    Args:
        first: The parameter for the first day of a slice.
        last: The parameter for the last day.
        days: Number of days per slice.
        years_back: Without a lower bound, the first day is the first of January of this many years ago.
        years_ahead: Without an upper bound, the last day lies this many years ahead.
        days_back: Without a lower bound, the first day is this many days ago. Overrides `years_back`.
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

    def first_timestamp(self, window: Window) -> datetime:
        """Returns the first day of the first slice."""
        return _lower_bound(window, self.years_back, self.days_back).start_of("day")

    def last_timestamp(self, window: Window) -> datetime:
        """Returns the end of the last day."""
        now = pendulum.instance(window.now)
        return (pendulum.instance(window.until) if window.until else now.add(years=self.years_ahead)).end_of("day")

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slices, oldest first, up to the day of the upper bound."""
        now = pendulum.instance(window.now)
        end = pendulum.instance(self.last_timestamp(window)).date()
        day = pendulum.instance(self.first_timestamp(window)).date()
        while day <= end:
            next_start = day.add(days=self.days - day.toordinal() % self.days)
            last = min(next_start.subtract(days=1), end)
            params = {self.first: day.isoformat(), self.last: last.isoformat()}
            has_ended = last < now.date()
            name = "/".join(params.values()) if has_ended else None
            yield Slice(params=params, name=name, number=day.toordinal() // self.days)
            day = next_start


class DayWindows(Slices):
    """One slice per day in UTC, for lists that return at most 24 hours at a time.

    A slice ends at the first timestamp of the next one, so that no record falls between two; a record of that very
    timestamp may be in both. The first slice starts at the lower bound, the last one ends when the run began.

    Args:
        first: The parameter for the first timestamp, in UTC without zone.
        last: The parameter for the last timestamp.
        days_back: Without a lower bound, the first day is this many days ago.
    """

    def __init__(self, first: str, last: str, *, days_back: int) -> None:
        self.first = first
        self.last = last
        self.days_back = days_back

    def first_timestamp(self, window: Window) -> datetime:
        """Returns the first timestamp of the first slice."""
        return _lower_bound(window, 0, self.days_back).set(microsecond=0)

    def last_timestamp(self, window: Window) -> datetime:
        """Returns the last timestamp of the last slice."""
        end = pendulum.instance(window.now).set(microsecond=0).add(seconds=1)
        return min(end, pendulum.instance(window.until).start_of("day").add(days=1)) if window.until else end

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slices, oldest first, up to the day of the upper bound."""
        now, end = pendulum.instance(window.now), pendulum.instance(self.last_timestamp(window))
        timestamp = pendulum.instance(self.first_timestamp(window))
        while timestamp < end:
            next_start = timestamp.start_of("day").add(days=1)
            bounds = {
                self.first: times.format_zoneless(timestamp),
                self.last: times.format_zoneless(min(next_start, end)),
            }
            day = times.format_date(timestamp)
            name = f"{day}/{day}" if next_start <= now else None
            yield Slice(params=bounds, name=name, number=timestamp.toordinal())
            timestamp = next_start


class MonthlyBackfill(Slices):
    """The whole list as one slice. If it is long, one slice per year, and if that is still long, one per month.

    Together they hold the whole list, but are fetched concurrently. A record of the very timestamp that separates two
    slices is in both. Incremental reads are small and not sliced.

    Args:
        after: The parameter for the first timestamp of a slice, local time without zone.
        before: The parameter for the last timestamp.
        years_back: The first slice ends with January of this many years ago.
        days: Whether the parameters are dates and required. Slices then share no day, and records are read from 1970
            to nine years ahead.
    """

    def __init__(self, after: str, before: str, *, years_back: int = 5, days: bool = False) -> None:
        self.after = after
        self.before = before
        self.years_back = years_back
        self.days = days

    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the slice."""
        now = pendulum.instance(window.now)
        whole = self._make_slice(None, None, now)
        yield replace(whole, parts=tuple(self._yearly_slices(now))) if window.whole else whole

    def share(self, takes: Takes, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:  # noqa: ARG002
        """Yields the months that one part takes.

        The parts cannot know whether the list is long, so it is always cut, and up to the end of the year, because some
        parts may start in a later month.
        """
        now, first = pendulum.instance(window.now), self.first_boundary(window)
        after = pendulum.datetime(now.year + 1, 1, 1)
        months = self._monthly_slices(first, after, now)
        for part in (self._make_slice(None, first, now), *months, self._make_slice(after, None, now)):
            if takes(part.share_key):
                yield part

    def first_boundary(self, window: Window) -> pendulum.DateTime:
        """Returns the beginning of the first year. What is older is one slice."""
        return pendulum.datetime(window.now.year - self.years_back, 1, 1)

    def _yearly_slices(self, now: pendulum.DateTime) -> Iterator[Slice]:
        """Yields a slice for the time before the first year, per year, and for the current year and what follows."""
        starts = [pendulum.datetime(now.year - back, 1, 1) for back in range(self.years_back, -1, -1)]
        yield self._make_slice(None, starts[0], now)
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            yield replace(self._make_slice(start, end, now), parts=tuple(self._monthly_slices(start, end, now)))

    def _monthly_slices(
        self, start: pendulum.DateTime, end: pendulum.DateTime | None, now: pendulum.DateTime
    ) -> Iterator[Slice]:
        last = end or now.start_of("month").add(months=1)
        while start < last:
            yield self._make_slice(start, start := start.add(months=1), now)
        if end is None:
            yield self._make_slice(start, None, now)

    def _make_slice(
        self, first: pendulum.DateTime | None, last: pendulum.DateTime | None, now: pendulum.DateTime
    ) -> Slice:
        # A slice that has not ended yet has no name: later runs must read records added to it.
        name = (
            f"{times.format_date(first) if first else '..'}/{times.format_date(last)}" if last and last <= now else None
        )
        number = _month_number(first) if first else _month_number(last) - 1 if last else None
        if self.days:
            first = first or pendulum.datetime(1970, 1, 1)
            last = last.subtract(days=1) if last else now.add(years=9)
            params = {self.after: first.to_date_string(), self.before: last.to_date_string()}
            return Slice(params=params, name=name, number=number)
        bounds = {self.after: first, self.before: last}
        params = {param: times.format_zoneless(timestamp) for param, timestamp in bounds.items() if timestamp}
        return Slice(params=params, name=name, number=number)


def _month_number(month: pendulum.Date) -> int:
    return month.year * 12 + month.month
