"""Widening keeps keys and digits; large records, private files and columns of other owners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError
from target_duckdb.database import parse_size
from target_duckdb.streams import RecordDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

INTEGER = {"type": "integer"}
NUMBER = {"type": ["null", "number"]}
STRING = {"type": ["null", "string"]}


def _string_schema(name: str) -> dict[str, Any]:
    return {"type": "string", "format": name}


def _record_lines(*values: str, stream: str = "s") -> list[str]:
    """Creates RECORD lines from JSON texts for the property `k`."""
    return [
        f'{{"type": "RECORD", "stream": "{stream}", "record": {{"k": {value}, "v": "{n}"}}}}'
        for n, value in enumerate(values)
    ]


# The cases of a test are streams of the same runs: opening a file takes longer than loading a record.
WIDENED: list[tuple[dict[str, Any], list[str], list[str], str]] = [
    (
        _string_schema("date-time"),
        ['"2024-01-01T10:00:00Z"', '"2024-01-01T12:00:00+02:00"'],
        ['"soon"', '"2024-01-01T10:00:00.1234567Z"'],
        "2024-01-01 10:00:00+00",
    ),
    (_string_schema("date"), ['"2024-01-01"', '"2024-01-01T00:00:00Z"'], ['"2024-01-01T10:00:00Z"'], "2024-01-01"),
    (_string_schema("time"), ['"10:00"', '"10:00:00"'], ['"10:00:00+01:00"'], "10:00:00"),
    (
        {**_string_schema("date-time"), "x-sql-datatype": "TIMESTAMP"},
        ['"2024-01-01T10:00:00"', '"2024-01-01 10:00"'],
        ['"2024-01-01T10:00:00Z"'],
        "2024-01-01 10:00:00",
    ),
    ({"type": "number", "multipleOf": 0.01}, ["1.5", "1.50", "1.500"], ['"abc"', "1.125"], "1.5"),
    (_string_schema("singer.decimal"), ['"10"', '"10.0"', "1e1"], ['"abc"'], "10"),
    (NUMBER, ["1", "1.0", "1e0", '"1"'], ['"abc"', "9007199254740993"], "1"),
    (NUMBER, ["0.5", "5e-1", "0.50"], ['"abc"'], "0.5"),
    (NUMBER, ["1e-7", "0.0000001"], ['"abc"'], "1e-07"),
    (NUMBER, ["-0.0"], ['"abc"'], "-0.0"),
    (INTEGER, ["1", "1.0", "1e0", '"1"'], ['"abc"', "1.5"], "1"),
    ({**INTEGER, "maximum": 2**70}, ["1", "1.0", '"1"'], ['"007"'], "1"),
    ({"type": "boolean"}, ["true", '"true"', "1", '"1"'], ['"abc"'], "true"),
    ({**_string_schema("singer.decimal"), "scale": 38}, ['"0.5"', '"5E-1"', "0.500"], ['"7"'], "0.5"),
]
"""A key's schema, forms of one value, values that widen its column, and the text of the value then."""


def test_widened_key_stays_one_row(duck: Any, schema: Any) -> None:
    heads = [schema(f"s{n}", {"k": case[0], "v": STRING}, ["k"]) for n, case in enumerate(WIDENED)]

    def load(values_of: Callable[[list[str], list[str]], list[str]], **settings: int) -> None:
        lines = [_record_lines(*values_of(*case[1:3]), stream=f"s{n}") for n, case in enumerate(WIDENED)]
        by_turns = [line for step in zip_longest(*lines) for line in step if line]
        duck.load(*heads, *by_turns, **settings)

    # Batches have about two rows of each stream.
    load(
        lambda forms, others: [value for form in forms for value in (form, *others, form)],
        batch_size_rows=2 * len(WIDENED),
    )
    for values_of in (lambda forms, _: forms[::-1], lambda forms, others: [*others, *forms]):
        load(values_of)
        for n, (_, _, other_values, text) in enumerate(WIDENED):
            expected = {text, *(json.loads(value) if value.startswith('"') else value for value in other_values)}
            rows = duck.query(f"SELECT k FROM s{n}")
            assert len(rows) == len(expected), WIDENED[n]
            assert {k for (k,) in rows} == expected, WIDENED[n]


