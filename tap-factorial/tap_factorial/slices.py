"""The slices of a list, as its row declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pendulum
from singer_rest import DateWindows, ParamSets, ParentBatches, Product, SingleSlice, Slice, Slices
from typing_extensions import override

from tap_factorial.table import format_value, stream_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from singer_rest import ParentIds, Window

    from tap_factorial.table import Row


class ChangedDays(Slices):
    """Date windows for full reads, one slice per day since the bookmark for incremental ones.

    The documentation does not say whether the parameter selects one day or later days, too; single days are right in
    both cases.

    Args:
        param: The parameter for the day of a change.
        windows: The date windows.
    """

    changes_of_all_dates = True

    def __init__(self, param: str, windows: Slices) -> None:
        self.param = param
        self.windows = windows
        self.days_params = windows.days_params

    @override
    def first_timestamp(self, window: Window) -> datetime | None:
        return self.windows.first_timestamp(window) if window.whole else None

    @override
    def last_timestamp(self, window: Window) -> datetime | None:
        return self.windows.last_timestamp(window) if window.whole else None

    @override
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        if window.changed_since is None:
            yield from self.windows.plan(window, parents)
            return
        day, today = (pendulum.instance(timestamp).date() for timestamp in (window.changed_since, window.now))
        while day <= today:
            yield Slice(params={self.param: day.to_date_string()})
            day = day.add(days=1)


def views_of(row: Row) -> tuple[Slice, ...]:
    """Returns the slices of a list that has to be requested with several sets of parameters. Otherwise it has none."""
    return tuple(
        Slice(
            params={name: format_value(value) for name, value in request.items()},
            columns={name: request[name] for name in row.columns},
        )
        for request in row.requests
    )


def slices_of(row: Row, days: int | None) -> Slices:
    """Returns the slices of a list: the product of parents, parameter values and date windows.

    Args:
        row: The list.
        days: The user's length of a date window in days. None: as the row says.
    """
    parts: list[Slices] = []
    if row.parent:
        parts.append(
            ParentBatches(stream_name(row.parent), row.by, size=row.at_once, key=row.parent_key, column=row.column)
        )
    if views := views_of(row):
        parts.append(ParamSets(*(view.params for view in views), columns=[view.columns for view in views]))
    if row.window:
        windows: Slices = DateWindows(*row.window, days=days or row.days, years_ahead=1)
        parts.append(ChangedDays(row.changed_on, windows) if row.changed_on else windows)
    slices = parts.pop() if parts else SingleSlice()
    for part in reversed(parts):
        slices = Product(part, slices)
    return slices
