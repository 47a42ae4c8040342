"""`data_flattening_max_level`: nested properties as columns of their own, and nothing lost beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": ["null", "object"], "properties": properties}


COLUMNS = {
    "id": INTEGER,
    "home": _object(city=STRING, at=_object(lat={"type": "number"}, lon={"type": "number"})),
    "tags": {"type": "array", "items": STRING},
    "free": {"type": "object"},
}
VALUES = {"id": 1, "home": {"city": "a", "at": {"lat": 1.5, "lon": 2}}, "tags": ["x"], "free": {"k": 1}}


@pytest.mark.parametrize(
    ("level", "columns", "row"),
    [
        (0, ["id", "home", "tags", "free"], (1, json.dumps(VALUES["home"]), '["x"]', '{"k": 1}')),
        (
            1,
            ["id", "home__city", "home__at", "tags", "free"],
            (1, "a", '{"lat": 1.5, "lon": 2}', '["x"]', '{"k": 1}'),
        ),
        (
            2,
            ["id", "home__city", "home__at__lat", "home__at__lon", "tags", "free"],
            (1, "a", 1.5, 2.0, '["x"]', '{"k": 1}'),
        ),
        (9, ["id", "home__city", "home__at__lat", "home__at__lon", "tags", "free"], None),
    ],
)
def test_objects_are_taken_apart_to_a_level(
    *, duck: Any, schema: Any, record: Any, level: int, columns: list[str], row: Any
) -> None:
    for _ in range(2):
        duck.load(schema("s", COLUMNS, ["id"]), record("s", VALUES), data_flattening_max_level=level)
    assert list(duck.types("s")) == columns
    assert row is None or duck.query("FROM s") == [row]


def test_values_keep_every_digit_and_character(duck: Any, schema: Any) -> None:
    home = _object(n={"type": "string", "format": "singer.decimal"}, x=STRING, j={})
    value = '{ "n" : 12345678901234567.89, "x":"\\ud800\\u0000", "j": [1.50] }'
    line = f'{{"type": "RECORD", "stream": "s", "record": {{"home": {value}}}}}'
    duck.load(schema("s", {"home": home}), line, data_flattening_max_level=1)
    assert duck.query("SELECT CAST(home__n AS VARCHAR), home__x, home__j FROM s") == [
        ("12345678901234567.8900000000", "\\ud800\0", "[1.50]")
    ]


def test_what_the_schema_does_not_list_is_kept_beside(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"id": 1, "home": {"city": "a", "zip": "secret", "at": {"lat": 1, "alt": 7.0}}},
        {"id": 2, "home": "secret"},
        {"id": 3, "home": None},
        {"id": 4},
        {"id": 5, "home": {"city": "b", "at": [1]}, "other": 1},
    ]
    duck.load(schema("s", COLUMNS, ["id"]), *(record("s", row) for row in rows), data_flattening_max_level=2)
    assert duck.query("SELECT id, home__city, home__at__lat, home, home__at FROM s ORDER BY id") == [
        (1, "a", 1.0, '{"zip":"secret"}', '{"alt":7.0}'),
        (2, None, None, '"secret"', None),
        (3, None, None, None, None),
        (4, None, None, None, None),
        (5, "b", None, None, "[1]"),
    ]
    assert [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"] == [
        "Stream 's': what its schema does not list, or is no object, is kept as JSON in: home, home__at.",
        "Stream 's': fields that its schema does not list are not loaded: other.",
    ]


def test_names_that_are_taken_leave_the_object_whole(duck: Any, schema: Any, record: Any) -> None:
    columns = {
        "id": _object(x=INTEGER),
        "a__b": STRING,
        "a": _object(b=STRING),
        "c": _object(b__d=STRING, b=_object(d=STRING)),
    }
    values = {"id": {"x": 1}, "a__b": "root", "a": {"b": "in"}, "c": {"b__d": "one", "b": {"d": "two"}}}
    duck.load(schema("s", columns, ["id"]), record("s", values), data_flattening_max_level=3)
    assert list(duck.types("s")) == ["id", "a__b", "a", "c__b__d", "c__b"]
    assert duck.query("FROM s") == [('{"x": 1}', "root", '{"b": "in"}', "one", '{"d": "two"}')]


def test_schemas_that_grow_and_alternate(duck: Any, schema: Any, record: Any) -> None:
    first, second = (
        schema("s", {"id": INTEGER, "o": _object(**names)}, ["id"]) for names in ({"a": STRING}, {"b": STRING})
    )
    one, two = record("s", {"id": 1, "o": {"a": "x"}}), record("s", {"id": 2, "o": {"b": "y"}})
    duck.load(first, one, second, two, first, one, second, two, data_flattening_max_level=1)
    assert duck.query("SELECT id, o__a, o__b FROM s ORDER BY 1") == [(1, "x", None), (2, None, "y")]


def test_a_record_that_is_no_object(duck: Any, schema: Any) -> None:
    with pytest.raises(TargetError, match=r"Line 2 .* its record is not an object"):
        duck.load(schema("s", COLUMNS), '{"type": "RECORD", "stream": "s", "record": [1]}', data_flattening_max_level=1)
