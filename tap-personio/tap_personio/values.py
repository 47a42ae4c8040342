"""Unwraps and normalizes the values of Personio's v1 API: wrapped objects, lists as text, several forms of null."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CELL = {"label", "value", "type", "universal_id"}
BOOLEANS = frozenset({"true", "false"})


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


def as_list(value: Any) -> Any:  # noqa: ANN401 - what the API sends
    """Converts an object with numeric keys to a list: PHP writes empty lists and those with gaps so."""
    return list(value.values()) if isinstance(value, dict) and all(map(str.isdecimal, value)) else value


def normalizer(definition: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Returns what brings the forms of a value that only v1 has to those that `singer_rest` converts."""
    kinds = definition.get("type") or ()
    kind = kinds if isinstance(kinds, str) else next((name for name in kinds if name != "null"), "")
    return _NORMALIZERS.get(kind, _without_empty)


def _unchanged(value: Any) -> Any:  # noqa: ANN401
    return value


def _without_empty(value: Any) -> Any:  # noqa: ANN401
    return None if value in ("", []) else value


def _boolean(value: Any) -> Any:  # noqa: ANN401
    word = value.strip(" ,") if isinstance(value, str) else ""
    return word if word.lower() in BOOLEANS else _without_empty(value)


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


_NORMALIZERS: dict[str, Callable[[Any], Any]] = {"": _unchanged, "boolean": _boolean, "array": _list}
