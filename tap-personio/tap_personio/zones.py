"""Timestamps that name their time zone beside them, as recruiting sends them."""

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


def flatten(row: Record, name: str) -> None:
    """Make of a timestamp that is an object a text, and beside it the zone that the object names.

    The text is in UTC, unless it is a local time in a zone that is not named, or not known. The members may be
    spelled in any of the usual ways; members of other names are kept beside them.
    """
    value = row.get(name)
    zone: Any = None
    if isinstance(value, dict):
        spelled = {re.sub(r"[-_ ]", "", member).lower(): member for member in value}
        told = next((spelled[known] for known in spelled if known in TIMESTAMP), None)
        if told is None:
            return
        of_zone = next((spelled[known] for known in spelled if known in ZONE), None)
        if of_zone is not None:
            zone = row[f"{name}_timezone"] = value[of_zone]
        others = {member: other for member, other in value.items() if member not in {told, of_zone}}
        if others:
            row[f"{name}_details"] = others
        value = row[name] = value[told]
    if isinstance(value, str):
        row[name] = in_utc(value, zone)


def in_utc(text: str, zone: Any) -> str:  # noqa: ANN401 - what the API sends
    """A timestamp in UTC; as it is where it cannot be read, or is a local time in a zone that is not known.

    A text with an offset of its own says itself what it means. An hour that comes twice, as clocks are put back, is
    taken for the first of the two, so that nothing is taken for newer than it is.
    """
    bracketed = _BRACKETED.fullmatch(text.strip())
    if bracketed:
        text, zone = bracketed.groups()
    try:
        timestamp = times.parse(text)
        if is_local(text):
            named = _named(zone) if isinstance(zone, str) else None
            if named is None:
                return text
            timestamp = timestamp.replace(tzinfo=named)
        return times.text(timestamp)
    except (ValueError, OverflowError):
        return text


def is_local(value: Any) -> bool:  # noqa: ANN401 - what the API sends
    """Whether a value is a timestamp that does not say how far it is from UTC."""
    if not isinstance(value, str) or _ENDS_WITH_ZONE.search(value):
        return False
    try:
        times.parse(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1000)
def _named(name: str) -> tzinfo | None:
    """The zone of a name, or of an offset such as +02:00; None: there is none."""
    name = name.strip()
    offset = _OFFSET.fullmatch(name)
    try:
        if offset:
            sign, hours, minutes = offset.groups()
            return timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes or 0)))
        return ZoneInfo("UTC" if name in {"Z", "z"} else name)
    except (ValueError, LookupError, OSError):
        return None
