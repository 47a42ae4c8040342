"""`nested: native`: STRUCT and LIST columns, or JSON for values that these cannot hold."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from target_duckdb import types

INTEGER = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
STRING = {"type": ["null", "string"]}
BOOLEAN = {"type": ["null", "boolean"]}


def _string_schema(name: str, **more: Any) -> dict[str, Any]:
    return {"type": ["null", "string"], "format": name, **more}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": ["null", "object"], "properties": properties}


def _array(items: Any) -> dict[str, Any]:
    return {"type": ["null", "array"], "items": items}


def _record_line(value: str, n: int = 0, stream: str = "s") -> str:
    return f'{{"type": "RECORD", "stream": "{stream}", "record": {{"id": {n}, "v": {value}}}}}'


def _warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]


@pytest.fixture(name="load")
def load_fixture(duck: Any, schema: Any) -> Any:
    """Loads JSON texts into `v`. Returns the column's type and values."""

    def load(property_: Any, *values: str, sql: str = "v", **settings: Any) -> tuple[str, list[Any]]:
        head = schema("s", {"id": INTEGER, "v": property_}, ["id"])
        first = duck.query("SELECT coalesce(max(id), -1) + 1 FROM s")[0][0] if duck.path.exists() else 0
        lines = [_record_line(value, first + n) for n, value in enumerate(values)]
        duck.load(head, *lines, **{"nested": "native", **settings})
        return duck.types("s")["v"], [value for (value,) in duck.query(f"SELECT {sql} FROM s ORDER BY id")]

    return load


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (_object(a=INTEGER, b=_object(c=STRING)), "STRUCT(a BIGINT, b STRUCT(c VARCHAR))"),
        (_array(STRING), "VARCHAR[]"),
        (_array(_object(a=_string_schema("date-time"))), "STRUCT(a TIMESTAMP WITH TIME ZONE)[]"),
        (_array(_array(_string_schema("singer.decimal"))), "DECIMAL(38,10)[][]"),
        (_array(_object()), "JSON[]"),
        (_object(), "JSON"),
        (_object(a=STRING, A=STRING), "JSON"),
        (_object(a=_object(b=STRING, B=STRING)), "STRUCT(a JSON)"),
        ({"type": "object", "properties": {"": STRING}}, "JSON"),
        ({"type": "object", "properties": {'it\'s "x"': STRING}}, 'STRUCT("it\'s ""x""" VARCHAR)'),
        ({"type": "object", "additionalProperties": STRING}, "JSON"),
        ({"type": "array"}, "JSON"),
        (_array({}), "JSON"),
        (_array([STRING]), "JSON"),
        (_array(items=True), "JSON"),
        ({"type": ["array", "object"], "properties": {"a": STRING}, "items": STRING}, "JSON"),
        ({"type": ["string", "object"], "properties": {"a": STRING}}, "JSON"),
        ({"anyOf": [{"type": "null"}, _object(a=INTEGER)]}, "STRUCT(a BIGINT)"),
        ({"anyOf": [_object(b=INTEGER), _object(a=STRING, b=STRING)]}, "STRUCT(b VARCHAR, a VARCHAR)"),
        ({"$ref": "#/definitions/node"}, 'STRUCT("value" BIGINT, children JSON[])'),
        ({**_object(a=INTEGER), "x-sql-datatype": "JSON"}, "JSON"),
    ],
)
def test_nested_schemas_have_native_types(schema: Any, expected: str) -> None:
    node = _object(value=INTEGER, children=_array({"$ref": "#/definitions/node"}))
    assert types.column_type(schema, {"definitions": {"node": node}}, native=True) == expected
    if expected != "JSON":
        assert types.column_type(schema, {"definitions": {"node": node}}) == "JSON"


