"""Every row and value is loaded, for any shape of records, number of rows and metadata columns."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

STRING: dict[str, Any] = {"type": ["null", "string"]}
INTEGER: dict[str, Any] = {"type": ["null", "integer"]}
NUMBER: dict[str, Any] = {"type": ["null", "number"]}
DATE_TIME: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}


def _text_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    words = [
        "",
        "a",
        "null",
        "NULL",
        "'single'",
        '"double"',
        "a,b",
        "x\ny\r\n",
        " pad ",
        "\\N",
        "é日本😀",
        "\x00z",
        "\t",
    ]
    values = {"first": words[n % 13], "Last Name": words[(n + 5) % 13], "note": None if n % 3 else f"n{n}"}
    return values, values


def _number_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values = {
        "small": -n,
        "large": [2**63 - 1, -(2**63), 0][n % 3],
        "ratio": [0.1, 1e-7, 123456789.125, -0.0, 1.7976931348623157e308][n % 5],
        "flag": [True, False, None][n % 3],
    }
    return values, values


def _timestamp_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    moment = datetime(2024, 3, 31, 23, 59, 59, 123456, tzinfo=UTC) + timedelta(days=n)
    hours = [0, 2, -5, 14][n % 4]
    local = (moment + timedelta(hours=hours)).replace(tzinfo=None).isoformat()
    return {"at": f"{local}{hours:+03d}:00" if hours else f"{local}Z"}, {"at": moment}


def _date_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    day = date(1900, 1, 1) + timedelta(days=n * 977)
    clock = time(n % 24, n % 60, n % 60, n)
    moment = datetime.combine(day, clock)
    return (
        {"day": day.isoformat(), "clock": clock.isoformat(), "local": moment.isoformat()},
        {"day": day, "clock": clock, "local": moment},
    )


def _decimal_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    amount = Decimal(f"12345678901234567{n}.89")
    return (
        {"text": str(amount), "cents": n + 0.25, "huge": 2**63 + n},
        {"text": amount, "cents": Decimal(n) + Decimal("0.25"), "huge": 2**63 + n},
    )


def _nested_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    values = {
        "object": {"a": 1.5, "b": {"c": [n, None, "é"]}},
        "list": ["x", {"y": n}],
        "any": ["s", n, True, None][n % 4],
    }
    return values, {key: None if value is None else json.dumps(value) for key, value in values.items()}


def _mixed_values(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = [shape(n) for shape in (_text_values, _number_values, _timestamp_values, _nested_values)]
    return {k: v for part in parts for k, v in part[0].items()}, {k: v for part in parts for k, v in part[1].items()}


PROPERTIES: dict[str, dict[str, Any]] = {
    "text": {"first": STRING, "Last Name": STRING, "note": STRING},
    "numbers": {"small": INTEGER, "large": INTEGER, "ratio": NUMBER, "flag": {"type": ["null", "boolean"]}},
    "instants": {"at": DATE_TIME},
    "days": {
        "day": {"type": ["null", "string"], "format": "date"},
        "clock": {"type": ["null", "string"], "format": "time"},
        "local": {**DATE_TIME, "x-sql-datatype": "TIMESTAMP"},
    },
    "decimals": {
        "text": {"type": ["null", "string"], "format": "singer.decimal"},
        "cents": {"type": ["null", "number"], "multipleOf": 0.01},
        "huge": {"type": ["null", "integer"], "maximum": 2**70},
    },
    "nested": {"object": {"type": ["null", "object"]}, "list": {"type": ["null", "array"]}, "any": {}},
}
PROPERTIES["mixed"] = {k: v for name in ("text", "numbers", "instants", "nested") for k, v in PROPERTIES[name].items()}
SHAPES: dict[str, Any] = {
    "text": _text_values,
    "numbers": _number_values,
    "instants": _timestamp_values,
    "days": _date_values,
    "decimals": _decimal_values,
    "nested": _nested_values,
    "mixed": _mixed_values,
}


@pytest.mark.parametrize("metadata", [False, True])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_every_value_is_loaded(*, duck: Any, schema: Any, record: Any, count: int, metadata: bool) -> None:
    messages = []
    for shape, values_of in SHAPES.items():
        messages += [
            schema(shape, {"id": INTEGER, **PROPERTIES[shape]}, ["id"]),
            *(record(shape, {"id": n, **values_of(n)[0]}, time_extracted="2024-01-01T00:00:00Z") for n in range(count)),
        ]
    states = duck.load(*messages, {"type": "STATE", "value": {"done": True}}, add_metadata_columns=metadata)
    assert states == ['{"done": true}']
    for shape, values_of in SHAPES.items():
        names = ["id", *PROPERTIES[shape]]
        columns = ", ".join(f'"{name}"' for name in names)
        arrived = duck.query(f"SELECT {columns} FROM {shape} ORDER BY id")
        expected = [(n, *(values_of(n)[1][name] for name in names[1:])) for n in range(count)]
        assert arrived == expected, shape
        assert [math.copysign(1, value) for row in arrived for value in row if isinstance(value, float)] == [
            math.copysign(1, value) for row in expected for value in row if isinstance(value, float)
        ]
        metadata_columns = [name for name in duck.types(shape) if name.startswith("_sdc_")]
        if not metadata:
            assert metadata_columns == []
            continue
        assert metadata_columns == [
            "_sdc_extracted_at",
            "_sdc_received_at",
            "_sdc_batched_at",
            "_sdc_sequence",
            "_sdc_table_version",
            "_sdc_deleted_at",
        ]
        filled = duck.query(
            "SELECT DISTINCT _sdc_extracted_at, _sdc_received_at <= _sdc_batched_at,"
            f" epoch_us(_sdc_received_at) // 1000 = _sdc_sequence, _sdc_table_version, _sdc_deleted_at FROM {shape}"
        )
        assert filled == [(datetime(2024, 1, 1, tzinfo=UTC), True, True, None, None)]


def _messages_of(schema: Any, stream: str, property_: dict[str, Any], texts: Iterable[str]) -> list[Any]:
    """Returns RECORD messages with the ids 0, 1, ..., and the JSON texts as a property."""
    raw = [
        f'{{"type": "RECORD", "stream": "{stream}", "record": {{"id": {n}, "v": {text}}}}}'
        for n, text in enumerate(texts)
    ]
    return [schema(stream, {"id": {"type": "integer"}, "v": property_}, ["id"]), *raw]


def _read_column(duck: Any, stream: str) -> tuple[str, list[Any]]:
    """Returns the column's type and values."""
    return duck.types(stream)["v"], [value for (value,) in duck.query(f"SELECT v FROM {stream} ORDER BY id")]


