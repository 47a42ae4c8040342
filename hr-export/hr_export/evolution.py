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
INTERCHANGEABLE = (
    (types.is_int32, types.is_int64),
    (types.is_floating,),
    (types.is_string, types.is_large_string),
    (types.is_binary, types.is_large_binary),
)
"""Groups of types. Iceberg widens the types of a group to the larger one, or does not tell them apart."""


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
        known, wanted = ({one.name: one.type for one in kind} for kind in (old, new))
        # A field that is gone would keep its former values.
        return wanted.keys() >= known.keys() and all(can_become(known[name], wanted[name]) for name in known)
    if is_list(old) and is_list(new):
        return can_become(old.value_type, new.value_type)
    if types.is_map(old) and types.is_map(new):
        return bool(old.key_type == new.key_type) and can_become(old.item_type, new.item_type)
    if types.is_decimal(old) and types.is_decimal(new):
        return bool(old.scale == new.scale)  # the precision can grow
    return bool(old == new) or any(
        all(any(is_kind(one) for is_kind in group) for one in (old, new)) for group in INTERCHANGEABLE
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list."""
    return bool(types.is_list(kind) or types.is_large_list(kind))
