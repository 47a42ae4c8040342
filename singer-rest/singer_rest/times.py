"""Moments: one way in, one UTC text with ``Z`` out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

NO_DATE = "not an ISO 8601 date or date-time"
ISO = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)"
    r"(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?\ ?(?:([Zz]|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)
"""A date or date-time, plain or compact, with any number of digits behind the second, in any way to write the zone."""


def parse(value: str) -> datetime:
    """Read an ISO 8601 date or date-time as an aware timestamp in UTC; without a zone it means UTC.

    Raises:
        ValueError: If the text is neither. The message does not repeat it.
    """
    timestamp = read(value)
    try:
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(NO_DATE) from None


def read(value: str) -> datetime:
    """Read an ISO 8601 date or date-time as it stands: with its offset, or without a zone where it has none.

    What is finer than a microsecond is cut.

    Raises:
        ValueError: If the text is neither. The message does not repeat it.
    """
    if not isinstance(value, str):
        raise ValueError(NO_DATE)  # noqa: TRY004 - a vendor may send anything in the place of a date
    if value[4:5] == "-" and value[10:11] == "T" and value[5:6] != "W":
        try:  # by far the most, and five times as fast
            return datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            pass
    found = ISO.fullmatch(value)
    if not found:
        raise ValueError(NO_DATE)
    year, _, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
    try:
        zone = timezone.utc if utc else None
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            zone = timezone(-offset if sign == "-" else offset)
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "")[:6].ljust(6, "0")),
            zone,
        )
    except ValueError:
        raise ValueError(NO_DATE) from None


def text(moment: datetime) -> str:
    """Write a moment as ``2026-11-22T05:00:00Z``, with a fraction only where there is one."""
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def zoneless(moment: datetime) -> str:
    """Write a moment in UTC without its zone, as some filters want it: ``2026-11-22T05:00:00``."""
    return text(moment).removesuffix("Z")


def date(moment: datetime) -> str:
    """Write a moment's day in UTC: ``2026-11-22``."""
    return moment.astimezone(timezone.utc).date().isoformat()


def http_date(value: str) -> datetime:
    """Read a date as HTTP headers write it.

    Raises:
        ValueError: If the text is no such date.
    """
    moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