def _load_one(duck: Any, schema: Any, property_: dict[str, Any], *texts: str) -> list[tuple[str, Any]]:
    """Loads JSON texts as a property of rows 0, 1, ... Returns the column's type and values."""
    duck.load(*_messages_of(schema, "s", property_, texts))
    type_, values = _read_column(duck, "s")
    return [(type_, value) for value in values]


INSTANT = datetime(2024, 1, 1, 5, 0, 0, 123456, tzinfo=UTC)

UNEXPECTED: list[tuple[dict[str, Any], list[str], str, list[Any]]] = [
    # Values that DuckDB's JSON reader would round, truncate or reject.
    (INTEGER, ["1", "1.5"], "VARCHAR", ["1", "1.5"]),
    (INTEGER, ["1", "9223372036854775808"], "HUGEINT", [1, 2**63]),
    (INTEGER, ["-5", "1" * 40], "VARCHAR", ["-5", "1" * 40]),
    (INTEGER, ["1", "1" * 5000], "VARCHAR", ["1", "1" * 5000]),
    (INTEGER, ["1.0", "1e2", '"12"'], "BIGINT", [1, 100, 12]),
    (INTEGER, ['"+7"', '"1e2"', '"1.2E1"', '"3.0"'], "BIGINT", [7, 100, 12, 3]),
    (INTEGER, ["1", '"1e-2"', '"+-1"'], "VARCHAR", ["1", "1e-2", "+-1"]),
    (INTEGER, ["1", "true"], "VARCHAR", ["1", "true"]),
    (INTEGER, ["1", '"012"'], "VARCHAR", ["1", "012"]),
    (INTEGER, ["1", '""'], "VARCHAR", ["1", ""]),
    (INTEGER, ["1", '{"a": 1.50}'], "VARCHAR", ["1", '{"a": 1.50}']),
    (NUMBER, ["0.5", "1e400"], "VARCHAR", ["0.5", "1e400"]),
    (NUMBER, ["0.5", '"x"'], "VARCHAR", ["0.5", "x"]),
    (NUMBER, ["0.5", "false"], "VARCHAR", ["0.5", "false"]),
    (NUMBER, ["0.5", '"nan"'], "VARCHAR", ["0.5", "nan"]),
    (NUMBER, ["0.5", '"1.50"', '"1.5"'], "VARCHAR", ["0.5", "1.50", "1.5"]),
    (NUMBER, ['"1.5"', '"2"'], "DOUBLE", [1.5, 2.0]),
    (NUMBER, ['"1.5E-7"', '"+2"', '"1e3"', '"+1.5"'], "DOUBLE", [1.5e-7, 2.0, 1000.0, 1.5]),
    (NUMBER, ['"+9007199254740993"', '"1_0E2"'], "VARCHAR", ["+9007199254740993", "1_0E2"]),
    (NUMBER, ["Infinity", "-Infinity"], "DOUBLE", [math.inf, -math.inf]),
    ({"type": "boolean"}, ["true", '"false"'], "BOOLEAN", [True, False]),
    (
        {"type": "boolean"},
        ["1", "0", '"1"', '"0"', "0.0", '"False"'],
        "BOOLEAN",
        [True, False, True, False, False, False],
    ),
    ({"type": "boolean"}, ["true", "1", "2"], "VARCHAR", ["true", "true", "2"]),
    (
        {"type": "string", "format": "date"},
        ['"2024-01-01"', '"2024-01-01T05:00:00"'],
        "VARCHAR",
        ["2024-01-01", "2024-01-01T05:00:00"],
    ),
    ({"type": "string", "format": "date"}, ['"2024-01-01T00:00:00Z"'], "DATE", [date(2024, 1, 1)]),
    ({"type": "string", "format": "date"}, ['"2024-02-30"'], "VARCHAR", ["2024-02-30"]),
    ({"type": "string", "format": "date"}, ['"soon"', "7"], "VARCHAR", ["soon", "7"]),
    ({"type": "string", "format": "time"}, ['"05:00:00+02:00"'], "VARCHAR", ["05:00:00+02:00"]),
    # Other formats of times. Digits beyond microseconds are truncated.
    (
        DATE_TIME,
        [
            f'"{text}"'
            for text in (
                "2024-01-01T05:00:00.1234567Z",
                "2024-01-01t05:00:00.123456789z",
                "2024-01-01T05:00:00,123456Z",
                "20240101T050000.123456Z",
                "20240101 070000.12345699+0200",
                "2024-01-01 05:00:00.123456 UTC",
                "2024-01-01 07:00:00.123456 +02:00",
            )
        ],
        "TIMESTAMPTZ",
        [INSTANT] * 7,
    ),
    (
        DATE_TIME,
        ['"20240101"', '"20240101T0000Z"', '"20240101T00"', '"2024-01-01T00Z"', '""'],
        "TIMESTAMPTZ",
        [datetime(2024, 1, 1, tzinfo=UTC)] * 4 + [None],
    ),
    (DATE_TIME, ['"20240101T050000.123456Z"', '""', '"soon"'], "VARCHAR", [f"{INSTANT}"[:-3], "", "soon"]),
    (DATE_TIME, ['"20241301"', '"2024-W01-1"'], "VARCHAR", ["20241301", "2024-W01-1"]),
    (
        {**DATE_TIME, "x-sql-datatype": "TIMESTAMP"},
        ['"20240101t050000.123456"', '"2024-01-01T05:00:00.123456789"'],
        "TIMESTAMP",
        [INSTANT.replace(tzinfo=None)] * 2,
    ),
    (
        {"type": "string", "format": "date"},
        ['"20240101"', '"20240101T000000Z"', '""'],
        "DATE",
        [date(2024, 1, 1)] * 2 + [None],
    ),
    (
        {"type": "string", "format": "time"},
        ['"05:00:00.1234567"', '"05:00:00,123456"'],
        "TIME",
        [time(5, 0, 0, 123456)] * 2,
    ),
    (
        DATE_TIME,
        ['"2024-01-01T05:00:00.1234560Z"', '"2024-01-01 07:00:00.123456+0200"'],
        "TIMESTAMPTZ",
        [INSTANT, INSTANT],
    ),
    (
        DATE_TIME,
        ['"2024-01-01T05:00:00.123456"', '"2024-01-01"'],
        "TIMESTAMPTZ",
        [INSTANT, datetime(2024, 1, 1, tzinfo=UTC)],
    ),
    (DATE_TIME, ['""', "1700000000"], "VARCHAR", ["", "1700000000"]),
    (
        {**DATE_TIME, "x-sql-datatype": "TIMESTAMP"},
        ['"2024-01-01T05:00:00+02:00"'],
        "VARCHAR",
        ["2024-01-01T05:00:00+02:00"],
    ),
    (
        {"type": "number", "multipleOf": 0.01},
        ["12345678901234567.89", "1e3"],
        "DECIMAL(38,2)",
        [Decimal("12345678901234567.89"), Decimal(1000)],
    ),
    ({"type": "number", "multipleOf": 0.01}, ["0.125"], "DECIMAL(38,3)", [Decimal("0.125")]),
    (
        {"type": "string", "format": "singer.decimal"},
        ['"0E-10"', '"1E+3"', "1.5"],
        "DECIMAL(38,10)",
        [Decimal(0), Decimal(1000), Decimal("1.5")],
    ),
    (
        {"type": "string", "format": "singer.decimal"},
        ['"+1.50"', '"+1.5e1"'],
        "DECIMAL(38,10)",
        [Decimal("1.5"), Decimal(15)],
    ),
    ({"type": "string", "format": "singer.decimal"}, ['"NaN"', '"1.5"'], "VARCHAR", ["NaN", "1.5"]),
    (
        {"type": "string", "format": "singer.decimal"},
        [f'"{"9" * 30}.{"9" * 9}"'],
        "VARCHAR",
        [f"{'9' * 30}.{'9' * 9}"],
    ),
    ({"type": "integer", "maximum": 2**100}, [str(2**100), "-5", "1.0"], "HUGEINT", [2**100, -5, 1]),
    ({"type": "integer", "maximum": 2**100}, ["1", '"007"'], "VARCHAR", ["1", "007"]),
    ({"type": "string", "format": "singer.decimal"}, ['"007.5"'], "VARCHAR", ["007.5"]),
    # Text columns hold any value as JSON text.
    (
        STRING,
        ['"x"', "1.50", "true", "12345678901234567.89", '{"a":  1.50}', "[]"],
        "VARCHAR",
        ["x", "1.50", "true", "12345678901234567.89", '{"a":  1.50}', "[]"],
    ),
    (
        STRING,
        [r'"a\u0000b"', r'"\ud83d\ude00"', r'"\ud800!"', r'"\\ud800"'],
        "VARCHAR",
        ["a\0b", "😀", r"\ud800!", r"\ud800"],
    ),
    (STRING, [r'"\udc00"', r'"\ud800A"'], "VARCHAR", [r"\udc00", r"\ud800A"]),
    # JSON columns keep the text.
    (
        {"type": "object"},
        ['{"n": 12345678901234567.89, "m":1.50, "k":1,"K":2,"k":3}'],
        "JSON",
        ['{"n": 12345678901234567.89, "m":1.50, "k":1,"K":2,"k":3}'],
    ),
    ({"type": "object"}, ["[" * 300 + "]" * 300], "JSON", ["[" * 300 + "]" * 300]),
    ({"type": "object"}, [r'{"a": "\ud800"}'], "JSON", [r'{"a": "\\ud800"}']),
    ({"type": "object"}, [r'{"a": "x\u0000y"}'], "JSON", [r'{"a": "x\u0000y"}']),
    ({"type": "object"}, ['{"a": NaN, "b": 1.50}'], "JSON", ['{"a": "NaN", "b": 1.50}']),
    ({"type": "object"}, ['"text"', "7", "null"], "JSON", ['"text"', "7", None]),
    # Types from x-sql-datatype.
    ({"type": "string", "x-sql-datatype": "uuid"}, ['"not-a-uuid"'], "VARCHAR", ["not-a-uuid"]),
    ({"type": "integer", "x-sql-datatype": "SMALLINT"}, ["5", "70000"], "VARCHAR", ["5", "70000"]),
    ({"type": "integer", "x-sql-datatype": "SMALLINT"}, ["5", "-7"], "SMALLINT", [5, -7]),
    ({"type": "integer", "x-sql-datatype": "UBIGINT"}, [str(2**64 - 1)], "UBIGINT", [2**64 - 1]),
    ({"type": "string", "x-sql-datatype": "VARCHAR(9)"}, ['"0123456789"'], "VARCHAR", ["0123456789"]),
    ({"type": "string", "x-sql-datatype": "no_such_type"}, ['"x"'], "VARCHAR", ["x"]),
]


