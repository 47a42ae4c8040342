"""Finds the type that holds every value of a spooled column, and the SQL that converts to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from target_duckdb import types
from target_duckdb.columns import INTEGERS, SPOOL_TYPES, WIDE_INTEGERS, Column, SpoolFormat

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import duckdb

_MAX_CHECKS = 100  # per query: each pattern takes half a megabyte
_OFFSET = r"([Zz]|[+-]\d{2}(:?\d{2})?)"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"  # DuckDB truncates a seventh digit
_NANO_TIME = _TIME.replace("6", "9")
_DATE = r"\d{4}-\d{2}-\d{2}"
_MIDNIGHT = r"([Tt ]00:00(:00(\.0+)?)?([Zz]|[+-]00(:?00)?)?)?"
_INTEGER = r"(0|[1-9]\d*)"  # leading zeros would be lost
#: Texts that DuckDB casts without loss, by type.
PATTERNS = {
    "TIMESTAMPTZ": rf"{_DATE}([Tt ]{_TIME} ?{_OFFSET}?)?",
    "TIMESTAMP": rf"{_DATE}([Tt ]{_TIME})?",
    "TIMESTAMPTZ_NS": rf"{_DATE}([Tt ]{_NANO_TIME} ?{_OFFSET}?)?",
    "TIMESTAMP_NS": rf"{_DATE}([Tt ]{_NANO_TIME})?",
    "DATE": _DATE + _MIDNIGHT,
    "TIME": _TIME,
    "HUGEINT": rf"-?{_INTEGER}(\.0+)?",
    "UBIGINT": rf"{_INTEGER}(\.0+)?",
    "UHUGEINT": rf"{_INTEGER}(\.0+)?",
}
_EXACT_DOUBLE_DIGITS = 15  # a DOUBLE keeps every decimal number of up to this many digits
_DECIMAL = rf"-?{_INTEGER}(\.\d+)?"
#: Types whose values may also be written in other formats.
_TIME_TYPES = frozenset({"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMPTZ_NS"})
#: Convert the other formats, in upper case, to those of the patterns. DuckDB's regular expressions have no look-ahead.
_REWRITES = (
    (r"^(\d{4})(\d{2})(\d{2})([T ]|$)", r"\1-\2-\3\4"),  # 20240229T120000Z
    (r"^(.{10}[T ]\d{2})(\d{2})(\d{2})", r"\1:\2:\3"),
    (r"^(.{10}[T ]\d{2})(\d{2})([^\d:]|$)", r"\1:\2\3"),
    (r"^(.{10}[T ]\d{2})([^\d:]|$)", r"\1:00\2"),
    (r"(:\d{2}),(\d)", r"\1.\2"),  # ISO 8601 allows a decimal comma
    (r" ?(UTC|GMT)$", "Z"),
    (r" ([+-]\d{2}(:?\d{2})?)$", r"\1"),
)
_TRUNCATE_NANOSECONDS = (
    r"(:\d{2}\.\d{6})\d{1,3}($|[^\d])",
    r"\1\2",
)  # in a column of microseconds


def normalize_time(text: str, column_type: str) -> str:
    """Converts a time in another format to the format of its type's pattern."""
    text = text.upper()
    for pattern, replacement in _list_rewrites(column_type, key=False):
        text = re.sub(pattern, replacement, text)
    return text


def _list_rewrites(column_type: str, *, key: bool) -> tuple[tuple[str, str], ...]:
    # Keys that differ only in nanoseconds must stay distinct.
    return _REWRITES if key or column_type.endswith("_NS") else (*_REWRITES, _TRUNCATE_NANOSECONDS)


def _rewritten_fit_sql(name: str, column_type: str, *, key: bool) -> tuple[str, str]:
    """Returns the same as `_fit_sql`, for times in other formats."""
    sql = f"upper({name})"
    for pattern, replacement in _list_rewrites(column_type, key=key):
        sql = f"regexp_replace({sql}, '{pattern}', '{replacement}')"
    return _fit_sql(sql, column_type)


