"""The streams of a version of the API: a class for each row of the table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pendulum
from singer_rest import ChangedSince, times
from typing_extensions import override

from tap_factorial.client import FactorialStream
from tap_factorial.table import Row, sent, stream_name, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

UNKNOWN_ZONE = pendulum.duration(days=1)
"""The look-back where a filter takes a day, and nothing says in which zone it begins."""
LONG_RUNNING = pendulum.duration(weeks=1)
"""The look-back where a filter asks for when something began, and the row changes until it has ended."""


class PerhapsByDay(ChangedSince):
    """A filter that takes a timestamp, of which the vendor may heed the day alone: then earlier records come too."""

    @override
    def earliest(self, since: datetime) -> datetime:
        return ChangedSince(self.param, self.strict, times.date).earliest(since)


@cache
def streams_of(version: str) -> Sequence[type[FactorialStream]]:
    """The streams of a version.

    Args:
        version: Such as ``2026-10-01``; of those that are retired, the lists of the oldest that is described.
    """
    return tuple(_stream(path, row, version) for path, row in table().rows(version).items())


def _stream(path: str, row: Row, version: str) -> type[FactorialStream]:
    module, name = path.split("/")
    attributes: dict[str, Any] = {
        "__doc__": f"One row per record of {name.replace('_', ' ')} in the module {module}.",
        "name": stream_name(path),
        "path": f"/api/{version}/resources/{path}",
        "permission": permission_of(module),
        "primary_keys": row.key,
        "params": {param: sent(value) for param, value in row.send.items()},
        "optional": row.optional,
        "setting": next(iter(row.setting.values()), None),
        "row": row,
    }
    return type(stream_name(path), (FactorialStream,), attributes | _incremental(row))


def permission_of(module: str) -> str:
    """What a credential needs to read the lists of a module."""
    scope = table().scopes.get(module)
    return f"{f'the scope {scope}' if scope else 'a scope for it'}, and a plan that includes the module {module}"


def _incremental(row: Row) -> dict[str, Any]:
    changed = row.changed_since or row.changed_on
    if not changed:
        return {}
    by_day = row.precision == "day"
    return {
        "replication_key": None if row.bookmark else "updated_at",
        "bookmark_is_run_start": row.bookmark == "start",
        # Some filters leave out the very moment that they are given; nobody says which.
        "changed_since": (ChangedSince if by_day else PerhapsByDay)(
            changed, strict=True, text=times.date if by_day else times.text
        ),
        "lookback": UNKNOWN_ZONE if by_day else LONG_RUNNING if row.bookmark else FactorialStream.lookback,
    }
