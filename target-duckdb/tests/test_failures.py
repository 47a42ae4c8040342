"""Errors end the run with a message and keep what was committed."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from target_duckdb import errors
from target_duckdb.errors import TargetError

INTEGER = {"type": "integer"}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


_NOT_KNOWN = "its BATCH message has an unsupported compression: configure the tap to use gzip."
_UNKNOWN_STORAGE = (
    "file 1 of its manifest is on a storage that is not supported: install the fsspec package for it, such as s3fs or"
    " gcsfs."
)


def _make_batch(encoding: str, manifest: str = '["/none/secret"]') -> str:
    return f'{{"type": "BATCH", "stream": "s", "encoding": {encoding}, "manifest": {manifest}}}'


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            b'{"type": "RECORD", "stream": "s", "record": {"id": 9, "name": "secret"',
            "it is not JSON, or it is truncated.",
        ),
        (
            b'{"type": "RECORD", "stream": "s", "record": {"id": 9, "name": "secret\xff"}}',
            "its record is not UTF-8 text.",
        ),
        (
            '{"type": "RECORD", "stream": "t", "record": {"id": "secret"}}',
            "its stream 't' has no SCHEMA message before it.",
        ),
        (
            '{"type": "RECORD", "stream": "s", "record": {"name": "secret"}}',
            "its record has no value for the key property 'id'.",
        ),
        (
            '{"type": "RECORD", "stream": "s", "record": {"id": null, "name": "secret"}}',
            "its record has no value for the key property 'id'.",
        ),
        ('{"type": "RECORD", "stream": "s", "record": ["secret"]}', "its record is not an object."),
        ('{"type": "RECORD", "stream": "s"}', "its record is missing."),
        ('{"type": "SECRET", "value": "secret"}', "its message type 'SECRET' is unknown."),
        ('{"type": "' + "x\\n" * 99 + '"}', f"its message type '{'x' * 40}...' is unknown."),
        (b'{"type": "STATE", "value": "\xff"}', "it is not UTF-8 text."),
        ('{"type": "STATE", "value": ' + "[" * 99_999 + "]" * 99_999 + "}", "its values are nested too deeply."),
        ('{"type": "STATE"}', "its STATE message has no value."),
        ('{"type": "SCHEMA", "stream": "t", "schema": "secret"}', "its SCHEMA message has no stream or no schema."),
        (
            '{"type": "SCHEMA", "stream": "t", "schema": {}, "key_properties": ["id"]}',
            "stream 't' has the key property 'id', which its schema does not list.",
        ),
        ('{"type": "RECORD", "record": {"id": 1}}', "its message has no stream."),
        ('{"type": "ACTIVATE_VERSION", "version": 1}', "its message has no stream."),
        (
            '{"type": "ACTIVATE_VERSION", "stream": "s"}',
            "its ACTIVATE_VERSION message has no version that is a 64-bit integer.",
        ),
        (
            '{"type": "ACTIVATE_VERSION", "stream": "s", "version": "7"}',
            "its ACTIVATE_VERSION message has no version that is a 64-bit integer.",
        ),
        (
            _make_batch('{"format": "secret"}'),
            "its BATCH message has an encoding other than jsonl and parquet.",
        ),
        (
            _make_batch('{"format": "jsonl", "compression": "secret"}'),
            _NOT_KNOWN,
        ),
        (_make_batch('{"format": "jsonl"}', "null"), "its BATCH message has no manifest."),
        (_make_batch('{"format": "jsonl"}'), "file 1 of its manifest does not exist."),
        (_make_batch('{"format": "parquet"}'), "file 1 of its manifest does not exist."),
        (_make_batch('{"format": "jsonl", "compression": "zstd"}'), _NOT_KNOWN),
        (_make_batch('{"format": "jsonl", "compression": "zip"}'), _NOT_KNOWN),
        (_make_batch('{"format": "jsonl"}', '["secret://x"]'), _UNKNOWN_STORAGE),
    ],
)
def test_invalid_line_ends_the_run_and_rolls_back_the_batch(
    *,
    duck: Any,
    schema: Any,
    record: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    line: Any,
    sentence: str,
) -> None:
    messages = [schema("s", COLUMNS, ["id"]), record("s", {"id": 1}), STATE, record("s", {"id": 2})]
    lost = [record("s", {"id": 3}), {"type": "STATE", "value": {"bookmark": 2}}]
    with pytest.raises(TargetError) as caught:
        duck.load(*messages, *lost, line, batch_size_rows=2, on_bad_record="fail")
    assert str(caught.value) == f"Line 7 of the input cannot be loaded: {sentence}"
    assert capsys.readouterr().out == '{"bookmark": 1}\n'
    assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
    assert duck.state() == [("main", '{"bookmark": 1}')]
    assert "secret" not in (caplog.text + str(caught.value)).replace("type 'SECRET'", "").lower()
    assert list(duck.spool.iterdir()) == []


@pytest.mark.parametrize(
    "property_", [{"type": "string", "format": "singer.decimal"}, {"type": "object"}, {"type": "string"}]
)
@pytest.mark.parametrize("value", [{"k": None}, {}])
def test_key_of_any_type_requires_a_value(duck: Any, schema: Any, record: Any, property_: Any, value: Any) -> None:
    with pytest.raises(TargetError, match="has no value for the key property 'k'"):
        duck.load(schema("s", {"k": property_}, ["k"]), record("s", value), on_bad_record="fail")


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "Trying to read a database file with storage version number 99, but we can only read storage versions",
            "by a version of DuckDB that this one",
        ),
        (
            "file was written with a storage version greater than the latest supported",
            "by a version of DuckDB that this one",
        ),
        ("Could not write file: No space left on device", "is full"),
        ("Out of Memory Error: could not allocate block of size 256.0 KiB (128 MiB used)", "memory_limit"),
        ("Conversion Error: Could not convert string 'secret' to INT32", "message is not shown"),
    ],
)
def test_duckdb_errors_get_a_sentence_without_their_values(message: str, sentence: str) -> None:
    shown = errors.duckdb_message(duckdb.IOException(message))
    assert sentence in shown
    assert "secret" not in shown
