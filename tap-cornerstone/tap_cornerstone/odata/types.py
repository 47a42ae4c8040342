"""Maps OData types to JSON Schema, and parses key values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import is_reserved

from tap_cornerstone.odata.descriptions import describe_columns
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
"""Other types may have any value and no schema type. Strings keep their whitespace."""

UNDESCRIBED_KEY: Json = {
    "type": ["string", "null"],
    "description": "Part of the row's key; the portal's metadata has no such column.",
}
DELETED: Json = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "Start of the run in which the portal reported the row as deleted, UTC.",
}
DELETED_AT = "_sdc_deleted_at"
INTEGERS = frozenset(name for name, schema in TYPES.items() if "integer" in schema["type"])
TIMESTAMP = "Edm.DateTimeOffset"


def schema_of(entity_set: EntitySet) -> Json:
    """Returns the JSON Schema of a view or object."""
    descriptions = describe_columns(entity_set)
    properties = {
        name: {**_column_schema(column), "description": descriptions[name]}
        for name, column in entity_set.columns.items()
        if not is_reserved(name)
    }
    for name in entity_set.key:
        column = {**UNDESCRIBED_KEY, **properties.get(name, {})}
        properties[name] = {**column, "type": [kind for kind in column["type"] if kind != "null"]}
    if entity_set.tracks_changes:
        properties[DELETED_AT] = DELETED
    return {"type": "object", "properties": properties}


def _column_schema(column: Column) -> Json:
    if column.type.startswith("Collection("):
        return {"type": ["array", "null"], "items": {}}
    schema = TYPES.get(column.type, {})
    if column.type == "Edm.Decimal" and column.scale:
        # Binary floating point cannot hold decimals exactly.
        return {**schema, "multipleOf": float(f"1e-{column.scale}")}
    return schema


def parse_literal(text: str, kind: str) -> Any:  # noqa: ANN401 - a key's value
    """Parses a value in the address of a row, for example the 5 in ``users_core(user_id=5)``.

    Raises:
        ValueError: If it is not of the type.
    """
    if kind in INTEGERS:
        return int(text)
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if text == "null":
        raise ValueError("a key is never null")
    return text
