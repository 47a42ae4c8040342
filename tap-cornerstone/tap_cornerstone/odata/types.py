"""OData's types in a stream's schema, and values as the schema says."""

from __future__ import annotations

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
MOMENT = "Edm.DateTimeOffset"


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
    return text
