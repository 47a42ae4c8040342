"""Coercion of values to their columns' types: what is converted, what is a misfit, what is unchanged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from singer_rest import make_coercer
from singer_rest.singer.coercion import Coercion
from singer_rest.singer.scalars import NOT_COERCIBLE, as_extra

STRING, NUMBER, INTEGER, BOOLEAN = ({"type": [kind, "null"]} for kind in ("string", "number", "integer", "boolean"))
OBJECT, ARRAY = {"type": ["object", "null"]}, {"type": ["array", "null"]}
DATE, LOCAL = {**STRING, "format": "date"}, {**STRING, "format": "date-time", "x-sql-datatype": "TIMESTAMP"}
PERSON = {**OBJECT, "properties": {"id": STRING, "age": INTEGER, "born": DATE, "pets": {**ARRAY, "items": STRING}}}


def coerce(schema: dict[str, Any], value: Any) -> Any:
    return Coercion().of(schema)(value)


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        (BOOLEAN, 0, False),
        (BOOLEAN, 1, True),
        (BOOLEAN, "1", True),
        (BOOLEAN, " False ", False),
        (BOOLEAN, "TRUE", True),
        (BOOLEAN, Decimal("1.0"), True),
        (BOOLEAN, "", None),
        (INTEGER, "12", 12),
        (INTEGER, " +12 ", 12),
        (INTEGER, Decimal("12.0"), 12),
        (INTEGER, "1.2e1", 12),
        (INTEGER, 2**63 - 1, 2**63 - 1),
        (INTEGER, str(-(2**63)), -(2**63)),
        (INTEGER, "", None),
        (NUMBER, "1.5E-7", Decimal("1.5E-7")),
        (NUMBER, "+1.50", Decimal("1.50")),
        (NUMBER, " .5 ", Decimal("0.5")),
        (NUMBER, "12", 12),
        (NUMBER, Decimal("12345678901234567.89"), Decimal("12345678901234567.89")),
        (NUMBER, "\t", None),
        (STRING, 12345678901234567890, "12345678901234567890"),
        (STRING, Decimal("1.10"), "1.10"),
        (STRING, True, "true"),
        (STRING, "", ""),
        (DATE, "2024-02-29", "2024-02-29"),
        (DATE, "20240229", "2024-02-29"),
        (DATE, "2024-02-29T00:00:00.000+0100", "2024-02-29"),
        (DATE, "2024-02-29 00:00:00", "2024-02-29"),
        (DATE, "", None),
        (LOCAL, "2024-02-29 06:00:01", "2024-02-29T06:00:01"),
        (LOCAL, "20240229T060001", "2024-02-29T06:00:01"),
        (LOCAL, "2024-02-29t06:00:01.1234567", "2024-02-29T06:00:01.123456"),
        (LOCAL, "", None),
        (OBJECT, [], {}),
        (OBJECT, "", None),
        (ARRAY, {}, []),
        (ARRAY, " ", None),
        (ARRAY, [1, "x"], [1, "x"]),
        ({**ARRAY, "items": STRING}, [1, None, "x"], ["1", None, "x"]),
        ({**ARRAY, "items": {}}, [1, {"a": None}], [1, {"a": None}]),
        (PERSON, {"id": 5, "age": "7", "born": "", "new": [1]}, {"id": "5", "age": 7, "born": None, "new": [1]}),
        ({**ARRAY, "items": PERSON}, [{"pets": {}}, None], [{"pets": []}, None]),
        ({}, {"any": [1, "thing"]}, {"any": [1, "thing"]}),
        ({"description": "No type."}, 5, 5),
        ({"type": ["string", "integer", "null"]}, 5, 5),
        ({"type": ["number", "object", "null"]}, "5", 5),
        ({"anyOf": [{**STRING, "format": "date-time"}, STRING]}, "soon", "soon"),
        ({"anyOf": [INTEGER, OBJECT]}, "5", 5),
        (
            {"allOf": [{"properties": {"a": INTEGER}}, {"properties": {"b": STRING}}]},
            {"b": 5, "a": "6"},
            {"b": "5", "a": 6},
        ),
    ],
)
def test_lossless_values_are_coerced(schema: dict[str, Any], value: Any, found: Any) -> None:
    result = coerce(schema, value)
    assert (result, result.__class__) == (found, found.__class__)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (BOOLEAN, 2),
        (BOOLEAN, "yes"),
        (BOOLEAN, []),
        (INTEGER, True),
        (INTEGER, "12.5"),
        (INTEGER, Decimal("1E+999999")),
        (INTEGER, "1e999999"),
        (INTEGER, 2**63),
        (INTEGER, "twelve"),
        (INTEGER, "１２"),
        (NUMBER, "NaN"),
        (NUMBER, "-Infinity"),
        (NUMBER, float("nan")),
        (NUMBER, Decimal("1E+999")),
        (NUMBER, "1e999"),
        (NUMBER, "9" * 400),
        (NUMBER, "1,5"),
        (NUMBER, "1_000"),
        (NUMBER, False),
        (NUMBER, {}),
        (STRING, {}),
        (STRING, ["x"]),
        (DATE, "2023-02-29"),
        (DATE, "0000-00-00"),
        (DATE, "2024-02-29T06:00:00"),
        (DATE, 20240229),
        (DATE, "x" * 10_000),
        (LOCAL, "2024-02-29T06:00:01Z"),
        (LOCAL, "2024-02-29T06:00:01+01:00"),
        (OBJECT, "text"),
        (OBJECT, [{}]),
        (ARRAY, {"0": "x"}),
        (ARRAY, "x"),
        ({**ARRAY, "items": STRING}, [["x"]]),
        (PERSON, {"id": "5", "age": "old"}),
        (PERSON, {"pets": [{}]}),
        ({"type": "null"}, "something"),
        ({"anyOf": [INTEGER, DATE]}, "soon"),
    ],
)
def test_values_that_a_column_cannot_hold_are_detected(schema: dict[str, Any], value: Any) -> None:
    assert coerce(schema, value) is NOT_COERCIBLE


def test_fitting_value_is_returned_itself_and_others_are_not_changed() -> None:
    fits = {"id": "1", "pets": ["x"], "new": {"deep": [1]}}
    assert coerce(PERSON, fits) is fits
    other = {"id": 1, "pets": [2], "age": "old"}
    assert coerce(PERSON, other) is NOT_COERCIBLE
    assert other == {"id": 1, "pets": [2], "age": "old"}


def test_numbers_that_json_parsers_would_change_are_text_in_extra() -> None:
    kept = as_extra(
        {"big": 2**63, "all": [Decimal("1E+999"), float("inf"), -(2**63)], "exact": Decimal("1.10"), "is": True}
    )
    assert kept == {
        "big": "9223372036854775808",
        "all": ["1E+999", "inf", -(2**63)],
        "exact": Decimal("1.10"),
        "is": True,
    }


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [(INTEGER, "3", 3), (INTEGER, "three", "three"), (DATE, "2026-01-02 00:00", "2026-01-02"), (NUMBER, None, None)],
)
def test_values_outside_of_columns_stay_as_they_are(schema: dict[str, Any], value: object, found: object) -> None:
    assert make_coercer(schema)(value) == found
