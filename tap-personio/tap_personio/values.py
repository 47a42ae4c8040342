"""Unwraps and normalizes the values of Personio's v1 API: wrapped objects, lists as text, several forms of null."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CELL = {"label", "value", "type", "universal_id"}
CONTAINERS = frozenset({dict, list})
BOOLEANS = frozenset({"true", "false"})


def unwrap_value(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Unwraps v1's objects of type and attributes, or of label and value."""
    if isinstance(value, list):
        return [unwrap_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {**value}
    attributes = value.get("attributes")
    if isinstance(attributes, dict):
        del found["attributes"]
        found.pop("type", None)
        found.update(attributes)
    elif "label" in value and "value" in value:
        if value.keys() <= CELL:
            return unwrap_value(value["value"])
        found = {name: item for name, item in value.items() if name not in CELL - {"value"}}
    for name, item in found.items():
        if item.__class__ in CONTAINERS:
            found[name] = unwrap_value(item)
    return found


def as_list(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Converts an object with numeric keys to a list, because PHP writes empty lists and lists with gaps as objects."""
    return list(value.values()) if isinstance(value, dict) and all(map(str.isdecimal, value)) else value


def make_normalizer(definition: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Returns a function that converts the forms of a value that only v1 uses to forms that `singer_rest` converts."""
    kinds = definition.get("type") or ()
    kind = kinds if isinstance(kinds, str) else next((name for name in kinds if name != "null"), "")
    return _NORMALIZERS.get(kind, without_empty)


def _keep_value(value: Any) -> Any:  # noqa: ANN401
    return value


def without_empty(value: Any) -> Any:  # noqa: ANN401
    """Returns a value, or None if it is one that the API sends for none."""
    return None if value in ("", []) else value


def _normalize_boolean(value: Any) -> Any:  # noqa: ANN401
    word = value.strip(" ,") if isinstance(value, str) else ""
    return word if word.lower() in BOOLEANS else without_empty(value)


def _normalize_list(value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return []
    if not isinstance(value, str):
        return value
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        items = None
    return items if isinstance(items, list) else [item.strip() for item in value.split(",") if item.strip()]


NORMAL: dict[Callable[[Any], Any], type] = {_normalize_boolean: bool, _normalize_list: list}
"""Types of values that these normalizers leave as they are."""
_NORMALIZERS: dict[str, Callable[[Any], Any]] = {
    "": _keep_value,
    "boolean": _normalize_boolean,
    "array": _normalize_list,
}
