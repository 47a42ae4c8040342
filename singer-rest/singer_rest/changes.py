"""Incremental filters: query parameters that ask for records changed since a timestamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pendulum

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

FIRST_ZONE = pendulum.duration(hours=14)
"""The earliest time zone is this far ahead of UTC."""


@dataclass(frozen=True)
class ChangedSince:
    """An incremental filter: asks for records changed since a timestamp.

    Args:
        param: The query parameter.
        strict: Whether the vendor leaves out records of the very timestamp. One second is then subtracted, or
            records that share the bookmark's second would be lost.
        text: Formats the timestamp, which is in whole seconds. Default: in UTC with ``Z``.
    """

    param: str
    strict: bool = False
    text: Callable[[datetime], str] = times.text

    def params(self, since: datetime) -> dict[str, str]:
        """The query parameters that ask for changes since a timestamp."""
        if self.strict:
            since = pendulum.instance(since).subtract(seconds=1)
        return {self.param: self.text(since.replace(microsecond=0))}

    def earliest(self, since: datetime) -> datetime:
        """The earliest timestamp that the query can mean: a date or a local time differs by time zone."""
        text = self.params(since)[self.param]
        try:
            timestamp = times.parse(text)
        except ValueError:
            return since
        return timestamp if text.endswith("Z") else pendulum.instance(timestamp) - FIRST_ZONE


def is_before(value: str | None, timestamp: datetime) -> bool:
    """Whether a record's timestamp lies before another one."""
    try:
        return value is not None and times.parse(value) < timestamp
    except (ValueError, AttributeError):
        return False  # an unreadable timestamp may be any
