"""What Iceberg allows of the types of columns."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types

IDENTIFIERS = {
    "BLOB",
    "BOOLEAN",
    "INTEGER",
    "BIGINT",
    "VARCHAR",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
}


def can_be_identifier(kind: str) -> bool:
    """Whether a column of a type of DuckDB can identify rows. Floating-point numbers and nested values cannot."""
    return kind in IDENTIFIERS or (kind.startswith("DECIMAL(") and not kind.endswith("]"))


def can_become(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether a column can hold values of another type, exactly, after the widening that Iceberg allows.

    Args:
        old: The type of the column in the Iceberg table.
        new: The type of the values.
    """
    if types.is_struct(old) and types.is_struct(new):
        known = {one.name: one.type for one in old}
        return all(can_become(known[one.name], one.type) for one in new if one.name in known)
    if is_list(old) and is_list(new):
        return can_become(old.value_type, new.value_type)
    if types.is_map(old) and types.is_map(new):
        return old.key_type == new.key_type and can_become(old.item_type, new.item_type)
    if types.is_decimal(old) and types.is_decimal(new):
        return bool(old.scale == new.scale)  # the precision can grow
    return any(is_kind(old) and is_kind(new) for is_kind in (is_whole, is_real, is_text, is_binary)) or old == new


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list."""
    return types.is_list(kind) or types.is_large_list(kind)


def is_whole(kind: pa.DataType) -> bool:
    """Whether a type is a whole number of 32 or 64 bits."""
    return types.is_int32(kind) or types.is_int64(kind)


def is_real(kind: pa.DataType) -> bool:
    """Whether a type is a floating-point number."""
    return types.is_floating(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return types.is_string(kind) or types.is_large_string(kind)


def is_binary(kind: pa.DataType) -> bool:
    """Whether a type is binary."""
    return types.is_binary(kind) or types.is_large_binary(kind)
