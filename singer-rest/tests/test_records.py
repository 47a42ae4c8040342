"""Records are written without loss, and both ways of writing give the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from singer_rest.http.request import Reply
from singer_rest.singer.messages import PIPE_BYTES, MessageWriter, encode, record_lines
from singer_rest.singer.records import RecordConformer
from singer_rest.singer.warnings import field_names
from singer_sdk.singerlib import SelectionMask
from singer_sdk.singerlib.encoding.simple import RecordMessage

NOW = datetime(2026, 11, 22, 5, 0, 1, 234567, tzinfo=timezone.utc)
SCHEMA = {
    "properties": {
        "id": {"type": "string"},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
        "local": {"type": ["string", "null"], "format": "date-time", "x-sql-datatype": "TIMESTAMP"},
        "count": {"type": ["integer", "null"]},
        "price": {"type": ["number", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "_extra": {"type": ["object", "null"]},
    }
}


@pytest.fixture
def conformer() -> RecordConformer:
    return RecordConformer(SCHEMA, ("id",))


def test_unlisted_fields_are_kept_in_extra_and_named(conformer: RecordConformer) -> None:
    record = conformer.conform({"id": "1", "shoe_size": 44, "nested": {"a": [1]}})
    assert record == {"id": "1", "_extra": {"nested": {"a": [1]}, "shoe_size": 44}}
    assert conformer.unlisted == {"shoe_size", "nested"}


@pytest.mark.parametrize(
    ("sent", "emitted"),
    [
        ("2026-11-22T05:00:00Z", "2026-11-22T05:00:00Z"),
        ("2026-11-22T05:00:00.123Z", "2026-11-22T05:00:00.123Z"),
        ("2026-11-22T06:00:00+01:00", "2026-11-22T05:00:00Z"),
        ("2026-11-22T06:00:00+0100", "2026-11-22T05:00:00Z"),
        ("2026-11-22 06:00:00.5+01:00", "2026-11-22T05:00:00.500000Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("2026-11-22t05:00:00z", "2026-11-22T05:00:00Z"),
        ("20261122T050000Z", "2026-11-22T05:00:00Z"),
        ("2026-11-22T05:00:00.1234567Z", "2026-11-22T05:00:00.123456Z"),
        ("2026-11-22T05:00:00.123456789+00:00", "2026-11-22T05:00:00.123456Z"),
        ("2024-02-29T05:00:00.5Z", "2024-02-29T05:00:00.5Z"),
        (" 2026-11-22T05:00:00Z ", "2026-11-22T05:00:00Z"),
        ("2026-11-22T05:00Z", "2026-11-22T05:00:00Z"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_timestamps_are_utc_with_z(conformer: RecordConformer, sent: object, emitted: object) -> None:
    assert conformer.conform({"id": "1", "updated_at": sent}) == {"id": "1", "updated_at": emitted}
    assert not conformer.misfits


@pytest.mark.parametrize(
    "sent", ["last Tuesday", 5, True, ["2026-11-22"], "2023-02-29T05:00:00Z", "0001-01-01T00:00:00+05:00"]
)
def test_invalid_timestamps_are_kept_in_extra_and_named(conformer: RecordConformer, sent: object) -> None:
    assert conformer.conform({"id": "1", "updated_at": sent}) == {
        "id": "1",
        "updated_at": None,
        "_extra": {"updated_at": sent},
    }
    assert conformer.misfits == {"updated_at"}


def test_misfit_is_kept_in_extra_and_its_column_is_null(conformer: RecordConformer) -> None:
    nested = {"a": {"b": 2**64}}
    record = conformer.conform({"id": {"n": 1}, "count": 2**64, "tags": [nested], "price": "NaN", "new": 1})
    assert record == {
        "id": None,
        "count": None,
        "tags": None,
        "price": None,
        "_extra": {
            "id": {"n": 1},
            "count": "18446744073709551616",
            "tags": [{"a": {"b": "18446744073709551616"}}],
            "price": "NaN",
            "new": 1,
        },
    }
    assert conformer.misfits == {"id", "count", "tags", "price"}
    assert conformer.keyless == 1


def test_vendor_field_named_extra_is_kept_in_extra(conformer: RecordConformer) -> None:
    record = conformer.conform({"id": "1", "_extra": {"mine": 1}, "_sdc_deleted_at": "never", "new": 2})
    assert record == {"id": "1", "_extra": {"_extra": {"mine": 1}, "_sdc_deleted_at": "never", "new": 2}}


def test_deselected_fields_are_not_kept() -> None:
    mask = SelectionMask({("properties", "count"): False, ("properties", "tags", "properties", "b"): False})
    shape = RecordConformer(SCHEMA, ("id",), mask=mask)
    record = shape.conform({"id": "1", "count": "many", "tags": {"a": 1, "b": 2}})
    assert record["_extra"] == {"tags": {"a": 1}}
    assert shape.misfits == {"tags"}


def test_keys_beyond_the_limit_are_not_tracked(conformer: RecordConformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singer_rest.singer.records.MAX_TRACKED_KEYS", 2)
    for identity in ("1", "2", "3", "3", "1"):
        conformer.conform({"id": identity})
    assert (conformer.repeated, conformer.tracks_all_keys) == (1, False)


def test_local_time_stays_local(conformer: RecordConformer) -> None:
    assert conformer.conform({"id": "1", "local": "2026-11-22T05:00:00"})["local"] == "2026-11-22T05:00:00"


def test_repeated_keys_are_counted_within_a_slice_only(conformer: RecordConformer) -> None:
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    conformer.start_page(one)
    for identity in ("1", "2", "1", 1, None, None):
        conformer.conform({"id": identity})
    assert conformer.repeated == 2
    assert conformer.keyless == 2
    conformer.start_page(other)
    conformer.conform({"id": "1"})
    assert conformer.repeated == 2
    conformer.start_page(one)
    conformer.conform({"id": "1"})
    assert conformer.repeated == 3


def test_keys_of_all_slices_under_way_are_limited(conformer: RecordConformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singer_rest.singer.records.MAX_TRACKED_KEYS", 3)
    slices: list[dict[str, Any]] = [{}, {}]
    for memory in slices:
        conformer.start_page(memory)
        for identity in ("1", "2"):
            conformer.conform({"id": identity})
    assert not conformer.tracks_all_keys
    conformer.end_slice(slices[1])
    conformer.start_page({})
    conformer.conform({"id": "3"})
    conformer.conform({"id": "3"})
    assert conformer.repeated == 1


def test_without_keys_no_record_repeats() -> None:
    shape = RecordConformer(SCHEMA, ())
    shape.conform({"id": "1"})
    shape.conform({"id": "1"})
    assert shape.repeated == 0


BODIES = [
    b'{"a":1.10,"b":12345678901234567.89,"c":123456789012345678901234567890,"d":1e400}',
    '{"umlaut":"Müller","line":"\u2028","astral":"𝒳"}'.encode(),
    rb'{"nul":"a\u0000b","half":"\ud800","also":"\udc00x"}',
    b'{"nested":{"deep":[[[{"x":null}]]]},"empty":{},"list":[],"text":""}',
]


@pytest.mark.parametrize("body", BODIES)
def test_body_keeps_every_digit_and_character(body: bytes) -> None:
    decoded = Reply(200, {}, body, NOW).json()
    assert json.loads(encode(decoded), parse_float=Decimal) == json.loads(body, parse_float=Decimal)


def test_body_that_is_not_json_is_an_error() -> None:
    for body in (b"<html>", b'{"a":', b"", b"\xff\xfe{}"):
        with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract, the text is never shown
            Reply(200, {}, body, NOW).json()


def test_non_numbers_in_a_body_stay_text() -> None:
    body = b'{"a":NaN,"b":[-Infinity,1e999,1180591620717411303424]}'
    assert Reply(200, {}, body, NOW).json() == {"a": "NaN", "b": ["-Infinity", Decimal("1e999"), 2**70]}


def nested_json(depth: int, inner: str) -> str:
    return '{"a":[' * depth + inner + "]}" * depth


def test_too_deeply_nested_body_keeps_its_depth_as_text() -> None:
    inner = nested_json(1000, '"}]\\u00fc\\ud800"')
    found = Reply(200, {}, f'[{{"id":1,"deep":{inner},"name":"n"}}]'.encode(), NOW).json()
    assert (found[0]["id"], found[0]["name"]) == (1, "n")
    text = json.loads(encode(found), parse_float=Decimal)[0]["deep"]
    for _ in range(49):
        text = text["a"][0]
    assert text == nested_json(951, '"}]\\u00fc\\ud800"')


def test_too_deeply_nested_record_keeps_its_depth_as_text(conformer: RecordConformer) -> None:
    value: Any = "\ud800"
    for _ in range(2000):
        value = {"a": [value, {"password": "s"}]}
    record = conformer.conform({"id": "1", "deep": value})
    line = record_lines("persons", [record], None, NOW)
    assert b"password" not in line
    assert json.loads(line)["record"]["_extra"]["deep"]["a"][1] == {}


@pytest.mark.parametrize("version", [None, 1795323600000])
def test_page_is_encoded_like_single_messages(version: int | None) -> None:
    records = [{"id": "1", "n": Decimal("1.10"), "m": None}, {"id": "ü", "list": [1, {"a": True}]}]
    writer = MessageWriter()
    messages = [RecordMessage("persons", record, version=version, time_extracted=NOW) for record in records]
    single = b"".join(encode(message.to_dict()) + b"\n" for message in messages)
    assert record_lines("persons", records, version, NOW) == single
    assert b"".join(map(writer.format_message, messages)) == single


def test_page_with_a_lone_surrogate_can_be_written() -> None:
    exact = Decimal("12345678901234567.89")
    line = record_lines("persons", [{"id": "\ud800", "n": exact}], None, NOW)
    assert json.loads(line, parse_float=Decimal)["record"] == {"id": "\ud800", "n": exact}


def test_field_names_in_a_log_line_are_short_and_on_one_line() -> None:
    assert field_names({"b", "a"}) == "a, b"
    assert field_names({"a\nERROR", "\x1b[31m", "größe"}) == "\\x1b[31m, a\\nERROR, größe"
    assert field_names({"x" * 5000}) == "x" * 100 + "..."
    assert field_names({f"{number:03}" for number in range(250)}).endswith("098, 099 and 150 more")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can enlarge a pipe")
@pytest.mark.slow
def test_the_pipe_to_the_loader_holds_several_pages() -> None:
    code = (
        "import fcntl, sys; from singer_rest.singer.messages import MessageWriter; MessageWriter();"
        " print(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))"
    )
    output = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    if int(Path("/proc/sys/fs/pipe-max-size").read_text()) >= PIPE_BYTES:
        assert int(output) == PIPE_BYTES
