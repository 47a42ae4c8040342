"""Timestamps in ticks of 100 nanoseconds, which `datetime` cannot represent."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

SECOND = 10_000_000
MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BARE = datetime(1970, 1, 1)  # noqa: DTZ001  the zone is appended as text
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(Z|[+-]\d\d:\d\d)")
DAY_ONLY = re.compile(r"\d{4}-\d\d-\d\d")


def to_ticks(timestamp: datetime | date) -> int:
    """Converts a timestamp, or the beginning of a day in UTC."""
    if not isinstance(timestamp, datetime):
        timestamp = datetime.combine(timestamp, time(), UTC)
    since = (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)) - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 10


def to_datetime(ticks: int) -> datetime:
    """Returns the timestamp in UTC, truncated to microseconds."""
    return EPOCH + timedelta(microseconds=ticks // 10)


def format_timestamp(ticks: int, zone: str = "Z") -> str:
    """Formats a timestamp with up to seven digits of fraction, without trailing zeros."""
    seconds, rest = divmod(ticks, SECOND)
    fraction = f".{rest:07}".rstrip("0") if rest else ""
    return f"{(BARE + timedelta(seconds=seconds)).isoformat()}{fraction}{zone}"


def parse_timestamp(text: str, *, bare_days: bool = False) -> int | None:
    """Parses a timestamp with a zone; a bare day may mean its beginning. Returns None for any other text."""
    if bare_days and DAY_ONLY.fullmatch(text):
        text = f"{text}T00:00:00Z"
    found = TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    day, minutes, seconds, fraction, zone = found.groups()
    try:
        offset = UTC if zone == "Z" else timezone(datetime.strptime(zone, "%z").utcoffset() or timedelta())
        whole = datetime.fromisoformat(f"{day}T{minutes}:{seconds or '00'}").replace(tzinfo=offset)
    except ValueError:
        return None
    return to_ticks(whole) + int((fraction or "").ljust(7, "0"))


def truncate_ticks(ticks: int, native: str) -> int:
    """Truncates a timestamp to the precision of the column: `datetime(0)` keeps minutes."""
    if native == "datetime(0)":
        return ticks - ticks % MINUTE
    return ticks - ticks % 10_000 if native == "datetime(3)" else ticks
