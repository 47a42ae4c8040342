"""Makes values less precise so that the metrics computed from them stay right."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?=$|[T ])")
_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})\Z", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?$")
_MIDNIGHT = "T00:00:00"
AREA_LENGTH = 2
MAX_CACHED = 100_000
"""Maximum number of intervals that are kept in memory with what they become."""


def first_of_year(value: object) -> object:
    """Returns the first day of the year of a date or timestamp. Null for anything else."""
    found = _DATE.match(value) if isinstance(value, str) else None
    return f"{found[1]}-01-01{_format_midnight(found)}" if found else None


def first_of_month(value: object) -> object:
    """Returns the first day of the month of a date or timestamp. Null for anything else."""
    found = _DATE.match(value) if isinstance(value, str) else None
    return f"{found[1]}-{found[2]}-01{_format_midnight(found)}" if found else None


def end_of_month(value: object) -> object:
    """Returns the last day of a month as it is, and the first day of the month of any other date.

    Who leaves on the last day of a month is still counted on that day: head counts at the ends of months stay right.
    """
    found = _DATE.match(value) if isinstance(value, str) else None
    if found and _is_last_day(int(found[1]), int(found[2]), int(found[3])):
        return f"{found[0]}{_format_midnight(found)}"
    return first_of_month(value)


def area(value: object) -> object:
    """Returns the first two characters of a postcode. Null for anything but text."""
    return value[:AREA_LENGTH] if isinstance(value, str) else None


COARSENING: dict[str, Callable[[Any], Any]] = {
    "year": first_of_year,
    "month": first_of_month,
    "last_month": end_of_month,
    "area": area,
}
"""The functions of the actions that change a value on its own."""


@lru_cache(MAX_CACHED)
def rebased(start: object, end: object) -> tuple[object, object]:
    """Moves an interval to midnight of the day on which it starts.

    Args:
        start: Its start: a time of day, such as `08:30`, or a timestamp.
        end: Its end, in the same form. A time of day before the start is on the next day.

    Returns:
        The start and the end. Null for the end if there is none, and null for both if they are no times.
    """
    if not isinstance(start, str):
        return None, None
    if _TIME.match(start):
        return _rebased_times(start, end)
    try:
        began = datetime.fromisoformat(start.replace("Z", "+00:00"))
        ended = datetime.fromisoformat(end.replace("Z", "+00:00")) if isinstance(end, str) else None
        midnight = datetime(began.year, began.month, began.day)  # noqa: DTZ001 - in the zone of the vendor's text
        offset = _OFFSET.search(start) if "T" in start or " " in start else None
        zone = offset[0] if offset else ""
        if ended is None:
            return f"{midnight:%Y-%m-%d}{_MIDNIGHT}{zone}", None
        return tuple(f"{moment:%Y-%m-%dT%H:%M:%S}{zone}" for moment in (midnight, midnight + (ended - began)))  # type: ignore[return-value]
    except (ValueError, TypeError, OverflowError):
        return None, None


def _rebased_times(start: str, end: object) -> tuple[object, object]:
    length = len(start)
    if not isinstance(end, str) or not _TIME.match(end):
        return "00:00:00"[:length], None
    try:
        began, ended = (datetime.strptime(text[:5], "%H:%M") for text in (start, end))  # noqa: DTZ007 - times of day
    except ValueError:
        return None, None
    minutes = int((ended - began).total_seconds()) // 60 % (24 * 60)
    seconds = (int(end[6:] or 0) - int(start[6:] or 0)) if len(end) == len(start) else 0
    total = timedelta(minutes=minutes, seconds=seconds).total_seconds() % (24 * 3600)
    hours, rest = divmod(int(total), 3600)
    return "00:00:00"[:length], f"{hours:02}:{rest // 60:02}:{rest % 60:02}"[:length]


def _is_last_day(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and year >= 1 and day == calendar.monthrange(year, month)[1]  # noqa: PLR2004


def _format_midnight(found: re.Match[str]) -> str:
    """Returns midnight in the form of the rest of the text. Empty if it is a date."""
    rest = found.string[found.end() :]
    if not rest:
        return ""
    offset = _OFFSET.search(rest)
    return f"{_MIDNIGHT}{offset[0] if offset else ''}"
