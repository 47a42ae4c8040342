"""Reading lines."""

from __future__ import annotations

import pytest
from target_duckdb.errors import LineError
from target_duckdb.messages import decode_message, repair


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
def test_repair(text: bytes, repaired: bytes) -> None:
    assert repair(text) == repaired


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
        (b'{"type": "RECORD", "version": 9223372036854775808}', "not a Singer message"),
        (b'{"type": "RECORD", "stream": 7}', "not a Singer message"),
        (b'{"type": "RECORD", "stream": "\xff"}', "not UTF-8"),
    ],
)
def test_what_is_no_message_is_refused(line: bytes, sentence: str) -> None:
    with pytest.raises(LineError, match=sentence):
        decode_message(line)
