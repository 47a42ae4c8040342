"""Nested values for STRUCT and LIST columns: into a form of the spool that loses nothing, and out of it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from target_duckdb import fit, nested, types
from target_duckdb.columns import Column, Form
from target_duckdb.messages import fields_of, text_of
from target_duckdb.nested import List, Struct, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Exact = Mapping[Form, Callable[[str], Any]]

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_RANGES = {name: range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for name, bits in _BITS.items()} | {
    f"U{name}": range(2**bits) for name, bits in _BITS.items()
}
_WHOLE = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_INTEGER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
_PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in fit.PATTERNS.items()}
_LARGEST_OFFSET = timedelta(hours=15)  # DuckDB's; no place on Earth has more

_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NestedMisfitError(Exception):
    """A value that does not fit.

    Attributes:
        tree: The type that may hold it; None where only JSON does.
    """

    def __init__(self, tree: Tree | None) -> None:
        super().__init__("A nested value does not fit its column.")
        self.tree = tree


def reader(tree: Tree, exact: Exact) -> Callable[[str], Any]:
    """Makes what turns the JSON text of a nested value into its form in the spool.

    There, a field's name is `f` and its number, a field that is null is left out, and a scalar is in its own form.

    Args:
        tree: The type.
        exact: What turns JSON text into each form; a ValueError says that it cannot.

    Returns:
        A function that raises NestedMisfitError for what its type cannot hold as it is.
    """
    if isinstance(tree, Struct):
        return _struct_reader(tree, exact)
    return _list_reader(tree, exact) if isinstance(tree, List) else _leaf_reader(tree, exact)


def _struct_reader(tree: Struct, exact: Exact) -> Callable[[str], Any]:
    readers = {name: (place, reader(child, exact)) for place, (name, child) in enumerate(tree.fields)}

    def read(text: str) -> dict[str, Any]:
        if not text.startswith("{"):
            raise NestedMisfitError(None)
        values: dict[str, Any] = {}
        for name, raw in fields_of(msgspec.Raw(text.encode())).items():
            place, child = readers.get(name, (None, None))
            if place is None or child is None:
                raise NestedMisfitError(None)
            value = text_of(raw)
            if value == "null":
                continue
            try:
                values[f"f{place}"] = child(value)
            except NestedMisfitError as misfit:
                raise NestedMisfitError(None if misfit.tree is None else tree.replaced(place, misfit.tree)) from None
        return values

    return read


def _list_reader(tree: List, exact: Exact) -> Callable[[str], Any]:
    child = reader(tree.item, exact)

    def read(text: str) -> list[Any]:
        if not text.startswith("["):
            raise NestedMisfitError(None)
        items = [text_of(raw) for raw in _decode_items(text)]
        try:
            return [None if item == "null" else child(item) for item in items]
        except NestedMisfitError as misfit:
            raise NestedMisfitError(None if misfit.tree is None else List(misfit.tree)) from None

    return read


def _leaf_reader(type_: str, exact: Exact) -> Callable[[str], Any]:
    form = Column("", type_).form

    def read(text: str) -> Any:  # noqa: ANN401 - a value may be anything
        try:
            value = exact[form](text)
            if _fits(type_, value):
                return value
            if type_ in _TIMES and _fits(type_, plain := fit.plain_time(value, type_)):
                return plain
        except ValueError:
            pass
        whole = form is Form.INTEGER and _WHOLE.fullmatch(exact[Form.TEXT](text))
        raise NestedMisfitError("HUGEINT" if whole else "VARCHAR")

    return read


def _is_day(text: str) -> bool:
    return bool(date.fromisoformat(text[:10]))


def _is_clock(text: str) -> bool:
    return time.fromisoformat(text).tzinfo is None


def _is_instant(text: str) -> bool:
    offset = datetime.fromisoformat(text).utcoffset()
    return offset is None or abs(offset) <= _LARGEST_OFFSET


_TIMES = {"DATE": _is_day, "TIME": _is_clock, "TIMESTAMP": _is_instant, "TIMESTAMPTZ": _is_instant}


def _fits(type_: str, value: Any) -> bool:  # noqa: ANN401 - as above
    """Whether DuckDB makes a value of the type without loss. Python is stricter with dates, which loses nothing."""
    if type_ in {"DOUBLE", "BOOLEAN", "VARCHAR", "JSON"}:
        return True
    if type_ in _RANGES:
        match = _INTEGER.fullmatch(str(value))
        return match is not None and int(match[1]) in _RANGES[type_]
    decimal = types.decimal_parts(type_)
    if decimal:
        whole, _, part = str(value).lstrip("-").partition(".")
        known = _PLAIN.fullmatch(value) is not None
        return known and len(whole.lstrip("0")) <= decimal[0] and len(part.rstrip("0")) <= decimal[1]
    return type_ in _TIMES and _PATTERNS[type_].fullmatch(value) is not None and _TIMES[type_](value)


def value_sql(name: str, type_: str, target: str) -> str:
    """SQL for a spooled nested value as a value of its column's type, or as the JSON that came."""
    if target == "JSON":
        return fit.value_sql(f"struct_extract({name}, 't')", "JSON")
    value = _from_spool(f"struct_extract({name}, 'v')", nested.tree(type_), 0)
    return f"CAST({value} AS {type_})"


def _from_spool(expression: str, tree: Tree, depth: int) -> str:
    if isinstance(tree, Struct):
        values = {
            name: _from_spool(f"struct_extract({expression}, 'f{place}')", child, depth)
            for place, (name, child) in enumerate(tree.fields)
        }
        return nested.packed(expression, values)
    if isinstance(tree, List):
        item = tree.item
        return nested.each(expression, depth, lambda name: _from_spool(name, item, depth + 1))
    return fit.value_sql(expression, tree)
