"""Personio's untidy values: numbers as text, dates in several forms, three forms of nothing."""

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
MOST_DIGITS = 18
BOOLEANS = {"true": True, "false": False}


def unwrapped(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """What v1 wraps in objects of type and attributes, or of label and value."""
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("attributes"), dict):
        beside = {name: item for name, item in value.items() if name not in {"type", "attributes"}}
        value = {**beside, **value["attributes"]}
    elif "label" in value and "value" in value:
        if value.keys() <= CELL:
            return unwrapped(value["value"])
        value = {name: item for name, item in value.items() if name not in CELL - {"value"}}
    return {name: unwrapped(item) for name, item in value.items()}


def member(value: Any, *names: str) -> Any:  # noqa: ANN401 - what the API sends
    """What stands in an object under a name, and in that under the next; None where there is no such object."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def as_list(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """A list that has no items, or gaps between them, which PHP writes as an object; others as they are."""
    return list(value.values()) if isinstance(value, dict) and all(map(str.isdecimal, value)) else value


def without_nulls(items: Any) -> tuple[list[Any], int]:  # noqa: ANN401 - what the API sends
    """The items of a list, and how many beside them are null: a record that the vendor could not give."""
    given = [item for item in items if item is not None] if isinstance(items, list) else []
    return given, len(items) - len(given) if isinstance(items, list) else 0


def count(value: Any) -> int | None:  # noqa: ANN401 - what the API sends
    """A count, which may be sent as text; None where it is none."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def straightener(definition: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What brings the values of a property to the one form of its JSON Schema; others are left as they are."""
    kinds = definition.get("type") or ()
    kind = kinds if isinstance(kinds, str) else next((name for name in kinds if name != "null"), "")
    return _STRAIGHTENERS.get(definition.get("format", kind), _STRAIGHTENERS.get(kind, _as_it_is))


def _as_it_is(value: Any) -> Any:  # noqa: ANN401
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
    # A midnight stands for its day, whatever its zone; a time of day is kept.
    if value in ("", []):
        return None
    day = DATE.fullmatch(value) if isinstance(value, str) else None
    return day.group(1) if day else value


def _moment(value: Any) -> Any:  # noqa: ANN401
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


_STRAIGHTENERS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "date-time": _moment,
    "array": _list,
    "object": _object,
}
