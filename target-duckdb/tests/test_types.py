"""Mapping of JSON Schema to DuckDB types."""

from __future__ import annotations

from typing import Any

import pytest
from target_duckdb import types


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, "BIGINT"),
        ({"type": ["null", "integer"], "maximum": 32767}, "BIGINT"),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, "BIGINT"),
        ({"type": "integer", "maximum": 2**64}, "HUGEINT"),
        ({"type": "integer", "minimum": -(2**64)}, "HUGEINT"),
        ({"type": "integer", "maximum": 1e300}, "VARCHAR"),
        ({"type": "number"}, "DOUBLE"),
        ({"type": "number", "multipleOf": 0.001}, "DECIMAL(38,3)"),
        ({"type": "number", "multipleOf": 1e-7}, "DECIMAL(38,7)"),
        ({"type": "number", "multipleOf": 5}, "DECIMAL(38,0)"),
        ({"type": "number", "multipleOf": "x"}, "DOUBLE"),
        ({"type": "string", "format": "singer.decimal"}, "DECIMAL(38,10)"),
        ({"type": "string", "format": "x-singer.decimal", "precision": 10, "scale": 4}, "DECIMAL(38,4)"),
        ({"type": "string"}, "VARCHAR"),
        ({"type": ["string", "null"], "format": "date-time"}, "TIMESTAMPTZ"),
        ({"type": "string", "format": "date"}, "DATE"),
        ({"type": "string", "format": "time"}, "TIME"),
        ({"type": "string", "format": "uuid"}, "VARCHAR"),
        ({"type": "string", "format": ["odd"]}, "VARCHAR"),
        ({"type": "string", "format": "date-time", "x-sql-datatype": "TIMESTAMP"}, "TIMESTAMP"),
        ({"type": "string", "x-sql-datatype": "timestamp with time zone"}, "TIMESTAMPTZ"),
        ({"type": "string", "x-sql-datatype": "decimal(10, 2)"}, "DECIMAL(10,2)"),
        ({"type": "string", "x-sql-datatype": "timestamp_ns"}, "TIMESTAMP_NS"),
        ({"type": "integer", "x-sql-datatype": "no such type"}, "BIGINT"),
        ({"type": "integer", "x-sql-datatype": "INT); DROP TABLE x; --"}, "BIGINT"),
        ({"type": "integer", "x-sql-datatype": 7}, "BIGINT"),
        ({"type": "boolean"}, "BOOLEAN"),
        ({"type": "object"}, "JSON"),
        ({"type": ["null", "array"]}, "JSON"),
        ({"type": ["object", "array", "null"]}, "JSON"),
        ({"type": "null"}, "VARCHAR"),
        ({"type": ["null"]}, "VARCHAR"),
        ({"type": []}, "VARCHAR"),
        ({"type": ["integer", "number"]}, "DOUBLE"),
        ({"type": ["string", "integer", "null"]}, "VARCHAR"),
        ({"type": ["boolean", "integer"]}, "VARCHAR"),
        ({"type": ["string", "object"]}, "JSON"),
        ({"type": "unheard-of"}, "JSON"),
        ({}, "JSON"),
        ({"description": "anything"}, "JSON"),
        (True, "JSON"),
        (None, "JSON"),
        ({"const": "a"}, "VARCHAR"),
        ({"enum": [1, 2, None]}, "BIGINT"),
        ({"enum": [{"a": 1}]}, "JSON"),
        ({"enum": []}, "JSON"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "TIMESTAMPTZ"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "TIMESTAMPTZ"),
        ({"oneOf": [{"type": "string"}, {"type": ["null"]}, {"type": "string", "format": "date"}]}, "DATE"),
        ({"anyOf": [{"type": "string", "format": "time"}, {"type": "integer"}]}, "VARCHAR"),
        ({"anyOf": [{"type": "string", "format": "time"}, {"x-sql-datatype": "VARCHAR"}]}, "VARCHAR"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}, "TIMESTAMPTZ"),
        ({"allOf": [{"type": ["string", "null"]}, {"maxLength": 5}]}, "VARCHAR"),
        ({"anyOf": [{"type": "integer"}, {"description": "x"}, {"title": "y"}]}, "BIGINT"),
        ({"oneOf": [{"type": "null"}, {"minimum": 1}, {"$ref": "#/definitions/day"}]}, "DATE"),
        ({"allOf": [{"type": "string"}, {"format": "date-time"}]}, "TIMESTAMPTZ"),
        ({"type": ["null", "string"], "allOf": [{"format": "date"}, {"minLength": 1}]}, "DATE"),
        ({"allOf": [{"type": ["number", "null"]}, {"multipleOf": 0.5}]}, "DECIMAL(38,1)"),
        ({"allOf": [{"maxLength": 5}, {"minLength": 1}]}, "JSON"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}], "description": "x"}, "DOUBLE"),
        ({"oneOf": [{"type": "string"}, {"type": "object"}]}, "JSON"),
        ({"allOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date"}]}, "DATE"),
        ({"anyOf": [{"type": "null"}]}, "JSON"),
        ({"$ref": "#/definitions/day"}, "DATE"),
        ({"$ref": "#/definitions/loop"}, "JSON"),
        ({"$ref": "#/definitions/none"}, "JSON"),
        ({"$ref": "elsewhere.json"}, "JSON"),
        ({"allOf": 5}, "JSON"),
        ({"type": "string", "anyOf": {"a": 1}, "oneOf": "x"}, "VARCHAR"),
        ({"type": ["integer", ["x"]]}, "JSON"),
        ({"type": {"a": 1}}, "JSON"),
        ({"type": "string", "format": "singer.decimal", "scale": True}, "DECIMAL(38,10)"),
    ],
)
def test_column_has_the_type_of_its_schema(schema: Any, expected: str) -> None:
    root = {
        "definitions": {"day": {"type": "string", "format": "date"}, "loop": {"$ref": "#/definitions/loop"}},
        "properties": {},
    }
    assert types.column_type(schema, root) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("BIGINT", "BIGINT", "BIGINT"),
        ("SMALLINT", "BIGINT", "BIGINT"),
        ("HUGEINT", "BIGINT", "HUGEINT"),
        ("HUGEINT", "VARCHAR", "VARCHAR"),
        ("VARCHAR", "JSON", "JSON"),
        ("BIGINT", "JSON", "JSON"),
        ("BIGINT", "DOUBLE", "DOUBLE"),
        ("FLOAT", "DOUBLE", "DOUBLE"),
        ("DECIMAL(10,2)", "DECIMAL(9,4)", "DECIMAL(12,4)"),
        ("DECIMAL(38,2)", "DECIMAL(38,4)", "DECIMAL(38,4)"),
        ("DECIMAL(10,2)", "INTEGER", "DECIMAL(12,2)"),
        ("DECIMAL(10,2)", "DOUBLE", "VARCHAR"),
        ("DATE", "TIMESTAMPTZ", "TIMESTAMPTZ"),
        ("DATE", "TIMESTAMP", "TIMESTAMP"),
        ("DATE", "VARCHAR", "VARCHAR"),
        ("TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"),
        ("BOOLEAN", "BIGINT", "VARCHAR"),
        ("UUID", "VARCHAR", "VARCHAR"),
    ],
)
def test_common_type_holds_both_types(one: str, other: str, expected: str) -> None:
    assert types.common_type(one, other) == expected
    assert types.common_type(other, one) == expected
