"""Converts the timestamps of recruiting, whose time zone is in a separate property."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from singer_rest import times

if TYPE_CHECKING:
    from singer_rest import Record

TIMESTAMP = {"datetime"}
ZONE = {"timezone", "timezoneid", "zone", "zoneid"}

_ENDS_WITH_ZONE = re.compile(r"[Tt ][\d:.,]+ ?([Zz]|[+-]\d{2}(:?\d{2}){0,2})", re.ASCII)
_BRACKETED = re.compile(r"([^\[]+)\[([^\[\]]+)\]")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)


def flatten_timestamp(row: Record, name: str) -> None:
    """Converts a timestamp object to text, with its time zone in a column of its own.

    The text is in UTC, unless it is a local time in an unnamed or unknown zone. The members may be spelled in any of
    the usual ways; other members are kept in a column of their own.
    """
    value = row.get(name)
    zone: Any = None
    if isinstance(value, dict):
        keys = {re.sub(r"[-_ ]", "", member).lower(): member for member in value}
        timestamp_key = next((keys[known] for known in keys if known in TIMESTAMP), None)
        if timestamp_key is None:
            return
        zone_key = next((keys[known] for known in keys if known in ZONE), None)
        if zone_key is not None:
            zone = row[f"{name}_timezone"] = value[zone_key]
        others = {member: other for member, other in value.items() if member not in {timestamp_key, zone_key}}
        if others:
            row[f"{name}_details"] = others
        value = row[name] = value[timestamp_key]
    if isinstance(value, str):
        row[name] = in_utc(value, zone)


def in_utc(text: str, zone: Any) -> str:  # noqa: ANN401 - what the API sends
    """Converts a timestamp to UTC. Unreadable ones and local times in an unknown zone are unchanged.

    An offset in the text takes precedence over the zone. An ambiguous hour, when clocks are set back, is taken as the
    first of the two, so that no timestamp appears newer than it is.
    """
    bracketed = _BRACKETED.fullmatch(text.strip())
    if bracketed:
        text, zone = bracketed.groups()
    try:
        timestamp = times.parse(text)
        if is_local(text):
            tz = _find_time_zone(zone) if isinstance(zone, str) else None
            if tz is None:
                return text
            timestamp = timestamp.replace(tzinfo=tz)
        return times.format_utc(timestamp)
    except (ValueError, OverflowError):
        return text


def is_local(value: Any) -> bool:  # noqa: ANN401 - what the API sends
    """Whether a value is a timestamp without an offset from UTC."""
    if not isinstance(value, str) or _ENDS_WITH_ZONE.search(value):
        return False
    try:
        times.parse(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1000)
def _find_time_zone(name: str) -> tzinfo | None:
    """Returns the zone of a name or of an offset such as +02:00. None: there is no such zone."""
    name = name.strip()
    offset = _OFFSET.fullmatch(name)
    try:
        if offset:
            sign, hours, minutes = offset.groups()
            return timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes or 0)))
        return ZoneInfo("UTC" if name in {"Z", "z"} else name)
    except (ValueError, LookupError, OSError):
        return None
