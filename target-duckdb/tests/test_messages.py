"""Decoding lines."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from target_duckdb.errors import LineError, TargetError
from target_duckdb.messages import decode_message, repair_json


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (rb'{"a": "x"}', rb'{"a": "x"}'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud800"', rb'"\\ud800"'),
        (rb'"\ude00\ud83d"', rb'"\\ude00\\ud83d"'),
        (rb'"\ud800\ud83d\ude00"', rb'"\\ud800\ud83d\ude00"'),
        (rb'"\\ud800"', rb'"\\ud800"'),
        (rb'"\\\ud800"', rb'"\\\\ud800"'),
        (rb'[NaN, -Infinity, Infinity, "NaN", "a\"NaN"]', rb'["NaN", "-Infinity", "Infinity", "NaN", "a\"NaN"]'),
    ],
)
def test_invalid_escapes_are_repaired(text: bytes, repaired: bytes) -> None:
    assert repair_json(text) == repaired


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "not JSON"),
        (b'{"type": "RECORD", "stream": "s", "record": {"id": 1}', "not JSON"),
        (b'{"type": "STATE", "value": 01}', "not JSON"),
        (b'{"type": "STATE", "value": "\x01"}', "not JSON"),
        (b"hello", "not JSON"),
        (b"[]", "not a Singer message"),
        (b'{"stream": "s"}', "not a Singer message"),
        (b'{"type": "RECORD", "stream": 7}', "not a Singer message"),
        (b'{"type": "RECORD", "stream": "\xff"}', "not UTF-8"),
    ],
)
def test_invalid_messages_are_rejected(line: bytes, sentence: str) -> None:
    with pytest.raises(LineError, match=sentence):
        decode_message(line)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r\n\r\n", "\n  \n"])
def test_byte_order_mark_and_line_ends_are_ignored(duck: Any, schema: Any, record: Any, ends: str) -> None:
    messages = [schema("s", {"id": {"type": "integer"}}, ["id"]), *(record("s", {"id": n}) for n in range(9))]
    text = ends.join(json.dumps(message) for message in messages) + ends
    for marked in (codecs.BOM_UTF8 + text.encode(), (codecs.BOM_UTF8 + text.encode()) * 2):  # concatenated files
        duck.load(marked)
        assert duck.query("SELECT count(*) FROM s") == [(9,)]
    path = duck.folder / "a.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + b'{"id": 9}' + ends.encode())
    batch = {"type": "BATCH", "stream": "s", "encoding": {"format": "jsonl"}, "manifest": [str(path)]}
    duck.load(messages[0], batch)
    assert duck.query("SELECT count(*) FROM s") == [(10,)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_input_is_detected(duck: Any, schema: Any, encoding: str) -> None:
    with pytest.raises(TargetError, match=r"^The input is UTF-16 text.*are UTF-8"):
        duck.load(json.dumps(schema("s", {"id": {"type": "integer"}})).encode(encoding))


def test_messages_with_any_json_formatting_are_loaded(duck: Any, schema: Any) -> None:
    duck.load(
        schema("s", {"id": {"type": ["null", "integer"]}, "é": {"type": ["null", "string"]}}, ["id"]),
        b'  { "record" : {"\\u00e9":"x",  "id":1}, "time_extracted":"2024-01-01T00:00:00Z",'
        b' "stream" : "s", "type":"RECORD" }\r\n',
        b"\n",
        b"   \r\n",
        b'{"type":"RECORD","stream":"s","record":{"id":2,"id":3},"something":{"else":[1]}}',
        b'{"type":"STATE","value":[1.50, "x"] }',
    )
    assert duck.query("FROM s ORDER BY 1") == [(1, "x"), (3, None)]
    assert duck.state() == [("main", '[1.50, "x"]')]
