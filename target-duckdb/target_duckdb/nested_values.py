"""Converts nested values to and from their lossless spool format, for STRUCT and LIST columns."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from target_duckdb import nested_types, type_fit, types
from target_duckdb.columns import Column, SpoolFormat
from target_duckdb.messages import json_text, raw_fields
from target_duckdb.nested_types import List, Struct, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parsers = Mapping[SpoolFormat, Callable[[str], Any]]

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_RANGES = {name: range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for name, bits in _BITS.items()} | {
    f"U{name}": range(2**bits) for name, bits in _BITS.items()
}
_INTEGER = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_INTEGRAL = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in type_fit.PATTERNS.items()}
_MAX_UTC_OFFSET = timedelta(hours=15)  # that DuckDB accepts

_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NestedTypeTooNarrowError(Exception):
    """A nested value does not fit the type of its column.

    Attributes:
        tree: The type that may hold it, None if only JSON does.
    """

    def __init__(self, tree: Tree | None) -> None:
        super().__init__("A nested value does not fit the type of its column.")
        self.tree = tree


def make_parser(tree: Tree, parsers: Parsers) -> Callable[[str], Any]:
    """Creates a function that converts the JSON text of a nested value to its spool format.

    In this format, fields are named `f<n>`, null fields are left out, and scalars are in their own spool formats.

    Args:
        tree: The type.
        parsers: Convert JSON text to each spool format, or raise ValueError.

    Returns:
        A function that raises NestedTypeTooNarrowError if the type cannot hold the value exactly.
    """
    if isinstance(tree, Struct):
        return _make_struct_parser(tree, parsers)
    return _make_list_parser(tree, parsers) if isinstance(tree, List) else _make_scalar_parser(tree, parsers)


def _make_struct_parser(tree: Struct, parsers: Parsers) -> Callable[[str], Any]:
    field_parsers = {
        name: (position, make_parser(child, parsers)) for position, (name, child) in enumerate(tree.fields)
    }

    def parse(text: str) -> dict[str, Any]:
        if not text.startswith("{"):
            raise NestedTypeTooNarrowError(None)
        values: dict[str, Any] = {}
        for name, raw in raw_fields(msgspec.Raw(text.encode())).items():
            position, child = field_parsers.get(name, (None, None))
            if position is None or child is None:
                raise NestedTypeTooNarrowError(None)
            value = json_text(raw)
            if value == "null":
                continue
            try:
                values[f"f{position}"] = child(value)
            except NestedTypeTooNarrowError as error:
                raise NestedTypeTooNarrowError(
                    None if error.tree is None else tree.replace_field(position, error.tree)
                ) from None
        return values

    return parse


def _make_list_parser(tree: List, parsers: Parsers) -> Callable[[str], Any]:
    child = make_parser(tree.item, parsers)

    def parse(text: str) -> list[Any]:
        if not text.startswith("["):
            raise NestedTypeTooNarrowError(None)
        items = [json_text(raw) for raw in _decode_items(text)]
        try:
            return [None if item == "null" else child(item) for item in items]
        except NestedTypeTooNarrowError as error:
            raise NestedTypeTooNarrowError(None if error.tree is None else List(error.tree)) from None

    return parse


def _make_scalar_parser(type_: str, parsers: Parsers) -> Callable[[str], Any]:
    spool_format = Column("", type_).spool_format

    def parse(text: str) -> Any:  # noqa: ANN401 - a value may be anything
        try:
            value = parsers[spool_format](text)
            if _fits_type(type_, value):
                return value
            if type_ in _TIME_CHECKS and _fits_type(type_, normalized := type_fit.normalize_time(value, type_)):
                return normalized
        except ValueError:
            pass
        integral = spool_format is SpoolFormat.INTEGER and _INTEGER.fullmatch(parsers[SpoolFormat.TEXT](text))
        raise NestedTypeTooNarrowError("HUGEINT" if integral else "VARCHAR")

    return parse


def _is_date(text: str) -> bool:
    return bool(date.fromisoformat(text[:10]))


def _is_time(text: str) -> bool:
    return time.fromisoformat(text).tzinfo is None


def _is_timestamp(text: str) -> bool:
    offset = datetime.fromisoformat(text).utcoffset()
    return offset is None or abs(offset) <= _MAX_UTC_OFFSET


_TIME_CHECKS = {"DATE": _is_date, "TIME": _is_time, "TIMESTAMP": _is_timestamp, "TIMESTAMPTZ": _is_timestamp}


def _fits_type(type_: str, value: Any) -> bool:  # noqa: ANN401 - as above
    """Whether DuckDB converts a value to the type without loss. Python's stricter check of dates is safe."""
    if type_ in {"DOUBLE", "BOOLEAN", "VARCHAR", "JSON"}:
        return True
    if type_ in _RANGES:
        match = _INTEGRAL.fullmatch(str(value))
        return match is not None and int(match[1]) in _RANGES[type_]
    decimal = types.decimal_parts(type_)
    if decimal:
        integral, _, part = str(value).lstrip("-").partition(".")
        known = _DECIMAL.fullmatch(value) is not None
        return known and len(integral.lstrip("0")) <= decimal[0] and len(part.rstrip("0")) <= decimal[1]
    return type_ in _TIME_CHECKS and _PATTERNS[type_].fullmatch(value) is not None and _TIME_CHECKS[type_](value)


def value_sql(name: str, type_: str, target: str) -> str:
    """Returns SQL that converts a spooled nested value to its column's type, or to its original JSON text."""
    if target == "JSON":
        return type_fit.value_sql(f"struct_extract({name}, 't')", "JSON")
    value = _from_spool_sql(f"struct_extract({name}, 'v')", nested_types.parse_type(type_), 0)
    return f"CAST({value} AS {type_})"


def _from_spool_sql(expression: str, tree: Tree, depth: int) -> str:
    if isinstance(tree, Struct):
        values = {
            name: _from_spool_sql(f"struct_extract({expression}, 'f{position}')", child, depth)
            for position, (name, child) in enumerate(tree.fields)
        }
        return nested_types.struct_sql(expression, values)
    if isinstance(tree, List):
        item = tree.item
        return nested_types.list_sql(expression, depth, lambda name: _from_spool_sql(name, item, depth + 1))
    return type_fit.value_sql(expression, tree)
