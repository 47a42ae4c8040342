"""A stream's columns: their types, and the form in which their values wait in the spool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from target_duckdb import nested, types

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


class Form(Enum):
    """How a value is spooled."""

    INTEGER = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    #: A string as it is, anything else as its JSON text.
    TEXT = auto()
    #: A plain number in a string.
    DIGITS = auto()
    #: JSON text in a string, for strings too.
    JSON = auto()
    #: An object of the JSON text, and of the value in forms of these: of STRUCT and LIST columns.
    NATIVE = auto()
    #: Text of a column that was widened: what fits its first type has that type's text in DuckDB.
    WIDENED = auto()


#: The types with which DuckDB's JSON reader reads these forms without loss.
SPOOL_TYPES = {
    Form.INTEGER: "BIGINT",
    Form.NUMBER: "DOUBLE",
    Form.BOOLEAN: "BOOLEAN",
    Form.TEXT: "VARCHAR",
    Form.DIGITS: "VARCHAR",
    Form.JSON: "VARCHAR",
    Form.WIDENED: "VARCHAR",
}


#: Integers that DuckDB's JSON reader reads.
INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
#: Integers that it would pass through a double.
WIDE_INTEGERS = frozenset({"HUGEINT", "UBIGINT", "UHUGEINT"})


@dataclass(frozen=True)
class Column:
    """One property of a stream.

    Attributes:
        name: The property's name.
        type: The DuckDB type that its schema asks for, or a wider one that its values asked for.
        first: The type that its schema asks for, where its values asked for a wider one.
    """

    name: str
    type: str
    first: str | None = None

    @property
    def form(self) -> Form:
        """How its values are spooled."""
        if self.first and self.type == "VARCHAR":
            return Form.WIDENED
        if nested.is_nested(self.type):
            return Form.NATIVE
        if self.type in INTEGERS:
            return Form.INTEGER
        if self.type in WIDE_INTEGERS or types.decimal_parts(self.type):
            return Form.DIGITS
        return {
            "DOUBLE": Form.NUMBER,
            "BOOLEAN": Form.BOOLEAN,
            "JSON": Form.JSON,
        }.get(self.type, Form.TEXT)

    @property
    def spool_type(self) -> str:
        """The type with which DuckDB's JSON reader reads its spooled values without loss."""
        if self.form is Form.NATIVE:
            return f"STRUCT(t VARCHAR, v {_spool_type(nested.tree(self.type))})"
        return SPOOL_TYPES[self.form]

    def widened(self, new_type: str) -> Column:
        """The same column with another type."""
        return replace(self, type=new_type, first=self.first or self.type)


def _spool_type(tree: nested.Tree) -> str:
    if isinstance(tree, nested.Struct):
        fields = (f"f{place} {_spool_type(child)}" for place, (_, child) in enumerate(tree.fields))
        return f"STRUCT({', '.join(fields)})"
    return f"{_spool_type(tree.item)}[]" if isinstance(tree, nested.List) else Column("", tree).spool_type


def columns_of(schema: Mapping[str, Any], *, native: bool = False) -> tuple[Column, ...]:
    """The columns that a stream's schema asks for, in its order; the mark of deletion is none of them.

    Args:
        schema: The schema of a SCHEMA message.
        native: Whether nested values become STRUCT and LIST columns instead of JSON.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return ()
    return tuple(
        Column(name, types.column_type(value, dict(schema), native=native))
        for name, value in properties.items()
        if name != DELETED_AT
    )
