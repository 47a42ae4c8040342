"""Converts Personio's inconsistent values: numbers as text, several date formats, several forms of null."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Callable

DATE = re.compile(r"(\d{4}-\d{2}-\d{2})([T ]00:00(:00(\.0+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
CELL = {"label", "value", "type", "universal_id"}
MAX_DIGITS = 18
BOOLEANS = {"true": True, "false": False}


def unwrap(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Unwraps v1's objects of type and attributes, or of label and value."""
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("attributes"), dict):
        others = {name: item for name, item in value.items() if name not in {"type", "attributes"}}
        value = {**others, **value["attributes"]}
    elif "label" in value and "value" in value:
        if value.keys() <= CELL:
            return unwrap(value["value"])
        value = {name: item for name, item in value.items() if name not in CELL - {"value"}}
    return {name: unwrap(item) for name, item in value.items()}


def member(value: Any, *names: str) -> Any:  # noqa: ANN401 - what the API sends
    """Returns a nested member of an object. None: one of the objects does not exist."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def as_list(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Converts an object with numeric keys to a list: PHP writes empty lists and those with gaps so."""
    return list(value.values()) if isinstance(value, dict) and all(map(str.isdecimal, value)) else value


def without_nulls(items: Any) -> tuple[list[Any], int]:  # noqa: ANN401 - what the API sends
    """Returns the items of a list that are not null, and the number of nulls: records it could not return."""
    present = [item for item in items if item is not None] if isinstance(items, list) else []
    return present, len(items) - len(present) if isinstance(items, list) else 0


def count(value: Any) -> int | None:  # noqa: ANN401 - what the API sends
    """Parses a count, which may be text. None: it is not one."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


def coercer(definition: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Returns the function that converts a property's values to its JSON Schema, and leaves others unchanged."""
    kinds = definition.get("type") or ()
    kind = kinds if isinstance(kinds, str) else next((name for name in kinds if name != "null"), "")
    return _COERCERS.get(definition.get("format", kind), _COERCERS.get(kind, _unchanged))


def _unchanged(value: Any) -> Any:  # noqa: ANN401
    return value


def _string(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return None if value in ("", []) else value


def _number(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, str):
        return None if value == [] else value
    text = value.strip()
    if not text:
        return None
    return Decimal(text) if NUMBER.fullmatch(text) else value


def _integer(value: Any) -> Any:  # noqa: ANN401
    number = _number(value)
    return int(number) if isinstance(number, Decimal) and number == number.to_integral_value() else number


def _boolean(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, str):
        return value
    return BOOLEANS.get(value.strip(" ,").lower(), value or None)


def _date(value: Any) -> Any:  # noqa: ANN401
    # Midnight means the date, in any zone. Any other time of day is kept.
    if value in ("", []):
        return None
    day = DATE.fullmatch(value) if isinstance(value, str) else None
    return day.group(1) if day else value


def _timestamp(value: Any) -> Any:  # noqa: ANN401
    try:
        return times.text(times.parse(value)) if value else None
    except (ValueError, AttributeError, TypeError):
        return value


def _list(value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return []
    if not isinstance(value, str):
        return value
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        items = None
    return items if isinstance(items, list) else [item.strip() for item in value.split(",") if item.strip()]


def _object(value: Any) -> Any:  # noqa: ANN401
    return None if value in ("", []) else value


_COERCERS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "date-time": _timestamp,
    "array": _list,
    "object": _object,
}