CHANGED: list[tuple[list[dict[str, Any]], list[str], str]] = [
    ([INTEGER, NUMBER], ["7", "7.0", "7E0", '"+7"'], "DOUBLE"),
    ([INTEGER, _string_schema("singer.decimal")], ["7", "7.0", "7E0", '"7.00"'], "DECIMAL(38,10)"),
    ([INTEGER, {**_string_schema("singer.decimal"), "scale": 38}], ["7", "7.0", '"7"'], "VARCHAR"),
    ([INTEGER, {**INTEGER, "maximum": 2**70}, NUMBER], ["7", "7.0", '"7"', "7e0"], "DOUBLE"),
    ([_string_schema("singer.decimal"), NUMBER], ['"0.5"', "0.50", "5e-1"], "VARCHAR"),
    ([NUMBER, STRING], ["7", '"7"'], "VARCHAR"),
    ([{**_string_schema("singer.decimal"), "scale": 2}, STRING], ['"-0.25"', '"-0.25"'], "VARCHAR"),
    (
        [_string_schema("date"), _string_schema("date-time"), _string_schema("date")],
        ['"2024-01-01"', '"2024-01-01T00:00:00Z"', '"20240101"'],
        "TIMESTAMP WITH TIME ZONE",
    ),
]
"""A key's schemas, one per run, forms of one value, and the column's type at the end."""


def test_key_with_changed_schema_stays_one_row(duck: Any, schema: Any) -> None:
    runs = max(len(schemas) for schemas, _, _ in CHANGED)
    for run in range(runs):
        messages = []
        for n, (schemas, forms, _) in enumerate(CHANGED):
            number = run - runs + len(schemas)
            if number >= 0:
                last = number == len(schemas) - 1
                messages += [schema(f"s{n}", {"k": schemas[number], "v": STRING}, ["k"])]
                messages += _record_lines(*(forms if last else forms[:1]), stream=f"s{n}")
        duck.load(*messages)
    for n, (_, forms, type_) in enumerate(CHANGED):
        assert duck.types(f"s{n}")["k"] == type_, CHANGED[n]
        assert duck.query(f"SELECT v FROM s{n}") == [(str(len(forms) - 1),)], CHANGED[n]


@pytest.mark.parametrize(
    ("type_", "offset", "text"),
    [
        ("TIMESTAMPTZ_NS", "+02:00", "2024-01-01 08:00:00.1234567+00"),
        ("TIMESTAMP_NS", "", "2024-01-01 10:00:00.1234567"),
    ],
)
def test_nanoseconds_are_kept_with_x_sql_datatype(
    *, duck: Any, schema: Any, type_: str, offset: str, text: str
) -> None:
    head = schema("s", {"k": {**_string_schema("date-time"), "x-sql-datatype": type_}, "v": STRING}, ["k"])
    first = f'"2024-01-01T10:00:00.1234567{offset}"'
    duck.load(head, *_record_lines(first, f'"2024-01-01T10:00:00.1234568{offset}"', first))
    assert duck.types("s")["k"] == type_
    assert duck.query("SELECT CAST(k AS VARCHAR), v FROM s ORDER BY k LIMIT 1") == [(text, "2")]
    outside = ["1500-01-01T10:00:00", "2024-01-01T10:00:00.1234567891"]  # years and digits that it cannot hold
    duck.load(head, *_record_lines(*(f'"{value}{offset}"' for value in outside), first))
    assert duck.types("s")["k"] == "VARCHAR"
    assert {k for (k,) in duck.query("SELECT k FROM s")} >= {text, *(f"{value}{offset}" for value in outside)}
    assert duck.query("SELECT count(*) FROM s") == [(4,)]


def test_loading_twice_keeps_text_unchanged(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "at": _string_schema("date-time")}, ["id"])
    messages = [record("s", {"id": 1, "at": "2024-01-01T10:00:00Z"}), record("s", {"id": 2, "at": "soon"})]
    duck.load(head, *messages)
    before = duck.query("FROM s ORDER BY id")
    duck.load(head, messages[0])
    assert duck.query("FROM s ORDER BY id") == before == [(1, "2024-01-01 10:00:00+00"), (2, "soon")]


