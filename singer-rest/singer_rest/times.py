"""Moments: one way in, one UTC text with ``Z`` out."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import pendulum

NO_DATE = "not an ISO 8601 date or date-time"
STARTS_WITH_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse(value: str) -> datetime:
    """Read an ISO 8601 date or date-time as an aware moment in UTC; without a zone it means UTC.

    Raises:
        ValueError: If the text is neither. The message does not repeat it.
    """
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        moment = _lenient(value)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(NO_DATE) from None


def _lenient(value: str) -> datetime:
    # Fractions of other lengths and offsets without a colon: Python 3.10 does not read them.
    try:
        moment = pendulum.parse(value) if STARTS_WITH_DATE.match(value) else None
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise ValueError(NO_DATE) from None  # noqa: TRY004 - the text is wrong, not its type
    return moment


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
