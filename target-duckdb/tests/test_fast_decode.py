"""Runs of records are decoded together, with the same result as one by one."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest
from target_duckdb.errors import TargetError
from target_duckdb.load import Loader
from target_duckdb.messages import MessageReader
from target_duckdb.stream_load import StreamLoad
from target_duckdb.streams import Stream

PROPERTIES = {
    "id": {"type": "integer"},
    "number": {"type": ["number", "null"]},
    "integer": {"type": ["integer", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "text": {"type": ["string", "null"]},
    "object": {"type": ["object", "null"]},
    "decimal": {"type": ["string", "null"], "format": "singer.decimal"},
    "time": {"type": ["string", "null"], "format": "date-time"},
}
#: For each property, JSON texts that the fast path supports, and some that it does not.
VALUES = {
    "number": (["null", "0", "-0.0", "1.50", "0.1", "66.66666666666667", "123456789012345", "1e5", "1E-9"], ["1e400"]),
    "integer": (["null", "0", "-9223372036854775808"], ["1.0", "1e2"]),
    "boolean": (["null", "true", "false"], ['"true"']),
    "text": (["null", '""', '"é\\u0000\\n\\ud83d\\ude00"', '"null"'], ["5", '"\\ud800"']),
    "object": (["null", '{"a": [1.50, 1e400, null]}', '"null"', "[]", '{"é\\n": "\\u2028"}'], ["NaN", "[Infinity]"]),
    "decimal": (["null", '"1.5"', "2.50", '"1e3"'], ["-0.00"]),
    "time": (["null", '"2024-01-01T00:00:00Z"', '"2024-01-01T02:00:00.123456+02:00"'], []),
}


def _random_lines(seed: int, count: int, *, irregular: float) -> list[str]:
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        fields = [f'"id": {number}']
        for name, (plain, strange) in VALUES.items():
            if chance.random() < 0.9:
                fields.append(
                    f'"{name}": {chance.choice(strange if strange and chance.random() < irregular else plain)}'
                )
        more = chance.choice(["", ', "time_extracted": "2024-01-01T00:00:00Z"'])
        lines.append(f'{{"type": "RECORD", "stream": "s", "record": {{{", ".join(fields)}}}{more}}}')
    return lines


@pytest.mark.parametrize("irregular", [0.0, 0.003])
def test_runs_equal_records_loaded_one_by_one(
    duck: Any, schema: Any, monkeypatch: pytest.MonkeyPatch, irregular: float
) -> None:
    counts = []
    add_lines = Stream.add_lines

    def counted(self: Stream, lines: bytes, count: int, *batch: Any) -> bool:
        is_fast = add_lines(self, lines, count, *batch)
        counts.append(count * is_fast)
        return is_fast

    monkeypatch.setattr(Stream, "add_lines", counted)
    lines = _random_lines(7, 1000, irregular=irregular)
    together, one_by_one = schema("s", PROPERTIES, ["id"]), schema("s", PROPERTIES, ["id"])
    state = '{"type": "STATE", "value": {}}'  # ends a run after every 40 records
    blocks = [line for start in range(0, 1000, 40) for line in [*lines[start : start + 40], state]]
    duck.load(together, *blocks, default_target_schema="together")
    assert sum(counts) == 1000 if irregular == 0 else 0 < sum(counts) < 1000
    monkeypatch.setattr(MessageReader, "add_lines", lambda *_: 0)
    monkeypatch.setattr(Stream, "add_lines", lambda *_: False)
    duck.load(one_by_one, *lines, default_target_schema="one_by_one")
    columns = ", ".join(f'typeof("{name}"), CAST("{name}" AS VARCHAR)' for name in PROPERTIES)
    arrived = duck.query(f"SELECT {columns} FROM together.s ORDER BY id")
    assert arrived == duck.query(f"SELECT {columns} FROM one_by_one.s ORDER BY id")
    assert len(arrived) == 1000


def test_consecutive_lines_keep_their_versions_times_and_metadata(duck: Any, schema: Any, record: Any) -> None:
    rows = [
        record("s", {"id": n}, version=n // 10, time_extracted=f"2024-01-01T00:00:{n:02}Z" if n % 2 else None)
        for n in range(20)
    ]
    duck.load(
        schema("s", {"id": {"type": "integer"}}, ["id"]),
        *rows,
        {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1},
        add_metadata_columns=True,
    )
    assert duck.query(
        "SELECT id, _sdc_table_version, second(_sdc_extracted_at), _sdc_deleted_at IS NULL,"
        " _sdc_received_at > now() - INTERVAL 1 HOUR FROM s ORDER BY id"
    ) == [(n, n // 10, n if n % 2 else None, n >= 10, True) for n in range(20)]


def test_deletion_mark_between_consecutive_lines_is_applied(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": {"type": "integer"}, "v": {"type": "string"}}, ["id"])
    rows = [record("s", {"id": n, "v": "x"}) for n in range(10)]
    duck.load(head, *rows, record("s", {"id": 3, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}), *rows[5:])
    assert duck.query("SELECT id, v, _sdc_deleted_at IS NULL FROM s ORDER BY id") == [
        (n, "x", n != 3) for n in range(10)
    ]


def test_rows_keep_their_order_and_the_last_record_of_a_key_wins(duck: Any, schema: Any, record: Any) -> None:
    columns = {"id": {"type": "integer"}, "n": {"type": "integer"}}
    rows = [record("s", {"id": n % 7, "n": n}) for n in range(50)]
    duck.load(schema("s", columns, ["id"]), *rows)
    assert duck.query("SELECT n FROM s ORDER BY n") == [(n,) for n in range(43, 50)]
    more = [record("t", {"id": n % 7, "n": n if n % 9 else 1.0 * n}) for n in range(50)]
    duck.load(schema("t", columns), *more)
    assert duck.query("SELECT n FROM t") == [(n,) for n in range(50)]


def test_batch_ends_inside_a_run(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": {"type": "integer"}}, ["id"])
    rows = [record("s", {"id": n}) for n in range(25)]
    broken = '{"type": "RECORD", "stream": "s", "record": {"id": "x'
    with pytest.raises(TargetError, match=r"^Line 27 "):
        duck.load(head, *rows, broken, batch_size_rows=10)
    assert duck.query("SELECT count(*) FROM s") == [(20,)]
    with pytest.raises(TargetError, match=r"^Line 14 .*key property 'id'"):
        messages = [head, *rows[:12], record("s", {"id": None}), *rows[12:]]
        duck.load(*messages, batch_size_rows=10, on_bad_record="fail")


def test_last_of_two_stream_fields_of_a_line_applies(duck: Any, schema: Any, record: Any) -> None:
    head = {"id": {"type": "integer"}}
    plain = [json.dumps(record("s", {"id": n})) for n in range(6)]
    twice = '{"type": "RECORD", "stream": "s", "record": {"id": 9}, "stream": "t"}'
    duck.load(schema("s", head, ["id"]), schema("t", head, ["id"]), *plain, twice)
    assert duck.query("SELECT count(*), max(id) FROM s") == [(6, 5)]
    assert duck.query("FROM t") == [(9,)]


def test_messages_that_span_lines_or_share_one_are_an_error(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": {"type": "integer"}, "v": {}}, ["id"])
    plain = json.dumps(record("s", {"id": 1, "v": {}}))
    two = [f"{plain} {plain}"]
    cut = [plain.removesuffix("{}}}"), f"{plain}}}}}"]
    for broken in (two, cut):
        with pytest.raises(TargetError, match=r"^Line 6 "):
            duck.load(head, *[plain] * 4, *broken, *[plain] * 4)


@pytest.mark.parametrize("form", ["", "compact", "sorted"])
def test_messages_of_any_json_style_are_loaded(duck: Any, form: str, schema: Any, record: Any) -> None:
    messages = [
        schema("é-s", {"id": {"type": "integer"}}, ["id"]),
        *(record("é-s", {"id": n}, version=None) for n in range(9)),
    ]
    options: dict[str, Any] = {
        "compact": {"separators": (",", ":"), "ensure_ascii": False},
        "sorted": {"sort_keys": True},
    }.get(form, {})
    text = "\r\n \n\n".join(json.dumps(message, **options) for message in messages)
    duck.load(text.encode())
    assert duck.query('SELECT count(*), max(id) FROM "é-s"') == [(9, 8)]


@pytest.mark.parametrize("text", [False, True])
def test_input_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch, text: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr("target_duckdb.messages._BLOCK_BYTES", 7)
    lines = [json.dumps({"type": "STATE", "value": {"n": n, "é": "x" * n}}, ensure_ascii=False) for n in range(40)]
    seen = []
    whole = "\n".join(lines)
    reader = MessageReader()
    source: Any = io.StringIO(whole) if text else io.BytesIO(whole.encode())
    counts = reader.process_lines(source, {"STATE": lambda message: seen.append(bytes(message.value).decode())})
    assert [json.loads(value)["n"] for value in seen] == list(range(40))
    assert counts == {"STATE": 40}


# Alternating schemas


def test_alternating_schemas_share_a_batch(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read = StreamLoad._read_segment
    monkeypatch.setattr(StreamLoad, "_read_segment", lambda self, segment: reads.append(1) or read(self, segment))
    text = {"type": ["string", "null"]}
    schemas = [
        schema("s", {"id": {"type": "integer"}, **dict.fromkeys(names, text)}, ["id"])
        for names in (["a", "b"], ["b", "c"], ["d"], ["e"])
    ]
    expected: dict[int, dict[str, str | None]] = {}
    chance = random.Random(3)
    messages = []
    for n in range(400):
        head = chance.choice(schemas)
        names = [name for name in head["schema"]["properties"] if name != "id"]
        present = [name for name in names if chance.random() < 0.7]
        key = chance.randrange(20)
        row = expected.setdefault(key, dict.fromkeys("abcde"))
        if chance.random() < 0.2:  # deletion marks update only their fields, other records all fields of the schema
            row |= {name: f"{name}{n}" for name in present}
            more = {"_sdc_deleted_at": "2024-01-01T00:00:00Z"}
        else:
            row |= {name: f"{name}{n}" if name in present else None for name in names}
            more = {}
        messages += [head, record("s", {"id": key, **{name: f"{name}{n}" for name in present}, **more})]
        if n == 250:
            messages.append({"type": "STATE", "value": {}})
    duck.load(*messages, batch_size_rows=300)
    assert len(reads) == 2
    rows = [dict(zip(duck.types("s"), row, strict=True)) for row in duck.query("FROM s")]
    assert {row["id"]: {name: row[name] for name in "abcde"} for row in rows} == expected


def test_alternating_schemas_without_a_key_append_rows(duck: Any, schema: Any, record: Any) -> None:
    first, second = schema("s", {"a": {"type": "string"}}), schema("s", {"b": {"type": "integer"}})
    messages = [first, record("s", {"a": "x"}), second, record("s", {"b": 1})]
    duck.load(*messages, *messages)
    assert duck.query("SELECT a, b FROM s") == [("x", None), (None, 1)] * 2


def test_alternating_schemas_with_different_types_widen_the_column(duck: Any, schema: Any, record: Any) -> None:
    more = {f"c{n}": {"type": "string"} for n in range(200)}
    messages = []
    for n in range(40):
        kind = ("integer", "string")[n % 2]
        messages += [
            schema("s", {"id": {"type": "integer"}, "v": {"type": kind}, **more}, ["id"]),
            record("s", {"id": n, "v": n if kind == "integer" else f"x{n}"}),
        ]
    duck.load(*messages)
    assert duck.query("SELECT id, v FROM s ORDER BY id") == [(n, f"x{n}" if n % 2 else str(n)) for n in range(40)]


# Memory


def test_batch_is_retried_with_more_memory(
    duck: Any, schema: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_duckdb.database._LOW_MEMORY_BYTES", 1_000_000)
    tried = []
    commit = Loader._commit_once
    monkeypatch.setattr(
        Loader,
        "_commit_once",
        lambda *arguments, low_memory: tried.append(low_memory) or commit(*arguments, low_memory=low_memory),
    )
    head = schema("s", {"id": {"type": "integer"}, "text": {"type": "string"}})
    rows = [record("s", {"id": n, "text": random.Random(n).randbytes(500).hex()}) for n in range(3000)]
    states = duck.load(head, *rows, {"type": "STATE", "value": {"n": 1}})
    assert tried == [True, False]
    assert duck.query("SELECT count(*), sum(length(text)) FROM s") == [(3000, 3_000_000)]
    assert states == ['{"n": 1}']
