"""Maps JSON Schema to DuckDB types and widens types. Does not access the database."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Any

import duckdb

from target_duckdb import nested_types

BIGINT_MAX = 2**63 - 1
HUGEINT_MAX = 2**127 - 1
MAX_DIGITS = 38
_MAX_EXACT_INTEGER = 2**53
#: The scale of decimals whose schema has none. A batch that needs more digits widens it.
DEFAULT_SCALE = 10

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 39}
_FLOATS = ("FLOAT", "DOUBLE")
#: Types that a schema may name. For each there is a check that finds every value that it cannot hold exactly.
_LOSSLESS = {
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("DOUBLE", "BOOLEAN", "VARCHAR", "JSON", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"),
    *("TIMESTAMP_NS", "TIMESTAMPTZ_NS"),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\(\d+(,\s*\d+)?\))?")
_STRING_FORMATS = {"date-time": "TIMESTAMPTZ", "date": "DATE", "time": "TIME"}
#: Names that DuckDB prints -> names used here.
LONG_NAMES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}


def column_type(schema: Any, root: dict[str, Any] | None = None, *, native: bool = False) -> str:  # noqa: ANN401 - a schema may be anything
    """Returns the DuckDB type that holds the values of a JSON Schema.

    Args:
        schema: The schema of a property. An invalid schema allows any value.
        root: The whole schema, for local `$ref`s.
        native: Whether objects with `properties` and arrays with `items` are STRUCT and LIST.

    Returns:
        A DuckDB type, JSON for objects, arrays and any value.
    """
    return _column_type(schema, _Scope(root or {}, native))


@dataclass(frozen=True)
class _Scope:
    root: dict[str, Any]
    native: bool
    seen: frozenset[str] = frozenset()


def _column_type(schema: Any, scope: _Scope) -> str:  # noqa: ANN401 - as above
    allowed = _allowed_types(schema, scope)
    if allowed is None:
        return "JSON"
    if all(is_text for _, is_text in allowed):
        # With and without a format, the format's type wins. Text that does not fit widens the column later.
        allowed = [part for part in allowed if part[0] != "VARCHAR"] or allowed
    return reduce(common_type, (name for name, _ in allowed)) if allowed else "VARCHAR"


def _allowed_types(schema: Any, scope: _Scope) -> list[tuple[str, bool]] | None:  # noqa: ANN401 - as above
    """Returns the types that a schema or its alternatives allow, and whether each is a JSON string.

    None if the schema has no type, as in many parts of an `allOf`. Empty if it allows only null.
    """
    if not isinstance(schema, dict):
        return None
    named = known_type(schema.get("x-sql-datatype"))
    if named:
        return [(named, False)]
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in scope.seen:
        return _allowed_types(_resolve_reference(reference, scope.root), replace(scope, seen=scope.seen | {reference}))
    types = schema.get("type", _types_of_values(schema))
    parts = [(part, _allowed_types(part, scope)) for part in _list_alternatives(schema)]
    # Keywords of parts without a type, such as a format, apply to the parts with a type.
    untyped = [part for part, allowed in parts if allowed is None and isinstance(part, dict)]
    hints = {key: value for part in untyped for key, value in part.items()}
    if types is None:
        typed = [(part, allowed) for part, allowed in parts if allowed is not None]
        found = [(_allowed_types({**hints, **part}, scope) if hints else allowed) or [] for part, allowed in typed]
        return [list_sql for allowed in found for list_sql in allowed] or None
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    return [(_type_named(name, {**hints, **schema}, scope), name == "string") for name in names]


def _list_alternatives(schema: dict[str, Any]) -> list[Any]:
    found = [schema.get(keyword) for keyword in ("anyOf", "oneOf", "allOf")]
    return [part for parts in found if isinstance(parts, list) for part in parts]


def _type_named(name: Any, schema: dict[str, Any], scope: _Scope) -> str:  # noqa: ANN401 - a schema may be anything
    properties, items = schema.get("properties"), schema.get("items")
    if scope.native and name == "object" and isinstance(properties, dict):
        fields = {key: _column_type(value, scope) for key, value in properties.items()}
        return nested_types.struct_name(fields) or "JSON"
    if scope.native and name == "array" and isinstance(items, dict) and items:
        return nested_types.type_name(nested_types.List(nested_types.parse_type(_column_type(items, scope))))
    return _scalar_type(name, schema)


def _scalar_type(name: Any, schema: dict[str, Any]) -> str:  # noqa: ANN401 - a schema may be anything
    if name == "string":
        text_format = str(schema.get("format"))
        if text_format in {"singer.decimal", "x-singer.decimal"}:
            return _decimal_type(schema)
        return _STRING_FORMATS.get(text_format, "VARCHAR")
    if name == "integer":
        return _integer_type(schema)
    if name == "number":
        return _decimal_type(schema) if _is_positive(schema.get("multipleOf")) else "DOUBLE"
    if name == "boolean":
        return "BOOLEAN"
    return "JSON"


def _integer_type(schema: dict[str, Any]) -> str:
    bounds = [
        abs(bound)
        for keyword in ("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum")
        if isinstance(bound := schema.get(keyword), (int, float)) and not isinstance(bound, bool)
    ]
    largest = max(bounds, default=0)
    if largest <= BIGINT_MAX + 1:  # the smallest BIGINT is -BIGINT_MAX - 1
        return "BIGINT"
    return "HUGEINT" if largest <= HUGEINT_MAX + 1 else "VARCHAR"


def _decimal_type(schema: dict[str, Any]) -> str:
    step = schema.get("multipleOf")
    scale = schema.get("scale")
    if _is_positive(step):
        exponent = Decimal(str(step)).normalize().as_tuple().exponent
        scale = max(0, -exponent) if isinstance(exponent, int) else DEFAULT_SCALE
    if not isinstance(scale, int) or isinstance(scale, bool) or not 0 <= scale <= MAX_DIGITS:
        scale = DEFAULT_SCALE
    return widest_decimal(scale)


def _is_positive(value: Any) -> bool:  # noqa: ANN401 - a schema may be anything
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _types_of_values(schema: dict[str, Any]) -> list[str] | None:
    """Infers the type from `const` and `enum` if `type` is missing."""
    values = schema.get("enum") if isinstance(schema.get("enum"), list) else None
    if "const" in schema:
        values = [schema["const"]]
    if not values:
        return None
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return sorted({names.get(type(value), "object") for value in values})


def _resolve_reference(reference: str, root: dict[str, Any]) -> Any:  # noqa: ANN401 - a schema may be anything
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def known_type(name: Any) -> str | None:  # noqa: ANN401 - a schema may be anything
    """Returns DuckDB's name of a type, None if the type is unknown or may lose data unnoticed."""
    if not isinstance(name, str) or not _TYPE_NAME.fullmatch(name):
        return None
    found = _duckdb_name(name)
    return found if found in _LOSSLESS or decimal_parts(found) else None


