"""The streams of an API version: one class per row of the table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pendulum
from singer_rest import ChangedSince, IdsParam, times
from typing_extensions import override

from tap_factorial.client import FactorialStream
from tap_factorial.slices import views_of
from tap_factorial.table import Row, format_value, load_table, stream_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

UNKNOWN_ZONE = pendulum.duration(days=1)
"""The look-back if a filter takes a date, whose time zone is unknown."""
LONG_RUNNING = pendulum.duration(weeks=1)
"""The look-back if a filter applies to the start of something whose row changes until it has ended."""


class MaybeByDay(ChangedSince):
    """A filter that takes a timestamp, of which the vendor may use only the date and so send earlier records, too."""

    @override
    def earliest_timestamp(self, since: datetime) -> datetime:
        return ChangedSince(self.param, self.strict, times.format_date).earliest_timestamp(since)


@cache
def streams_of(version: str) -> Sequence[type[FactorialStream]]:
    """Returns the streams of an API version.

    Args:
        version: Such as ``2026-10-01``. For retired versions, the lists of the oldest described one.
    """
    return tuple(_make_stream(path, row, version) for path, row in load_table().rows_of_version(version).items())


def _make_stream(path: str, row: Row, version: str) -> type[FactorialStream]:
    module, name = path.split("/")
    attributes: dict[str, Any] = {
        "__doc__": f"One row per record of {name.replace('_', ' ')} in the module {module}.",
        "name": stream_name(path),
        "path": f"/api/{version}/resources/{path}",
        "permission": permission_of(module),
        "primary_keys": row.key,
        "params": {param: format_value(value) for param, value in row.send.items()},
        "by_id": IdsParam("ids[]", views=views_of(row)) if name in load_table().by_id.get(module, ()) else None,
        "optional": row.optional,
        "setting": next(iter(row.setting.values()), None),
        "row": row,
    }
    return type(stream_name(path), (FactorialStream,), attributes | _incremental_attributes(row))


def permission_of(module: str) -> str:
    """Returns the permission that a credential needs to read the lists of a module."""
    scope = load_table().scopes.get(module)
    return f"{f'the scope {scope}' if scope else 'a scope for it'}, and a plan that includes the module {module}"


def _incremental_attributes(row: Row) -> dict[str, Any]:
    changed = row.changed_since or row.changed_on
    if not changed:
        return {}
    by_day = row.precision == "day"
    return {
        "replication_key": None if row.bookmark else "updated_at",
        "bookmark_is_run_start": row.bookmark == "start",
        # Some filters exclude the very timestamp given; the documentation does not say which.
        "changed_since": (ChangedSince if by_day else MaybeByDay)(
            changed, strict=True, format_timestamp=times.format_date if by_day else times.format_utc
        ),
        "lookback": UNKNOWN_ZONE if by_day else LONG_RUNNING if row.bookmark else FactorialStream.lookback,
    }
