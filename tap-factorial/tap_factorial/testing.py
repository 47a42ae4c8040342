"""For tests: what the vendor's bodies should have become once they are records."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from singer_rest import times

from tap_factorial.streams import streams_of
from tap_factorial.table import stream_name, table
from tap_factorial.tap import API_VERSION

STREAMS = {stream.name: stream for stream in streams_of(API_VERSION)}
KEYS = {name: tuple(stream.primary_keys) for name, stream in STREAMS.items()}
BY_DEFAULT = {name for name, stream in STREAMS.items() if not (stream.optional or stream.setting)}
"""Streams that no setting has to switch on."""

SECRET = {
    stream_name(f"{module}/{name}"): set(row.drop)
    for module, rows in table().lists.items()
    for name, row in rows.items()
}
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def emitted(stream: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body as a row: what stood in the query only, under a name with an underscore, as a column; no secrets."""
    return {name.removeprefix("_"): value for name, value in body.items() if name not in SECRET[stream]}


def differs(row: dict[str, Any], record: dict[str, Any]) -> set[str]:
    """Names of the fields that do not say what the vendor's body says.

    Args:
        row: What `emitted` gives of the body.
        record: The record, from the tap or from the loader.
    """
    found = {**record, **(record.get("_extra") or {})}
    return {name for name, value in row.items() if _meaning(value) != _meaning(found.get(name))}


def key_of(stream: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The key of a record, from the tap or from the loader; all of it, where there is none."""
    names = KEYS[stream] or sorted(name for name in record if not name.startswith("_"))
    return tuple(str(_meaning(record.get(name))) for name in names)


def by_key(stream: str, bodies: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The vendor's bodies, as rows, by the key that their records have."""
    rows = [emitted(stream, body) for body in bodies]
    return {key_of(stream, row): row for row in rows}


def _meaning(value: Any) -> Any:  # noqa: ANN401
    """What a value says, whatever its form: numbers, flags and moments as text."""
    if isinstance(value, dict):
        return {name: _meaning(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_meaning(inner) for inner in value]
    if isinstance(value, datetime) and value.tzinfo:
        return times.text(value)
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if NUMBER.fullmatch(text):
        return f"{Decimal(text).normalize():f}"
    return times.text(times.parse(text)) if MOMENT.fullmatch(text) else text