def value_sql(name: str, column_type: str, *, irregular: bool = False, key: bool = False) -> str:
    """Returns SQL that converts a spooled value to its column's type.

    Args:
        name: SQL for the spooled value.
        column_type: The type.
        irregular: Whether some values are times in other formats, or empty strings.
        key: Whether it is a key column.
    """
    if column_type == "JSON":  # text that is not JSON for DuckDB becomes a JSON string
        return f"coalesce(TRY_CAST({name} AS JSON), to_json({name}))"
    if irregular:
        (plain, value), (_, other) = _fit_sql(name, column_type), _rewritten_fit_sql(name, column_type, key=key)
        return f"CASE WHEN {plain} THEN {value} ELSE {other} END"
    if column_type == "DATE":
        return f"CAST(left({name}, 10) AS DATE)"
    return f"CAST({name} AS {column_type})"


def timestamp_sql(text: str) -> str:
    """Returns SQL for the TIMESTAMPTZ of a text in any supported format, NULL if it is not a timestamp."""
    return f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), {_rewritten_fit_sql(text, 'TIMESTAMPTZ', key=False)[1]})"


def text_sql(name: str, column: Column, *, key: bool) -> str:
    """Returns SQL for the text of a spooled value in a column that becomes VARCHAR.

    A value of the column's former type gets the text that `types.convert_sql` gives such values in the table, so that
    equal keys stay equal. Other values keep their text.
    """
    if SPOOL_TYPES[column.spool_format] != "VARCHAR":
        return types.convert_sql(name, SPOOL_TYPES[column.spool_format], "VARCHAR")
    return canonical_text_sql(name, (column.type,), key=key)


def canonical_text_sql(text: str, former_types: Sequence[str], *, key: bool = True) -> str:
    """Returns SQL for a text as `types.convert_sql` writes the value, in the first of some types that holds it.

    Args:
        text: SQL for a text.
        former_types: The types. A text that fits none of them is unchanged.
        key: Whether it is a key column.
    """
    cases = [
        f"WHEN {fits} THEN {value}"
        for type_ in former_types
        for fits, value in _canonical_text_cases(text, type_, key=key)
    ]
    return f"CASE {' '.join(cases)} ELSE {text} END" if cases else f"CAST({text} AS VARCHAR)"


def has_canonical_text(column_type: str) -> bool:
    """Whether values of a type have a canonical text."""
    return bool(_canonical_text_cases("", column_type, key=True))


def _canonical_text_cases(name: str, column_type: str, *, key: bool) -> list[tuple[str, str]]:
    """Returns one pair per format of a type: SQL that matches a text, and SQL for its canonical text."""
    if types.decimal_parts(column_type):
        plain, whole, scale = _decimal_shape(name)
        return [(f"{plain} AND {whole} + {scale} <= {types.MAX_DIGITS}", types.trim_zeros_sql(name))]
    if column_type == "DOUBLE":
        digits = f"length(regexp_replace(split_part(lower({name}), 'e', 1), '[-.]', '', 'g'))"
        fits = f"regexp_full_match({name}, '{_DECIMAL}([eE][+-]?\\d{{1,2}})?') AND {digits} <= {_EXACT_DOUBLE_DIGITS}"
        return [(fits, types.convert_sql(f"TRY_CAST({name} AS DOUBLE)", "DOUBLE", "VARCHAR"))]
    if column_type == "BOOLEAN":
        return [(f"lower({name}) IN ('true', 'false')", f"lower({name})")]
    if column_type in WIDE_INTEGERS | INTEGERS:
        text = f"split_part({name}, '.', 1)"
        fits = f"regexp_full_match({name}, '{PATTERNS['HUGEINT']}') AND TRY_CAST({text} AS HUGEINT) IS NOT NULL"
        return [(fits, f"CAST(TRY_CAST({text} AS HUGEINT) AS VARCHAR)")]
    if column_type not in _TIME_TYPES:
        return []
    forms = (_fit_sql(name, column_type), _rewritten_fit_sql(name, column_type, key=key))
    return [(fits, f"CAST({value} AS VARCHAR)") for fits, value in forms]


