"""Columns of a stream: their types and the formats in which their values are spooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from target_duckdb import nested_types, types

if TYPE_CHECKING:
    from collections.abc import Mapping

DELETED_AT = "_sdc_deleted_at"
TABLE_VERSION = "_sdc_table_version"
#: Columns that the target fills itself when `add_metadata_columns` is on, named as the SDK's SQL targets name them.
METADATA_TYPES = {
    "_sdc_extracted_at": "TIMESTAMPTZ",
    "_sdc_received_at": "TIMESTAMPTZ",
    "_sdc_batched_at": "TIMESTAMPTZ",
    "_sdc_sequence": "BIGINT",
    TABLE_VERSION: "BIGINT",
    DELETED_AT: "TIMESTAMPTZ",
}
METADATA_DESCRIPTIONS = {
    "_sdc_extracted_at": "When the tap read the record.",
    "_sdc_received_at": "When the loader received the record.",
    "_sdc_batched_at": "When the batch of the record was committed.",
    "_sdc_sequence": "When the loader received the record, in milliseconds since 1970.",
    TABLE_VERSION: "The version of the row: the full read that sent it last.",
    DELETED_AT: "When the row was found deleted at the source. Empty if it is live.",
}


class SpoolFormat(Enum):
    """The format in which a value is spooled."""

    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    #: The content of a string, the JSON text of any other value.
    TEXT = auto()
    #: A number without exponent, in a string.
    DECIMAL_TEXT = auto()
    #: JSON text in a string.
    JSON = auto()
    #: An object with the JSON text and the parsed value, for STRUCT and LIST columns.
    NATIVE = auto()
    #: Text in a widened column: values of the declared type have the text that DuckDB converts them to.
    WIDENED = auto()


#: The DuckDB types as which the JSON reader can read these formats without loss.
SPOOL_TYPES = {
    SpoolFormat.INTEGER: "BIGINT",
    SpoolFormat.NUMBER: "DOUBLE",
    SpoolFormat.BOOLEAN: "BOOLEAN",
    SpoolFormat.TEXT: "VARCHAR",
    SpoolFormat.DECIMAL_TEXT: "VARCHAR",
    SpoolFormat.JSON: "VARCHAR",
    SpoolFormat.WIDENED: "VARCHAR",
}


#: Integer types that DuckDB's JSON reader reads exactly.
INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
#: Integer types whose values DuckDB's JSON reader would read as doubles.
WIDE_INTEGERS = frozenset({"HUGEINT", "UBIGINT", "UHUGEINT"})


@dataclass(frozen=True)
class Column:
    """One property of a stream.

    Attributes:
        name: The property's name.
        type: The DuckDB type declared by the schema, or a wider one that the values need.
        declared_type: The type declared by the schema if `type` is wider.
    """

    name: str
    type: str
    declared_type: str | None = None

    @property
    def spool_format(self) -> SpoolFormat:
        """The format in which its values are spooled."""
        if self.declared_type and self.type == "VARCHAR":
            return SpoolFormat.WIDENED
        if nested_types.is_nested(self.type):
            return SpoolFormat.NATIVE
        if self.type in INTEGERS:
            return SpoolFormat.INTEGER
        if self.type in WIDE_INTEGERS or types.decimal_parts(self.type):
            return SpoolFormat.DECIMAL_TEXT
        return {
            "DOUBLE": SpoolFormat.NUMBER,
            "BOOLEAN": SpoolFormat.BOOLEAN,
            "JSON": SpoolFormat.JSON,
        }.get(self.type, SpoolFormat.TEXT)

    @property
    def spool_type(self) -> str:
        """The DuckDB type as which the JSON reader can read this column's values without loss."""
        if self.spool_format is SpoolFormat.NATIVE:
            return f"STRUCT(t VARCHAR, v {_spool_type(nested_types.parse_type(self.type))})"
        return SPOOL_TYPES[self.spool_format]

    def widen(self, new_type: str) -> Column:
        """Returns the column with a wider type."""
        return replace(self, type=new_type, declared_type=self.declared_type or self.type)


def _spool_type(tree: nested_types.Tree) -> str:
    if isinstance(tree, nested_types.Struct):
        fields = (f"f{place} {_spool_type(child)}" for place, (_, child) in enumerate(tree.fields))
        return f"STRUCT({', '.join(fields)})"
    return f"{_spool_type(tree.item)}[]" if isinstance(tree, nested_types.List) else Column("", tree).spool_type


def schema_columns(schema: Mapping[str, Any], *, native: bool = False) -> tuple[Column, ...]:
    """Returns the columns of a schema in order, except `_sdc_deleted_at`.

    Args:
        schema: The schema of a SCHEMA message.
        native: Whether nested values become STRUCT and LIST instead of JSON.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return ()
    return tuple(
        Column(name, types.column_type(value, dict(schema), native=native))
        for name, value in properties.items()
        if name != DELETED_AT
    )


def find_descriptions(schema: Mapping[str, Any]) -> dict[str | None, str | None]:
    """Returns a schema's description of each property, and of the stream under the name None."""
    properties = schema.get("properties")
    parts = {None: schema, **(properties if isinstance(properties, dict) else {})}
    return {
        name: _clean_description(part.get("description")) if isinstance(part, dict) else None
        for name, part in parts.items()
    }


def _clean_description(value: Any) -> str | None:  # noqa: ANN401 - a schema may be anything
    """Returns a description as DuckDB can store it."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", " ").strip().encode("utf-8", "backslashreplace").decode() or None
