"""The types of exported columns: those that Parquet and Iceberg have, and their readers keep exact."""

from __future__ import annotations

from duckdb.sqltypes import DuckDBPyType

TEXT = "VARCHAR"
SAME = {"boolean", "integer", "bigint", "float", "double", "varchar", "blob", "date", "time"}
SAME |= {"timestamp", "timestamp with time zone"}
WIDER = {
    **dict.fromkeys(("tinyint", "smallint", "utinyint", "usmallint"), "INTEGER"),
    "uinteger": "BIGINT",
    "ubigint": "DECIMAL(20,0)",
    **dict.fromkeys(("timestamp_s", "timestamp_ms"), "TIMESTAMP"),
}
NESTED = {"list", "array", "map", "struct"}
HUGE = {"hugeint", "uhugeint"}
"""DuckDB writes these to Parquet as DOUBLE, which is not exact beyond 2^53."""
HUGE_AS_DECIMAL = "DECIMAL(38,0)"


def quote(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def has_huge(kind: DuckDBPyType) -> bool:
    """Whether a type is, or contains, an integer of 128 bits."""
    if kind.id in HUGE:
        return True
    return kind.id in NESTED and any(has_huge(inner) for _, inner in inner_types(kind))


def exported_type(kind: DuckDBPyType, huge: str = HUGE_AS_DECIMAL) -> str:
    """The type that a column is cast to.

    Args:
        kind: Its type in DuckDB.
        huge: The type of integers of 128 bits.

    Returns:
        A type of DuckDB. `VARCHAR` for types that Parquet or Iceberg lack, such as JSON, UUID and INTERVAL.
    """
    found = TEXT
    if kind.id in HUGE:
        found = huge
    elif kind.id == "decimal" or (kind.id in SAME and str(kind) != "JSON"):  # which is a VARCHAR with another name
        found = str(kind)
    elif kind.id in WIDER:
        found = WIDER[kind.id]
    elif kind.id in NESTED:
        names, inner = zip(*((quote(name), exported_type(part, huge)) for name, part in inner_types(kind)), strict=True)
        if kind.id == "map":
            found = f"MAP({', '.join(inner)})"
        elif kind.id != "struct":
            found = f"{inner[0]}[]"
        elif '""' not in names:  # a struct without names
            found = f"STRUCT({', '.join(f'{name} {one}' for name, one in zip(names, inner, strict=True))})"
    return found


def inner_types(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The fields of a struct, the key and value of a map, or the elements of a list."""
    # The children of an array also have its size.
    return [(name, inner) for name, inner in kind.children if isinstance(inner, DuckDBPyType)]