def test_values_of_unexpected_types_are_kept(duck: Any, schema: Any) -> None:
    # All in one run: opening a file takes longer than loading a record.
    heads = [_messages_of(schema, f"s{number}", case[0], case[1]) for number, case in enumerate(UNEXPECTED)]
    duck.load(*itertools.chain(*heads))
    short = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    for number, case in enumerate(UNEXPECTED):
        _, _, type_, values = case
        found, rows = _read_column(duck, f"s{number}")
        assert (short.get(found, found), rows) == (type_, values), case


def test_nan_is_a_double(duck: Any, schema: Any) -> None:
    ((type_, value),) = _load_one(duck, schema, NUMBER, "NaN")
    assert type_ == "DOUBLE"
    assert math.isnan(value)


def test_value_of_many_megabytes_is_loaded(duck: Any, schema: Any) -> None:
    big = "x" * 18_000_000
    ((_, value), (_, other)) = _load_one(duck, schema, STRING, json.dumps(big), '"y"')
    assert value == big
    assert other == "y"


def test_widening_warns_once_and_without_values(duck: Any, schema: Any, caplog: pytest.LogCaptureFixture) -> None:
    _load_one(duck, schema, INTEGER, "1", '"secret-1"', "2", '"secret-2"')
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warnings == ["Stream 's': column 'v' was widened from BIGINT to VARCHAR to hold all values."]
    assert "secret" not in caplog.text


def test_unlisted_fields_are_reported_once_and_not_loaded(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(
        schema("s", {"id": INTEGER}, ["id"]),
        record("s", {"id": 1, "extra": "secret", "more": 1}),
        record("s", {"id": 2, "extra": "secret"}),
        record("s", {"id": 3, "third": None}),
    )
    assert duck.query("FROM s ORDER BY 1") == [(1,), (2,), (3,)]
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert [warning.rsplit(": ", 1)[1] for warning in warnings] == ["extra, more.", "third."]
    assert "secret" not in caplog.text
