"""Incremental filters: query parameters that select the records changed since a timestamp."""

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
    """An incremental filter, which selects the records changed since a timestamp.

    Args:
        param: The query parameter.
        strict: Whether the vendor leaves out records of exactly that timestamp. One second is then subtracted so that
            no record of the bookmark's second is lost.
        format_timestamp: Formats the timestamp, which is in whole seconds. Default: in UTC with ``Z``.
    """

    param: str
    strict: bool = False
    format_timestamp: Callable[[datetime], str] = times.format_utc

    def filter_params(self, since: datetime) -> dict[str, str]:
        """Returns the query parameters that select the changes since a timestamp."""
        if self.strict:
            since = pendulum.instance(since).subtract(seconds=1)
        return {self.param: self.format_timestamp(since.replace(microsecond=0))}

    def earliest_timestamp(self, since: datetime) -> datetime:
        """Returns the earliest timestamp that the query can mean. A date or a local time depends on the time zone."""
        text = self.filter_params(since)[self.param]
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
        return False  # an unreadable timestamp may lie anywhere