def test_native_values_of_every_type_are_loaded(load: Any) -> None:
    properties = _object(
        i=INTEGER, h={"type": "integer", "maximum": 2**70}, n=NUMBER, b=BOOLEAN, s=STRING, d=_string_schema("date"),
        t=_string_schema("time"), at=_string_schema("date-time"),
        local=_string_schema("date-time", **{"x-sql-datatype": "TIMESTAMP"}),
        m=_string_schema("singer.decimal", scale=2), any={}, l=_array(INTEGER),
        o=_array(_object(x=STRING, y=_array(NUMBER))),
    )  # fmt: skip
    value = (
        '{"i": 9007199254740993, "h": 9223372036854775808, "n": 0.1, "b": true, "s": "\\u0000\\ud800é",'
        ' "d": "2024-02-29", "t": "23:59", "at": "2024-01-01T02:00:00.5+02:00", "local": "2024-01-01 10:00:00",'
        ' "m": 12345678901234567.89, "any": {"k": 1.50}, "l": [1, null],'
        ' "o": [{"x": "", "y": [1.5, null]}, null, {}]}'
    )
    type_, rows = load(_array(properties), f"[{value}, {{}}, null]", "null", "[]", '[{"i": null}]')
    assert type_.startswith("STRUCT(i BIGINT, h HUGEINT, n DOUBLE, b BOOLEAN, s VARCHAR, d DATE, ")
    nothing = dict.fromkeys(("i", "h", "n", "b", "s", "d", "t", "at", "local", "m", "any", "l", "o"))
    assert rows == [
        [
            {
                "i": 9007199254740993,
                "h": 9223372036854775808,
                "n": 0.1,
                "b": True,
                "s": "\0\\ud800é",
                "d": date(2024, 2, 29),
                "t": time(23, 59),
                "at": datetime(2024, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
                "local": datetime(2024, 1, 1, 10),  # noqa: DTZ001 - local
                "m": Decimal("12345678901234567.89"),
                "any": '{"k": 1.50}',
                "l": [1, None],
                "o": [{"x": "", "y": [1.5, None]}, None, {"x": None, "y": None}],
            },
            nothing,
            None,
        ],
        None,
        [],
        [nothing],
    ]


# The cases of a test are streams of the same runs: opening a file takes longer than loading a record.
WIDENED: list[tuple[dict[str, Any], str, str, str, Any]] = [
    (INTEGER, "5", "9223372036854775808", "HUGEINT", [5, 2**63]),
    (INTEGER, "5", "1" * 40, "VARCHAR", ["5", "1" * 40]),
    (INTEGER, "5.0", "1.5", "VARCHAR", ["5", "1.5"]),
    (INTEGER, "5", '{"a": 1}', "VARCHAR", ["5", '{"a": 1}']),
    ({**INTEGER, "x-sql-datatype": "TINYINT"}, "5", "128", "HUGEINT", [5, 128]),
    (NUMBER, "0.5", "12345678901234567.89", "VARCHAR", ["0.5", "12345678901234567.89"]),
    (NUMBER, "5", "NaN", "DOUBLE", None),
    (_string_schema("singer.decimal", scale=2), "0.25", "0.125", "VARCHAR", ["0.25", "0.125"]),
    ({**INTEGER, "maximum": 2**70}, "5.0", '"007"', "VARCHAR", ["5", "007"]),
    (BOOLEAN, "1", "2", "VARCHAR", ["true", "2"]),
    (_string_schema("date"), '"2024-01-01T00:00:00Z"', '"2024-02-30"', "VARCHAR", ["2024-01-01", "2024-02-30"]),
    (_string_schema("time"), '"10:00"', '"24:00"', "VARCHAR", ["10:00:00", "24:00"]),
    (
        _string_schema("date-time"),
        '"20240101T020000.0000001+02:00"',
        '"2024-01-01T00:00:60Z"',
        "VARCHAR",
        ["2024-01-01 00:00:00+00", "2024-01-01T00:00:60Z"],
    ),
    (_string_schema("date-time"), '"2024-01-01"', '"soon"', "VARCHAR", ["2024-01-01 00:00:00+00", "soon"]),
]
"""A field's schema, a value that fits, one that does not, the field's type then, and its values."""


def test_scalar_that_does_not_fit_widens_its_field(duck: Any, schema: Any, caplog: pytest.LogCaptureFixture) -> None:
    messages = []
    for number, (item, *values, _, _) in enumerate(WIDENED):
        head = schema(f"s{number}", {"id": INTEGER, "v": _object(a=_array(_object(x=item)))}, ["id"])
        lines = [_record_line(f'{{"a": [{{"x": {value}}}]}}', n, f"s{number}") for n, value in enumerate(values)]
        messages += [head, *lines]
    duck.load(*messages, nested="native")
    for number, (*_, type_, expected) in enumerate(WIDENED):
        assert duck.types(f"s{number}")["v"] == f"STRUCT(a STRUCT(x {type_})[])", WIDENED[number]
        rows = duck.query(f"SELECT list_transform(v.a, lambda i: i.x) FROM s{number} ORDER BY id")
        assert expected is None or [row[0] for (row,) in rows] == expected, WIDENED[number]
        warnings = [warning for warning in _warnings_in(caplog) if f"'s{number}'" in warning]
        assert len(warnings) == (0 if expected is None else 1), WIDENED[number]


@pytest.mark.parametrize(
    ("property_", "fits", "wide_value"),
    [
        (_object(a=INTEGER), '{"a": 1}', '{"a": 1, "b": 1.50}'),
        (_object(a=INTEGER), '{"a": 1}', '{"A": 1}'),
        (_object(a=INTEGER), '{"a": 1}', "[1]"),
        (_object(a=INTEGER), '{"a": 1}', '"text"'),
        (_array(INTEGER), "[1,null]", '{"a": 12345678901234567.89}'),
        (
            _object(a=_object(b=_array(_object(c={})))),
            '{"a":{"b":[{"c":[1.50]}]}}',
            '{"a":{"b":{"c":[1.50]}}}',
        ),
    ],
)
@pytest.mark.parametrize("two_runs", [False, True])
def test_value_of_another_shape_makes_the_column_json(
    *, load: Any, caplog: pytest.LogCaptureFixture, property_: Any, fits: str, wide_value: str, two_runs: bool
) -> None:
    values = [fits, wide_value, "null", fits]
    if two_runs:
        load(property_, values.pop(0))
    type_, rows = load(property_, *values)
    assert type_ == "JSON"
    assert rows == [fits.replace(" ", ""), wide_value, None, fits]
    (warning,) = _warnings_in(caplog)
    assert warning.endswith("to JSON to hold all values.")
    # A later run, and one with `nested: json`, keep the column.
    assert load(property_, fits, nested="json" if two_runs else "native")[1][-1] == fits


def test_json_conversion_keeps_old_rows_exact(load: Any) -> None:
    properties = {
        "it's": _string_schema("singer.decimal"),
        'é"': {},
        "n": NUMBER,
        "l": _array(_array(STRING)),
        "t": _string_schema("date"),
    }
    value = {"it's": 1.5, 'é"': [1.5], "n": 0.1, "l": [[], ["x'"], None], "t": "2024-01-01"}
    text = json.dumps(value).replace('"it\'s": 1.5', '"it\'s": 12345678901234567.89').replace("[1.5]", "[1.50]")
    load({"type": "object", "properties": properties}, text, "{}", "null")
    type_, rows = load({"type": "object"}, "[]")
    assert type_ == "JSON"
    assert rows[0] == (
        '{"it\'s":12345678901234567.8900000000,"é\\"":[1.50],"n":0.1,"l":[[],["x\'"],null],"t":"2024-01-01"}'
    )
    assert json.loads(rows[1]) == dict.fromkeys(value)
    assert rows[2:] == [None, "[]"]


CHANGED: list[tuple[Any, ...]] = [
    (
        _object(a=INTEGER), '{"a": 1}', _object(b=STRING, a=INTEGER), '{"b": "x"}',
        "STRUCT(a BIGINT, b VARCHAR)", [{"a": 1, "b": None}, {"a": None, "b": "x"}],
    ),
    (
        _array(_object(a=_object(x=INTEGER))), '[{"a": {"x": 1}}, null]',
        _array(_object(a=_object(x=STRING, y=BOOLEAN))), '[{"a": {"x": "z", "y": true}}]',
        "STRUCT(a STRUCT(x VARCHAR, y BOOLEAN))[]",
        [[{"a": {"x": "1", "y": None}}, None], [{"a": {"x": "z", "y": True}}]],
    ),
    (_array(INTEGER), "[1]", _array({"type": "integer", "maximum": 2**70}), "[2]", "HUGEINT[]", [[1], [2]]),
    (_array(INTEGER), "[1]", _array(NUMBER), "[0.5]", "VARCHAR[]", [["1"], ["0.5"]]),
    (_object(a=INTEGER), '{"a": 1}', _object(A=INTEGER), '{"A": 2}', "JSON", ['{"a":1}', '{"A": 2}']),
    (_object(a={}), '{"a": "x"}', _object(a=STRING), '{"a": "x"}', "STRUCT(a JSON)", [{"a": '"x"'}] * 2),
    (_object(a=INTEGER), '{"a": 1}', _object(a={}), '{"a": {}}', "STRUCT(a JSON)", [{"a": "1"}, {"a": "{}"}]),
    (_object(a=_array(INTEGER)), '{"a": [1]}', _object(a={}), '{"a": 1.50}', "JSON", ['{"a":[1]}', '{"a": 1.50}']),
    (INTEGER, "1", _array(INTEGER), "[1]", "JSON", ["1", "[1]"]),
    (_array(INTEGER), "[1]", STRING, '"x"', "JSON", ["[1]", '"x"']),
]  # fmt: skip
"""The type and a value before, both after, and the column's type and values then."""


def test_changed_nested_types_widen_the_column(duck: Any, schema: Any) -> None:
    for n in (0, 1):
        runs = [(f"s{number}", case[2 * n], case[2 * n + 1]) for number, case in enumerate(CHANGED)]
        heads = [schema(stream, {"id": INTEGER, "v": property_}, ["id"]) for stream, property_, _ in runs]
        duck.load(*heads, *(_record_line(value, n, stream) for stream, _, value in runs), nested="native")
    for number, case in enumerate(CHANGED):
        values = [value for (value,) in duck.query(f"SELECT v FROM s{number} ORDER BY id")]
        assert (duck.types(f"s{number}")["v"], values) == case[4:], case


def test_tables_created_with_the_other_setting_keep_their_type(load: Any) -> None:
    property_ = _object(a=INTEGER)
    load(property_, '{"a": 1.0}', nested="json")
    assert load(property_, '{"a": 2.0}') == ("JSON", ['{"a": 1.0}', '{"a": 2.0}'])


def test_deletion_marks_keep_nested_values(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "v": _object(a=INTEGER), "w": _array(STRING)}, ["id"])
    duck.load(head, record("s", {"id": 1, "v": {"a": 1}, "w": ["x"]}), nested="native")
    mark = record("s", {"id": 1, "w": ["y"], "_sdc_deleted_at": "2024-01-01T00:00:00Z"})
    duck.load(head, mark, nested="native", batch_size_rows=1)
    assert duck.query("SELECT id, v, w FROM s") == [(1, {"a": 1}, ["y"])]