@pytest.mark.parametrize("key", ["id", "v"])
def test_numbers_that_a_double_cannot_hold_are_kept_as_text(
    duck: Any, schema: Any, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    texts = ["9007199254740993", "-9007199254740993", "9223372036854775809", "12345678901234567.89", "1" * 40]
    texts += ["0.1000000000000000055", "1E-400", "1e-999999999999999999999", "1e999999999999999999999"]
    texts += ["1.2345678901234e-320"]
    messages = []
    for name, text in enumerate(texts):
        messages += [schema(str(name), {"id": INTEGER, "v": NUMBER}, [key])]
        messages += [
            f'{{"type": "RECORD", "stream": "{name}", "record": {{"id": {n}, "v": {v}}}}}'
            for n, v in enumerate(("0.5", text))
        ]
    for run in range(2):
        caplog.clear()
        duck.load(*messages)
        for name, text in enumerate(texts):
            assert duck.query(f'FROM "{name}" ORDER BY id') == [(0, "0.5"), (1, text)]
        assert sorted(entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING") == [
            f"Stream '{name}': column 'v' was widened from DOUBLE to VARCHAR to hold all values."
            for name in range(len(texts) if run == 0 else 0)
        ]


def test_numbers_that_a_double_holds_stay_numbers(duck: Any, schema: Any) -> None:
    texts = ["0.1", "4000.5", "0", "-0.0", "0.0", "0.000", "0.30000000000000004", "9007199254740992", "1e22", "1.50"]
    texts += [
        "10000000000000000000000",
        "1.7976931348623157e308",
        "5e-324",
        "0.14285714285714285",
        "1.0000000000000000",
        "9223372036854775808",
        "-9223372036854775808.0",
        "9223372036854777856",
        "340282366920938463463374607431768211456",
    ]
    raw = [f'{{"type": "RECORD", "stream": "s", "record": {{"id": {n}, "v": {v}}}}}' for n, v in enumerate(texts)]
    duck.load(schema("s", {"id": INTEGER, "v": NUMBER}, ["id"]), *raw)
    assert duck.types("s")["v"] == "DOUBLE"
    assert [repr(value) for (value,) in duck.query("SELECT v FROM s ORDER BY id")] == [repr(float(v)) for v in texts]


def test_integer_with_a_huge_exponent_is_kept_as_text(duck: Any, schema: Any) -> None:
    duck.load(schema("s", {"k": INTEGER, "v": STRING}, ["k"]), *_record_lines("1", "1e999999999999999999999"))
    assert duck.query("SELECT k FROM s ORDER BY k") == [("1",), ("1e999999999999999999999",)]


# Large records


@pytest.mark.parametrize(
    ("count", "size", "nested"),
    [(12, 5_000_000, True), (1, 100_000_000, False)],
)
def test_large_records_load_with_the_default_memory(
    *, duck: Any, schema: Any, count: int, size: int, nested: bool
) -> None:
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config()))
    source = duck.folder / "input"
    value = json.dumps({"z": "y" * size} if nested else "y" * size)
    with source.open("w") as file:
        head = schema("s", {"id": INTEGER, "v": {"type": "object" if nested else "string"}}, ["id"])
        file.write(json.dumps(head) + "\n")
        for n in range(count):
            file.write(f'{{"type": "RECORD", "stream": "s", "record": {{"id": {n}, "v": {value}}}}}\n')
    command = [sys.executable, "-m", "target_duckdb", "--config", str(config), "--input", str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    expected = len(value) if nested else size
    assert duck.query("SELECT count(*), min(length(v)), max(length(v)) FROM s") == [(count, expected, expected)]


def test_batch_size_is_limited_by_memory_limit(duck: Any, schema: Any, record: Any) -> None:
    messages: list[Any] = [schema("s", {"id": INTEGER, "v": STRING}, ["id"])]
    for n in range(6):
        messages += [record("s", {"id": n, "v": "x" * 900_000}), {"type": "STATE", "value": n}]
    assert duck.load(*messages, memory_limit="40MB") == ["1", "4", "5"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MB", 512_000_000), ("1.5 GiB", 3 << 29), ("100kb", 100_000), ("64", 64), ("80%", 512_000_000)],
)
def test_sizes_of_any_unit_are_parsed(text: str, size: int) -> None:
    assert parse_size(text) == size


# Types that a schema names


@pytest.mark.parametrize(
    ("type_", "schema_", "values", "expected"),
    [
        ("FLOAT", {"type": "number"}, [0.1, 16777217], "DOUBLE"),
        ("TIMESTAMP_S", {"type": "string"}, ["2024-01-01T00:00:00.1", "2024-01-01T00:00:00.2"], "VARCHAR"),
        ("TIMESTAMP_MS", {"type": "string"}, ["2024-01-01T00:00:00.0001"], "VARCHAR"),
        ("UUID", {"type": "string"}, ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"], "VARCHAR"),
        ("BLOB", {"type": "string"}, [r"a\x41"], "VARCHAR"),
    ],
)
def test_lossy_x_sql_datatype_is_ignored(
    *,
    duck: Any,
    schema: Any,
    record: Any,
    caplog: pytest.LogCaptureFixture,
    type_: str,
    schema_: Any,
    values: list[Any],
    expected: str,
) -> None:
    head = schema("s", {"id": INTEGER, "v": {**schema_, "x-sql-datatype": type_}}, ["id"])
    other = schema("s", {"id": INTEGER, "v": {**schema_, "x-sql-datatype": type_}, "w": STRING}, ["id"])
    duck.load(head, other, head, *(record("s", {"id": n, "v": value}) for n, value in enumerate(values)))
    assert duck.types("s")["v"] == expected
    assert [value for (value,) in duck.query("SELECT v FROM s ORDER BY id")] == values
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warning.startswith("Stream 's': the x-sql-datatype of column 'v' is not a DuckDB type")


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize(
    ("columns", "type_"),
    [
        ({"format": "date"}, "DATE"),
        ({"format": "time"}, "TIME"),
        ({"format": "date-time"}, "TIMESTAMP WITH TIME ZONE"),
        ({"format": "date-time", "x-sql-datatype": "TIMESTAMP"}, "TIMESTAMP"),
    ],
)
def test_time_column_with_only_empty_strings_keeps_its_type(
    *, duck: Any, schema: Any, record: Any, columns: Any, type_: str, count: int
) -> None:
    head = schema("s", {"id": INTEGER, "v": STRING | columns}, ["id"])
    for _ in range(2):
        duck.load(head, *(record("s", {"id": n, "v": ""}) for n in range(count)), record("s", {"id": count, "v": None}))
        assert duck.types("s")["v"] == type_
        assert duck.query("SELECT DISTINCT v FROM s") == [(None,)]


# Schemas by turns, keys, files, names


def test_alternating_schemas_reuse_decoders(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    class Counted(RecordDecoder):
        def __init__(self, *arguments: Any) -> None:
            built.append(1)
            super().__init__(*arguments)

    monkeypatch.setattr("target_duckdb.streams.RecordDecoder", Counted)
    first = schema("s", {"id": INTEGER, "a": STRING}, ["id"])
    second = schema("s", {"id": INTEGER, "b": STRING}, ["id"])
    messages = []
    for n in range(20):
        messages += [first, record("s", {"id": n % 3, "a": str(n)}), second, record("s", {"id": n % 4, "b": str(n)})]
    duck.load(*messages, batch_size_rows=9)
    assert len(built) == 2
    assert duck.query("SELECT id, a, b FROM s ORDER BY id") == [
        (0, "18", "16"),
        (1, "19", "17"),
        (2, "17", "18"),
        (3, None, "19"),
    ]


def test_order_of_key_properties_does_not_matter(duck: Any, schema: Any, record: Any) -> None:
    columns = {"a": INTEGER, "b": INTEGER, "v": STRING}
    one, other = schema("s", columns, ["a", "b"]), schema("s", columns, ["b", "a"])
    duck.load(one, record("s", {"a": 1, "b": 2, "v": "x"}), other, record("s", {"a": 1, "b": 2, "v": "y"}))
    duck.load(other, record("s", {"a": 1, "b": 2, "v": "z"}), record("s", {"a": 2, "b": 1, "v": "z"}))
    assert duck.query("FROM s ORDER BY a") == [(1, 2, "z"), (2, 1, "z")]


def test_new_file_is_private_and_existing_file_keeps_its_mode(duck: Any, schema: Any, record: Any) -> None:
    before = os.umask(0o022)
    try:
        messages = [schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1})]
        duck.load(*messages)
        assert duck.path.stat().st_mode & 0o777 == 0o600
        duck.path.chmod(0o644)
        duck.load(*messages)
        assert duck.path.stat().st_mode & 0o777 == 0o644
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["pg_catalog", "information_schema", "PG_Catalog"])
def test_reserved_schema_is_an_error(duck: Any, schema: Any, name: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        duck.load(schema("s", {"id": INTEGER}), default_target_schema=name)
    assert caught.value.errors == ["The setting default_target_schema is reserved by DuckDB: choose another schema."]


def test_generated_columns_are_not_loaded(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT, v VARCHAR, u VARCHAR GENERATED ALWAYS AS (upper(v)))")
    for _ in range(2):
        duck.load(schema("s", {"id": INTEGER, "v": STRING}, ["id"]), record("s", {"id": 1, "v": "x"}))
        assert duck.query("FROM s") == [(1, "x", "X")]
    for _ in range(2):
        duck.load(
            schema("s", {"id": INTEGER, "v": STRING, "u": STRING}, ["id"]), record("s", {"id": 1, "v": "x", "u": "y"})
        )
        assert duck.query("SELECT id, v, u, u_2 FROM s") == [(1, "x", "X", "y")]
