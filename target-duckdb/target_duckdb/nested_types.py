"""Nested DuckDB types (STRUCT and LIST): their common type, and SQL that converts between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG_NAMES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}


@dataclass(frozen=True)
class Struct:
    """A STRUCT with the names and types of its fields."""

    fields: tuple[tuple[str, Tree], ...]

    def replace_field(self, position: int, tree: Tree) -> Struct:
        """Returns the STRUCT with another type for one field."""
        name = self.fields[position][0]
        return Struct((*self.fields[:position], (name, tree), *self.fields[position + 1 :]))


@dataclass(frozen=True)
class List:
    """A LIST with the type of its items."""

    item: Tree


#: A parsed type. Types other than STRUCT and LIST are their name.
Tree: TypeAlias = Struct | List | str


@lru_cache(maxsize=1000)
def parse_type(name: str) -> Tree:
    """Parses the name of a type."""
    if not (name.startswith("STRUCT(") or name.endswith("[]")):
        return name
    return _make_tree(duckdb.sqltype(name))


def _make_tree(type_: duckdb.sqltypes.DuckDBPyType) -> Tree:
    if type_.id in {"struct", "list"}:
        children = tuple(
            (name, _make_tree(child)) for name, child in type_.children if not isinstance(child, (int, list))
        )
        return Struct(children) if type_.id == "struct" else List(children[0][1])
    return _LONG_NAMES.get(str(type_), str(type_))


def is_nested(name: str) -> bool:
    """Whether a type is a STRUCT or a LIST."""
    return not isinstance(parse_type(name), str)


def struct_name(fields: dict[str, str]) -> str | None:
    """Returns the type name of a STRUCT with the given fields.

    Returns None if a field name is empty or two names differ only in case, which a STRUCT cannot have.
    """
    if not fields or len({name.lower() for name in fields}) < len(fields) or any(not n or "\0" in n for n in fields):
        return None
    return type_name(Struct(tuple((name, parse_type(type_)) for name, type_ in fields.items())))


def type_name(type_: Tree) -> str:
    """Returns the name of a type as DuckDB writes it."""
    if isinstance(type_, str):
        return type_
    return str(duckdb.sqltype(_type_sql(type_)))


def _type_sql(type_: Tree) -> str:
    if isinstance(type_, List):
        return f"{_type_sql(type_.item)}[]"
    if isinstance(type_, Struct):
        return f"STRUCT({', '.join(f'{_quote_field(name)} {_type_sql(child)}' for name, child in type_.fields)})"
    return type_


def _quote_field(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def common_type(one: str, other: str, scalar: Callable[[str, str], str]) -> str:
    """Returns the type that holds the values of two types, JSON if they differ in more than fields and scalars.

    Args:
        one: A type.
        other: Another type.
        scalar: Returns the scalar type that holds all values of two scalar types.
    """
    merged = _find_common_tree(parse_type(one), parse_type(other), scalar)
    return "JSON" if merged is None else type_name(merged)


def _find_common_tree(one: Tree, other: Tree, scalar: Callable[[str, str], str]) -> Tree | None:
    if isinstance(one, str) and isinstance(other, str):
        return scalar(one, other)
    if isinstance(one, List) and isinstance(other, List):
        item = _find_common_tree(one.item, other.item, scalar)
        return None if item is None else List(item)
    if not (isinstance(one, Struct) and isinstance(other, Struct)):
        return None
    merged = dict(one.fields)
    for name, child in other.fields:
        found = _find_common_tree(merged[name], child, scalar) if name in merged else child
        if found is None:
            return None
        merged[name] = found
    return Struct(tuple(merged.items())) if len({name.lower() for name in merged}) == len(merged) else None


def convert_sql(
    expression: str, source: Tree, target: Tree, scalar: Callable[[str, str, str], str], depth: int = 0
) -> str:
    """Returns SQL that converts a value to a wider type, or to JSON.

    Args:
        expression: SQL for the value.
        source: Its type.
        target: The common type of it and another type.
        scalar: Returns such SQL for scalars.
        depth: The number of lists around the expression.
    """
    if isinstance(source, str):
        return scalar(expression, source, target if isinstance(target, str) else type_name(target))
    if isinstance(source, Struct) and isinstance(target, Struct):
        known = dict(source.fields)
        values = {
            name: convert_sql(_field_sql(expression, name), known[name], child, scalar, depth)
            if name in known
            else f"CAST(NULL AS {_type_sql(child)})"
            for name, child in target.fields
        }
        return struct_sql(expression, values)
    if isinstance(source, List) and isinstance(target, List):
        return list_sql(expression, depth, lambda item: convert_sql(item, source.item, target.item, scalar, depth + 1))
    text = _json_text(expression, source, scalar, depth)
    return f"CASE WHEN {expression} IS NOT NULL THEN CAST({text} AS JSON) END"


def _json_text(expression: str, source: Tree, scalar: Callable[[str, str, str], str], depth: int) -> str:
    """Returns SQL for the JSON text of a value. DuckDB's `to_json` would change long numbers in nested JSON."""
    if isinstance(source, Struct):
        members = [
            f"'{_escape_text(json.dumps(name, ensure_ascii=False))}:' ||"
            f" {_json_text(_field_sql(expression, name), child, scalar, depth)}"
            for name, child in source.fields
        ]
        text = "'{' || " + " || ',' || ".join(members) + " || '}'"
    elif isinstance(source, List):
        items = list_sql(expression, depth, lambda item: _json_text(item, source.item, scalar, depth + 1))
        text = f"'[' || array_to_string({items}, ',') || ']'"
    else:
        text = f"CAST({scalar(expression, source, 'JSON')} AS VARCHAR)"
    return f"CASE WHEN {expression} IS NULL THEN 'null' ELSE {text} END"


def _field_sql(expression: str, name: str) -> str:
    return f"struct_extract({expression}, '{_escape_text(name)}')"


def _escape_text(text: str) -> str:
    return text.replace("'", "''")


def struct_sql(expression: str, values: dict[str, str]) -> str:
    """Returns SQL for a STRUCT of values by field, NULL if the expression is NULL."""
    fields = ", ".join(f"{_quote_field(name)} := {value}" for name, value in values.items())
    return f"CASE WHEN {expression} IS NOT NULL THEN struct_pack({fields}) END"


def list_sql(expression: str, depth: int, item: Callable[[str], str]) -> str:
    """Returns SQL that applies `item` to each item of a list."""
    name = f"_item{depth}"
    return f"list_transform({expression}, lambda {name}: {item(name)})"