class TypeFit(NamedTuple):
    """The type that holds all values of a column.

    Attributes:
        type: The type.
        irregular: Whether some values are times in other formats, or empty strings.
    """

    type: str
    irregular: bool = False


def fit_types(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[Column], keys: Collection[str]
) -> list[TypeFit]:
    """Finds the type of each column that holds all its values.

    Args:
        connection: A connection.
        source: The table of spooled rows. Column n is named `c<n>`.
        columns: The stream's columns.
        keys: Lower-case names of its key properties, in which an empty string is not NULL.

    Returns:
        The types of the columns, or wider ones.
    """
    checks: list[str] = []
    checked: list[int] = []
    for index, column in enumerate(columns):
        if column.spool_format is SpoolFormat.NATIVE or column.type in {"JSON", SPOOL_TYPES[column.spool_format]}:
            continue
        checked.append(index)
        checks.append(_check_sql(f"c{index}", column))
    result = [TypeFit(column.type) for column in columns]
    for start in range(0, len(checks), _MAX_CHECKS):
        part = slice(start, start + _MAX_CHECKS)
        row = connection.execute(f"SELECT {', '.join(checks[part])} FROM {source}").fetchall()[0]  # noqa: S608 - own names
        for index, check_result in zip(checked[part], row, strict=True):
            result[index] = TypeFit(_choose_type(columns[index], check_result))
    for index, column in enumerate(columns):
        if column.type in _TIME_TYPES and result[index].type != column.type:
            check = _irregular_check_sql(f"c{index}", column, key=column.name.lower() in keys)
            ((fits,),) = connection.execute(f"SELECT {check} FROM {source}").fetchall()  # noqa: S608 - own names
            # NULL if there are only empty strings.
            result[index] = result[index] if fits is False else TypeFit(column.type, irregular=True)
    return result


def _irregular_check_sql(name: str, column: Column, *, key: bool) -> str:
    fits, others = _fit_sql(name, column.type)[0], _rewritten_fit_sql(name, column.type, key=key)[0]
    none = "" if key else f" AND {name} <> ''"
    return f"bool_and({fits} OR {others}) FILTER (WHERE {name} IS NOT NULL{none})"


def _check_sql(name: str, column: Column) -> str:
    if types.decimal_parts(column.type):
        plain, whole, scale = _decimal_shape(name)
        return f"[CAST(bool_and({plain}) AS INTEGER), max({whole}), max({scale})]"
    return f"bool_and({_fit_sql(name, column.type)[0]}) FILTER (WHERE {name} IS NOT NULL)"


def _fit_sql(name: str, column_type: str) -> tuple[str, str]:
    """Returns SQL for whether the type holds a value without loss, and SQL for the converted value."""
    source = f"left({name}, 10)" if column_type == "DATE" else name
    value = f"TRY_CAST({source} AS {column_type})"
    fits = f"{value} IS NOT NULL"
    if pattern := PATTERNS.get(column_type):
        fits += f" AND regexp_full_match({name}, '{pattern}')"
    return fits, value


def _decimal_shape(name: str) -> tuple[str, str, str]:
    """Returns SQL for whether a text is a decimal number, and for its numbers of integer and fractional digits."""
    return (
        f"regexp_full_match({name}, '{_DECIMAL}')",
        f"length(ltrim(split_part({name}, '.', 1), '-0'))",
        f"length(rtrim(split_part({name}, '.', 2), '0'))",
    )


def _choose_type(column: Column, result: object) -> str:
    if not isinstance(result, list):
        return "VARCHAR" if result is False else column.type
    plain, whole, scale = result
    if plain is None:
        return column.type
    parts = types.decimal_parts(column.type)
    if not plain or parts is None:
        return "VARCHAR"
    if whole <= parts[0] and scale <= parts[1]:
        return column.type
    needed = max(scale, parts[1])
    return types.widest_decimal(needed) if whole + needed <= types.MAX_DIGITS else "VARCHAR"