@lru_cache(maxsize=1000)
def _duckdb_name(name: str) -> str:
    try:
        with duckdb.connect() as connection:
            found = str(connection.sql(f"SELECT CAST(NULL AS {name}) AS value").types[0])
    except duckdb.Error:
        return ""
    return LONG_NAMES.get(found, found)


def has_unsupported_type(schema: Any) -> bool:  # noqa: ANN401 - a schema may be anything
    """Whether a property's schema names a type that is not supported."""
    if not isinstance(schema, dict):
        return False
    name = schema.get("x-sql-datatype")
    return (name is not None and known_type(name) is None) or any(map(has_unsupported_type, _list_alternatives(schema)))


def widest_decimal(scale: int) -> str:
    """Returns the widest DECIMAL with a scale."""
    return f"DECIMAL({MAX_DIGITS},{scale})"


def decimal_parts(name: str) -> tuple[int, int] | None:
    """Returns the numbers of integer and fractional digits of a DECIMAL, None for any other type."""
    match = _DECIMAL.fullmatch(name)
    return (int(match[1]) - int(match[2]), int(match[2])) if match else None


def common_type(one: str, other: str) -> str:
    """Returns the type that holds the values of two types. VARCHAR holds all scalars, JSON all values.

    DOUBLE for integers, and DECIMAL, may be too narrow for some values, which `lossy_sql` finds.
    """
    if one == other:
        return one
    if nested_types.is_nested(one) or nested_types.is_nested(other):
        return nested_types.common_type(one, other, _lossless_common_type)
    pair = {one, other}
    if "JSON" in pair:
        return "JSON"
    for order in (_INTEGERS, _FLOATS, ("DATE", "TIMESTAMP"), ("DATE", "TIMESTAMPTZ")):
        if pair <= set(order):
            return max(one, other, key=order.index)
    if "DOUBLE" in pair and pair & set(_INTEGERS):
        return "DOUBLE"
    return _common_decimal_type(one, other)


