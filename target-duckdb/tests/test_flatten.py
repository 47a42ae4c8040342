"""`data_flattening_max_level`: nested properties become columns without loss."""

from __future__ import annotations

import json
from typing import Any

import pytest

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {"type": ["null", "object"], "properties": properties}


COLUMNS = {
    "id": INTEGER,
    "home": _object_schema(city=STRING, at=_object_schema(lat={"type": "number"}, lon={"type": "number"})),
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
def test_objects_are_flattened_to_the_maximum_level(
    *, duck: Any, schema: Any, record: Any, level: int, columns: list[str], row: Any
) -> None:
    for _ in range(2):
        duck.load(schema("s", COLUMNS, ["id"]), record("s", VALUES), data_flattening_max_level=level)
    assert list(duck.types("s")) == columns
    assert row is None or duck.query("FROM s") == [row]


def test_flattened_values_are_exact(duck: Any, schema: Any) -> None:
    home = _object_schema(n={"type": "string", "format": "singer.decimal"}, x=STRING, j={})
    value = '{ "n" : 12345678901234567.89, "x":"\\ud800\\u0000", "j": [1.50] }'
    line = f'{{"type": "RECORD", "stream": "s", "record": {{"home": {value}}}}}'
    duck.load(schema("s", {"home": home}), line, data_flattening_max_level=1)
    assert duck.query("SELECT CAST(home__n AS VARCHAR), home__x, home__j FROM s") == [
        ("12345678901234567.8900000000", "\\ud800\0", "[1.50]")
    ]


def test_unlisted_properties_are_kept_in_the_object_column(
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
        "Stream 's': properties missing from the schema, and non-object values, are stored as JSON in: home, home__at.",
        "Stream 's': fields that its schema does not list are not loaded: other.",
    ]


def test_object_is_not_flattened_if_names_collide(duck: Any, schema: Any, record: Any) -> None:
    columns = {
        "id": _object_schema(x=INTEGER),
        "a__b": STRING,
        "a": _object_schema(b=STRING),
        "c": _object_schema(b__d=STRING, b=_object_schema(d=STRING)),
    }
    values = {"id": {"x": 1}, "a__b": "root", "a": {"b": "in"}, "c": {"b__d": "one", "b": {"d": "two"}}}
    duck.load(schema("s", columns, ["id"]), record("s", values), data_flattening_max_level=3)
    assert list(duck.types("s")) == ["id", "a__b", "a", "c__b__d", "c__b"]
    assert duck.query("FROM s") == [('{"x": 1}', "root", '{"b": "in"}', "one", '{"d": "two"}')]


def test_growing_and_alternating_schemas_keep_all_columns(duck: Any, schema: Any, record: Any) -> None:
    first, second = (
        schema("s", {"id": INTEGER, "o": _object_schema(**names)}, ["id"]) for names in ({"a": STRING}, {"b": STRING})
    )
    one, two = record("s", {"id": 1, "o": {"a": "x"}}), record("s", {"id": 2, "o": {"b": "y"}})
    duck.load(first, one, second, two, first, one, second, two, data_flattening_max_level=1)
    assert duck.query("SELECT id, o__a, o__b FROM s ORDER BY 1") == [(1, "x", None), (2, None, "y")]


@pytest.mark.parametrize("type_", [["object", ["x"]], {"object": 1}, [], ["object", {}], 5])
@pytest.mark.parametrize("level", [0, 1])
def test_property_with_mixed_types_is_not_flattened(
    *, duck: Any, schema: Any, record: Any, level: int, type_: Any
) -> None:
    mixed = {"type": type_, "properties": {"b": STRING}, "allOf": 5}
    duck.load(schema("s", {"a": mixed}), record("s", {"a": {"b": 1}}), data_flattening_max_level=level)
    assert duck.query("FROM s") == [('{"b": 1}',)]


# What one run writes in another way than the run before


ADDRESS = {"id": INTEGER, "address": _object_schema(city=STRING, zip=STRING)}


@pytest.mark.parametrize("size", [1, 100])
def test_replaced_row_clears_the_object_column(*, duck: Any, schema: Any, record: Any, size: int) -> None:
    settings = {"data_flattening_max_level": 1, "batch_size_rows": size}
    head = schema("s", ADDRESS, ["id"])
    rows = [{"id": 1, "address": {"city": "X", "extra": 1}}, {"id": 2, "address": "weird"}, {"id": 3, "address": "odd"}]
    duck.load(head, *(record("s", row) for row in rows), **settings)
    rows = [{"id": 1, "address": {"city": "Y"}}, {"id": 2, "address": {"city": "Z"}}, {"id": 4, "address": "new"}]
    duck.load(head, *(record("s", row) for row in rows), **settings)
    assert duck.query("SELECT id, address__city, address FROM s ORDER BY id") == [
        (1, "Y", None),
        (2, "Z", None),
        (3, None, '"odd"'),
        (4, None, '"new"'),
    ]


@pytest.mark.parametrize("levels", [(0, 1, 0), (1, 0, 1), (1, 2, 1), (2, 1, 0), (0, 2, 1)])
def test_changed_level_clears_the_columns_of_the_old_one(
    duck: Any, schema: Any, record: Any, levels: tuple[int, ...]
) -> None:
    head = schema("s", {"id": INTEGER, "home": COLUMNS["home"]}, ["id"])
    for run, level in enumerate(levels):
        rows = [{"id": n, "home": {"city": f"c{run}", "at": {"lat": run}}} for n in (run, 9)]
        duck.load(head, *(record("s", row) for row in rows), data_flattening_max_level=level)
    types = duck.types("s")
    found = dict(zip(types, duck.query("FROM s WHERE id = 9")[0], strict=True))
    run = len(levels) - 1
    by_level = [
        {"home": json.dumps({"city": f"c{run}", "at": {"lat": run}})},
        {"home__city": f"c{run}", "home__at": json.dumps({"lat": run})},
        {"home__city": f"c{run}", "home__at__lat": run},
    ]
    expected = {"id": 9, **by_level[levels[-1]]}
    assert {name: value for name, value in found.items() if value is not None} == expected


@pytest.mark.parametrize("one", [False, True])
def test_object_that_temporarily_is_a_string(*, duck: Any, schema: Any, record: Any, one: bool) -> None:
    flat, whole = schema("s", ADDRESS, ["id"]), schema("s", {"id": INTEGER, "address": STRING}, ["id"])
    runs = [
        [flat, *(record("s", {"id": n, "address": {"city": "X"}}) for n in (1, 2, 3))],
        [whole, *(record("s", {"id": n, "address": "text"}) for n in (1, 2))],
        [flat, record("s", {"id": 1, "address": {"zip": "Z"}})],
    ]
    for messages in [[*runs[0], *runs[1], *runs[2]]] if one else runs:
        duck.load(*messages, data_flattening_max_level=1)
    assert duck.query("SELECT id, address__city, address__zip, address FROM s ORDER BY id") == [
        (1, None, "Z", None),
        (2, None, None, "text"),
        (3, "X", None, None),
    ]


def test_other_columns_keep_their_values(duck: Any, schema: Any, record: Any) -> None:
    columns = {"id": INTEGER, "a": STRING, "a__b": STRING}
    duck.load(schema("s", columns, ["id"]), record("s", {"id": 1, "a": "x", "a__b": "y"}))
    del columns["a__b"]  # deselected: the object was never flattened
    duck.load(schema("s", columns, ["id"]), record("s", {"id": 1, "a": "z"}))
    assert duck.query("SELECT a, a__b FROM s") == [("z", "y")]
    duck.load(schema("s", ADDRESS, ["id"]), record("s", {"id": 1, "address": {"city": "X", "zip": "1"}}),
              data_flattening_max_level=1)  # fmt: skip
    some = {"id": INTEGER, "address": _object_schema(city=STRING)}
    duck.load(schema("s", some, ["id"]), record("s", {"id": 1, "address": {"city": "Y"}}), data_flattening_max_level=1)
    assert duck.query("SELECT a, a__b, address__city, address__zip FROM s") == [("z", "y", "Y", "1")]


def test_deletion_mark_updates_all_columns_of_an_object(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {**ADDRESS, "v": STRING}, ["id"])
    values = {"v": "v", "address": {"city": "X", "zip": "1", "extra": 1}}
    duck.load(head, *(record("s", {"id": n, **values}) for n in (1, 2, 3, 4)), data_flattening_max_level=1)
    marks: list[dict[str, Any]] = [{"address": None}, {"address": {"city": "Y"}}, {}, {"address": "odd"}]
    for number, mark in enumerate(marks, start=1):
        gone = record("s", {"id": number, **mark, "_sdc_deleted_at": "2024-01-01T00:00:00Z"})
        duck.load(head, gone, data_flattening_max_level=1)
    assert duck.query("SELECT v, address__city, address__zip, address FROM s ORDER BY id") == [
        ("v", None, None, None),
        ("v", "Y", None, None),
        ("v", "X", "1", '{"extra":1}'),
        ("v", None, None, '"odd"'),
    ]


def test_unlisted_field_does_not_replace_a_flattened_one(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"id": 1, "home": {"city": "a", "at": {"lat": 1}}, "home__city": "secret", "home__at": "secret"}
    for _ in range(2):
        duck.load(schema("s", COLUMNS, ["id"]), *[record("s", row)] * 2, data_flattening_max_level=2)
    assert duck.query("SELECT home__city, home__at__lat FROM s") == [("a", 1.0)]
    assert list(duck.types("s")) == ["id", "home__city", "home__at__lat", "home__at__lon", "tags", "free"]
    assert caplog.text.count("not loaded: home__at, home__city.") == 2


def test_overwritten_tables_record_flattened_objects(duck: Any, schema: Any, record: Any) -> None:
    flat, whole = schema("s", ADDRESS, ["id"]), schema("s", {"id": INTEGER, "address": STRING}, ["id"])
    values = {"id": 1, "address": {"city": "X"}}
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1}
    settings = {"load_method": "overwrite", "data_flattening_max_level": 1}
    duck.load(flat, record("s", values, version=1), activate, **settings)
    duck.load(whole, record("s", {"id": 1, "address": "text"}, version=1), **settings)
    assert duck.query("SELECT address__city, address FROM s") == [(None, "text")]
