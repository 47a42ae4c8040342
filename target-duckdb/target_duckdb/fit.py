"""Which type holds every value of a spooled column, and the SQL that makes values of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_duckdb import types
from target_duckdb.columns import SPOOL_TYPES, Column

if TYPE_CHECKING:
    import duckdb

_OFFSET = r"([Zz]|[+-]\d{2}(:?\d{2})?)"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"  # DuckDB drops a seventh digit
_DAY = r"\d{4}-\d{2}-\d{2}"
_MIDNIGHT = r"([Tt ]00:00(:00(\.0+)?)?([Zz]|[+-]00(:?00)?)?)?"
_WHOLE = r"(0|[1-9]\d*)"  # leading zeros would be lost
#: What DuckDB reads without loss.
_PATTERNS = {
    "TIMESTAMPTZ": rf"{_DAY}([Tt ]{_CLOCK} ?{_OFFSET}?)?",
    "TIMESTAMP": rf"{_DAY}([Tt ]{_CLOCK})?",
    "DATE": _DAY + _MIDNIGHT,
    "TIME": _CLOCK,
    "HUGEINT": rf"-?{_WHOLE}(\.0+)?",
    "UBIGINT": rf"{_WHOLE}(\.0+)?",
    "UHUGEINT": rf"{_WHOLE}(\.0+)?",
}
_DECIMAL = rf"-?{_WHOLE}(\.\d+)?"


def value_sql(name: str, column_type: str) -> str:
    """SQL for a spooled value as a value of its column's type."""
    if column_type == "JSON":  # what DuckDB does not take as JSON is kept as a JSON string
        return f"coalesce(TRY_CAST({name} AS JSON), to_json({name}))"
    if column_type == "DATE":
        return f"CAST(left({name}, 10) AS DATE)"
    return f"CAST({name} AS {column_type})"


def fitted_types(connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[Column, ...]) -> list[str]:
    """Says for each column the type that holds all its values.

    Args:
        connection: A connection.
        source: The table that holds the spooled rows; column number n is named `c<n>`.
        columns: The stream's columns.

    Returns:
        The columns' own types, or wider ones.
    """
    checks: list[str] = []
    checked: list[int] = []
    for index, column in enumerate(columns):
        if column.type in {"JSON", SPOOL_TYPES[column.form]}:
            continue
        checked.append(index)
        checks.append(_check(f"c{index}", column))
    result = [column.type for column in columns]
    if checks:
        row = connection.execute(f"SELECT {', '.join(checks)} FROM {source}").fetchall()[0]  # noqa: S608 - own names
        for index, answer in zip(checked, row, strict=True):
            result[index] = _answer(columns[index], answer)
    return result


def _check(name: str, column: Column) -> str:
    if types.decimal_parts(column.type):
        plain = f"regexp_full_match({name}, '{_DECIMAL}')"
        whole = f"length(ltrim(split_part({name}, '.', 1), '-0'))"
        scale = f"length(rtrim(split_part({name}, '.', 2), '0'))"
        return f"[CAST(bool_and({plain}) AS INTEGER), max({whole}), max({scale})]"
    source = f"left({name}, 10)" if column.type == "DATE" else name
    fits = f"TRY_CAST({source} AS {column.type}) IS NOT NULL"
    if pattern := _PATTERNS.get(column.type):
        fits += f" AND regexp_full_match({name}, '{pattern}')"
    return f"bool_and({fits}) FILTER (WHERE {name} IS NOT NULL)"


def _answer(column: Column, answer: object) -> str:
    if not isinstance(answer, list):
        return "VARCHAR" if answer is False else column.type
    plain, whole, scale = answer
    if plain is None:
        return column.type
    parts = types.decimal_parts(column.type)
    if not plain or parts is None:
        return "VARCHAR"
    if whole <= parts[0] and scale <= parts[1]:
        return column.type
    needed = max(scale, parts[1])
    return types.decimal(needed) if whole + needed <= types.MAX_DIGITS else "VARCHAR"