def _lossless_common_type(one: str, other: str) -> str:
    """Returns the type that holds all values of two scalar types, because values inside lists are not checked."""
    wide = common_type(one, other)
    unsure = one != other and (lossy_sql("", one, wide) or lossy_sql("", other, wide))
    return "VARCHAR" if unsure else wide


def _common_decimal_type(one: str, other: str) -> str:
    parts = [
        decimal_parts(name) or ((_INTEGER_DIGITS[name], 0) if name in _INTEGERS else None) for name in (one, other)
    ]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return "VARCHAR"
    whole, scale = max(part[0] for part in known), max(part[1] for part in known)
    return f"DECIMAL({min(whole + scale, MAX_DIGITS)},{scale})"


def lossy_sql(expression: str, source: str, target: str) -> str | None:
    """Returns SQL for whether the wider type cannot hold a value exactly, None if it holds all values."""
    if target == "DOUBLE" and source in _INTEGERS:
        return f"{expression} NOT BETWEEN -{_MAX_EXACT_INTEGER} AND {_MAX_EXACT_INTEGER}"
    if decimal_parts(target) and source != target:
        return f"{expression} IS NOT NULL AND TRY_CAST({expression} AS {target}) IS NULL"
    return None


def convert_sql(expression: str, source: str, target: str) -> str:
    """Returns SQL that converts a value to a wider type."""
    if source == target:
        return expression
    if nested_types.is_nested(source):
        return nested_types.convert_sql(
            expression, nested_types.parse_type(source), nested_types.parse_type(target), convert_sql
        )
    return _convert_scalar_sql(expression, source, target)


def _convert_scalar_sql(expression: str, source: str, target: str) -> str:
    if target in {"VARCHAR", "JSON"} and decimal_parts(source):
        text = rf"regexp_replace(CAST({expression} AS VARCHAR), '^(-?)\.', '\10.')"  # DuckDB may omit the zero
        return trim_zeros_sql(text) if target == "VARCHAR" else f"CAST({text} AS JSON)"
    if target == "VARCHAR" and source in _FLOATS:  # whole numbers without a decimal point
        whole = f"trunc({expression}) = {expression} AND abs({expression}) <= {_MAX_EXACT_INTEGER}"
        signed = f"{expression} = 0 AND signbit({expression})"
        integer = f"CAST(TRY_CAST({expression} AS BIGINT) AS VARCHAR)"
        return f"CASE WHEN {whole} AND NOT ({signed}) THEN {integer} ELSE CAST({expression} AS VARCHAR) END"
    if target != "JSON":
        return f"CAST({expression} AS {target})"
    if source in _FLOATS:  # JSON has no NaN and no infinity
        text = f"to_json(CAST({expression} AS VARCHAR))"
        return f"CASE WHEN isfinite({expression}) THEN to_json({expression}) ELSE {text} END"
    return f"to_json({expression})"


def trim_zeros_sql(text: str) -> str:
    """Returns SQL that removes trailing zeros from the text of a decimal, because its scale may grow."""
    short = f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    return f"CASE WHEN {short} = '-0' THEN '0' ELSE {short} END"
