"""How a list is asked for what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pendulum

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

FIRST_ZONE = pendulum.duration(hours=14)
"""How far the first zone is ahead of UTC."""


@dataclass(frozen=True)
class ChangedSince:
    """How a list is asked for what changed since a moment.

    Args:
        param: The query parameter.
        strict: Whether the vendor leaves out records of that very moment. Then one second is subtracted, or
            records that share the bookmark's second would be lost.
        text: Writes the moment, which is in whole seconds; by default in UTC with ``Z``.
    """

    param: str
    strict: bool = False
    text: Callable[[datetime], str] = times.text

    def params(self, since: datetime) -> dict[str, str]:
        """The query that asks for changes since a moment."""
        if self.strict:
            since = pendulum.instance(since).subtract(seconds=1)
        return {self.param: self.text(since.replace(microsecond=0))}

    def asked(self, since: datetime) -> datetime:
        """First moment that the query can mean: a day or a local time means another one in each zone."""
        text = self.params(since)[self.param]
        try:
            moment = times.parse(text)
        except ValueError:
            return since
        return moment if text.endswith("Z") else pendulum.instance(moment) - FIRST_ZONE


def is_before(value: str | None, moment: datetime) -> bool:
    """Whether a record's moment lies before another one."""
    try:
        return value is not None and times.parse(value) < moment
    except (ValueError, AttributeError):
        return False  # a moment that cannot be read may be any
