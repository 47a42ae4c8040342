"""The types of msgspec that accept only values that a schema's coercer would leave as they are.

Whole pages are checked against them at once, in C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Optional

import msgspec
from msgspec import UNSET, UnsetType

from singer_rest.singer.coercion import TIMES, types_of
from singer_rest.singer.scalars import LARGEST, SMALLEST

Schema = Mapping[str, Any]

INTEGER = Annotated[int, msgspec.Meta(ge=SMALLEST, le=LARGEST)]
NUMBER = INTEGER | Decimal
"""Also accepts Decimals that no column can hold. Those are compared with `MAX_NUMBER`."""
MAX_NUMBER = Decimal("1e308")
SCALARS: dict[str, Any] = {"integer": INTEGER, "number": NUMBER, "boolean": bool}
FLAT = dict[str, str | int | bool | None]
"""Objects without inner ones, and without fractions: msgspec has no type of both texts and Decimals."""
NON_TEXT_TYPES = (Decimal,)
"""Types of values that are not made from text."""


def row_type(schema: Schema, is_public: Callable[[str], bool]) -> Any:  # noqa: ANN401 - a type or an alias of one
    """Returns the type of the values of a schema that need no coercion, without null. None: each has to be coerced.

    Args:
        schema: The schema of a column or of a part of one.
        is_public: Whether a field of this name may be emitted.
    """
    kinds = [kind for kind in types_of(schema) if kind != "null"]
    if "string" in kinds and schema.get("format") not in TIMES:
        return str
    if len(kinds) != 1:
        return None
    kind = kinds[0]
    if kind == "string":
        return date if schema["format"] == "date" else None
    if kind == "object":
        return _object_type(schema.get("properties") or {}, is_public)
    if kind == "array":
        return _array_type(schema.get("items"), is_public)
    return SCALARS.get(kind)


def make_struct(name: str, types: Mapping[str, Any]) -> type:
    """Returns a make_struct of fields that may be null or missing. It accepts no other fields."""
    # The fields have other names than the members: a member may be called `class` or `first name`.
    names = {f"field_{place}": member for place, member in enumerate(types)}
    fields = [(field, types[member] | None | UnsetType, UNSET) for field, member in names.items()]
    return msgspec.defstruct(name, fields, rename=names, forbid_unknown_fields=True, gc=False)


def list_of(kind: Any) -> Any:  # noqa: ANN401 - a type
    """Returns the type of a list of values of a type, or null."""
    return list[Optional[kind]]  # noqa: UP045 - the kind is no type to mypy


def is_free_object(schema: Schema) -> bool:
    """Whether a schema is that of an object with any members."""
    return [kind for kind in types_of(schema) if kind != "null"] == ["object"] and not schema.get("properties")


def _object_type(properties: Mapping[str, Schema], is_public: Callable[[str], bool]) -> Any:  # noqa: ANN401
    # Without properties, the names in it have to be looked at.
    if not properties or not all(map(is_public, properties)):
        return None
    types = {name: row_type(part, is_public) for name, part in properties.items()}
    return None if None in types.values() or NUMBER in types.values() else make_struct("Part", types)


def _array_type(items: Any, is_public: Callable[[str], bool]) -> Any:  # noqa: ANN401
    inner = row_type(items, is_public) if isinstance(items, dict) else None
    return None if inner is None or inner == NUMBER else list_of(inner)
