"""Test helpers: the records that the vendor's bodies should become."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from singer_rest import times

from tap_personio.streams import STREAMS
from tap_personio.tap import TapPersonio

KEYS = {stream.name: tuple(stream.primary_keys) for stream in STREAMS}
UNTIDY = {stream.name for stream in STREAMS if not stream.path.startswith("/v2/")}
"""Streams whose values are normalized. They are compared by their meaning."""

BY_DEFAULT = set(TapPersonio(validate_config=False).streams)
"""Streams that no setting has to enable."""

SECRETS = {"token", "custom_headers"}
"""Fields of a webhook that are dropped as secrets."""

MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]00:00(:00)?(\.0+)?(Z|[+-]\d{2}:?\d{2})?")
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:.*")
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def differing_fields(stream: str, row: dict[str, Any], record: dict[str, Any]) -> set[str]:
    """Returns the names of the fields that differ from the vendor's body.

    Args:
        stream: Name of the stream.
        row: The body as `emitted` returns it.
        record: The record, from the tap or from the loader.
    """
    found = {**record, **(record.get("_extra") or {})}
    return {name for name, value in row.items() if not _is_same(stream, value, found.get(name))}


def key_of(stream: str, record: dict[str, Any]) -> tuple[str, ...]:
    """Returns the key of a record, from the tap or from the loader."""
    return tuple(str(_plain_value(record.get(name))) for name in KEYS[stream])


def index_by_key(stream: str, bodies: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Returns the vendor's bodies by the key of their records."""
    found = {}
    rows = Counter[tuple[str, int]]()
    for body in bodies:
        row = expected_row(body)
        if stream == "custom_report_rows":  # numbered per employee; the vendor's order is that of the report
            rows[row["report_id"], row["employee_id"]] += 1
            row["row_number"] = rows[row["report_id"], row["employee_id"]]
        found[key_of(stream, row)] = row
    return found


def expected_row(body: dict[str, Any]) -> dict[str, Any]:
    """Converts a record as sent by the vendor to the row that the tap should emit.

    Attributes are keyed by their ids, timestamps are flattened, and parameters of the URL are columns.

    Args:
        body: The record as the vendor sent it, with parameters of its URL under names that begin with an underscore.
    """
    row: dict[str, Any] = {}
    for name, value in body.items():
        if name in {"cells", *SECRETS} or (name == "type" and "attributes" in body):
            continue  # the cells of a report are compared elsewhere; v1's wrappers carry no data
        if name == "attributes" and isinstance(value, dict):
            row |= {key: _unwrap_value(item) for key, item in value.items()}
        elif name == "custom_attributes":
            row[name] = {item["id"]: item["value"] for item in value}
        elif isinstance(value, dict) and set(value) == {"date-time", "timezone"}:
            row[name], row[f"{name}_timezone"] = _format_utc(**value), value["timezone"]
        else:
            row[name.removeprefix("_") if name != "_meta" else name] = value
    return row


def _format_utc(**said: str) -> str:
    timestamp = datetime.fromisoformat(said["date-time"].replace("Z", "+00:00"))
    return times.format_utc(timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=ZoneInfo(said["timezone"])))


def _unwrap_value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and "label" in value:
        return _unwrap_value(value["value"])
    if isinstance(value, dict):
        wrapped = value.get("attributes")
        inner = {**wrapped, **({"id": value["id"]} if "id" in value else {})} if isinstance(wrapped, dict) else value
        return {name: _unwrap_value(item) for name, item in inner.items()}
    return [_unwrap_value(item) for item in value] if isinstance(value, list) else value


def _is_same(stream: str, sent: Any, found: Any) -> bool:  # noqa: ANN401
    if stream in UNTIDY:
        return bool(_canonical_value(sent) == _canonical_value(found))
    if isinstance(sent, str) and isinstance(found, datetime) and TIMESTAMP.fullmatch(sent):
        return times.parse(sent) == found  # fractions of a second have three digits or six
    return bool(sent == _plain_value(found))


def _plain_value(value: Any) -> Any:  # noqa: ANN401
    """Returns a loaded value as the API writes it."""
    if isinstance(value, datetime) and value.tzinfo:
        return times.format_utc(value)
    return value.isoformat() if isinstance(value, date) else value


def _canonical_value(value: Any) -> Any:  # noqa: ANN401
    """Returns a value in a form that can be compared."""
    value = _plain_value(value)
    if isinstance(value, str):
        value = _parse_text(value)
    if isinstance(value, dict):
        value = {name: _canonical_value(item) for name, item in value.items()}
    elif isinstance(value, list):
        texts = all(isinstance(item, str) for item in value)
        value = ",".join(value) if texts else [_canonical_value(item) for item in value]
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        value = Decimal(str(value))
    return None if value in ("", [], {}) else value


def _parse_text(value: str) -> Any:  # noqa: ANN401
    if NUMBER.fullmatch(value):
        return Decimal(value)
    if value.rstrip(",") in {"true", "false"}:  # the vendor has published one with a comma
        return value.startswith("true")
    if day := MIDNIGHT.fullmatch(value):
        return day.group(1)
    if TIMESTAMP.fullmatch(value):
        return times.parse(value)
    return json.loads(value) if value.startswith("[") else value