def test_long_lists_and_texts_are_loaded(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "v": _array(_object(text=STRING, flag=BOOLEAN))}, ["id"])
    rows = [[{}] * 200_000, [{"text": "\0" * 2_000_000}], [{"text": "x", "flag": False}]]
    duck.load(head, *(record("s", {"id": n, "v": row}) for n, row in enumerate(rows)), nested="native")
    assert duck.query("SELECT len(v), length(v[1].text), v[1].flag FROM s ORDER BY id") == [
        (200_000, None, None), (1, 2_000_000, None), (1, 1, False),
    ]  # fmt: skip


def test_random_values_are_exact(duck: Any, schema: Any, record: Any) -> None:
    chance = random.Random(3)
    texts = ["", "x", "é\0", "null", "[1]", "it's"]
    leaves: dict[str, Any] = {"i": INTEGER, "s": STRING, "b": BOOLEAN, "n": NUMBER}

    def leaf(kind: str) -> Any:
        values = {"i": [0, -1, 2**63 - 1], "s": texts, "b": [True, False], "n": [0.5, 1e22, -1e-9]}
        return chance.choice([None, *values[kind]])

    def value(depth: int) -> Any:
        row = {kind: leaf(kind) for kind in leaves}
        row["l"] = None if depth == 3 else [value(depth + 1) for _ in range(chance.randrange(3))]
        return chance.choice([None, row, row]) if depth else row

    def property_(depth: int) -> dict[str, Any]:
        return _object(**leaves, l=_array(property_(depth + 1)) if depth < 3 else _array(INTEGER))

    rows = [{"id": n, "v": value(0)} for n in range(200)]
    messages = [schema("s", {"id": INTEGER, "v": property_(0)}, ["id"]), *(record("s", row) for row in rows)]
    duck.load(*messages, nested="native", batch_size_rows=70)
    assert duck.types("s")["v"].startswith("STRUCT(")
    assert duck.query("SELECT id, v FROM s ORDER BY id") == [(row["id"], row["v"]) for row in rows]
