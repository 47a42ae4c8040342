"""OData's types in a stream's schema, and values as the schema says."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest import is_reserved

from tap_cornerstone.odata.metadata import OBJECT

if TYPE_CHECKING:
    from tap_cornerstone.odata.metadata import Column, EntitySet

Json = dict[str, Any]

TEXTS = ("Edm.String", "Edm.Guid", "Edm.TimeOfDay", "Edm.Duration", "Edm.Binary")
TYPES: dict[str, Json] = {
    "Edm.Boolean": {"type": ["boolean", "null"]},
    "Edm.Byte": {"type": ["integer", "null"]},
    "Edm.SByte": {"type": ["integer", "null"]},
    "Edm.Int16": {"type": ["integer", "null"]},
    "Edm.Int32": {"type": ["integer", "null"]},
    "Edm.Int64": {"type": ["integer", "null"]},
    "Edm.Decimal": {"type": ["number", "null"]},
    "Edm.Double": {"type": ["number", "null"]},
    "Edm.Single": {"type": ["number", "null"]},
    "Edm.DateTimeOffset": {"type": ["string", "null"], "format": "date-time"},
    "Edm.Date": {"type": ["string", "null"], "format": "date"},
    **{name: {"type": ["string", "null"]} for name in TEXTS},
    OBJECT: {"type": ["object", "null"]},
}
"""All others have no type, for their values may be anything; strings keep their blanks."""

TEXT: Json = {"type": ["string", "null"]}
DELETED: Json = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the portal told that the row is gone.",
}
DELETED_AT = "_sdc_deleted_at"
INTEGERS = frozenset(name for name, schema in TYPES.items() if "integer" in schema["type"])
NUMBERS = frozenset({"Edm.Decimal", "Edm.Double", "Edm.Single"})
MOMENT = "Edm.DateTimeOffset"
FRACTION = re.compile(r"([^.]*\.\d{6})\d+")
DIGITS = re.compile(r"-?\d+")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def schema_of(entity_set: EntitySet) -> Json:
    """The JSON Schema of a view or object."""
    properties = {name: _column(column) for name, column in entity_set.columns.items() if not is_reserved(name)}
    for name in entity_set.key:
        column = properties.get(name) or TEXT
        properties[name] = {**column, "type": [kind for kind in column["type"] if kind != "null"]}
    if entity_set.tracks_changes:
        properties[DELETED_AT] = DELETED
    return {"type": "object", "properties": properties}


def _column(column: Column) -> Json:
    if column.type.startswith("Collection("):
        return {"type": ["array", "null"], "items": {}}
    schema = TYPES.get(column.type, {})
    if column.type == "Edm.Decimal" and column.scale:
        # Binary numbers do not hold decimals exactly.
        return {**schema, "multipleOf": float(f"1e-{column.scale}")}
    return schema


def straightened(value: Any, kind: str) -> Any:  # noqa: ANN401 - whatever the portal sent
    """A value in its type's one form: some integers come as text, moments with more digits than others can hold."""
    if not isinstance(value, str):
        return value
    if kind == MOMENT:
        return _microseconds(value)
    if kind in INTEGERS and DIGITS.fullmatch(value):
        return int(value)
    if kind in NUMBERS and NUMBER.fullmatch(value):
        return Decimal(value)
    return value


def _microseconds(value: str) -> str:
    """A moment with at most six digits behind the second; the seventh, a tenth of a microsecond, fits nowhere."""
    found = FRACTION.match(value)
    return value[: found.end(1)] + value[found.end() :] if found else value


def literal(text: str, kind: str) -> Any:  # noqa: ANN401 - a key's value
    """A value as it stands in the address of a row, such as the 5 in ``users_core(user_id=5)``.

    Raises:
        ValueError: If it cannot be one of its type.
    """
    if kind in INTEGERS:
        return int(text)
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if text == "null":
        raise ValueError("no key is null")
    return {"true": True, "false": False}.get(text, text) if kind == "Edm.Boolean" else straightened(text, kind)
