"""Records on their way out: nothing is lost, the two ways of writing give the same bytes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from singer_rest.pages import Reply
from singer_rest.records import MessageWriter, Shape, encode, record_lines
from singer_sdk.singerlib.encoding.simple import RecordMessage

NOW = datetime(2026, 11, 22, 5, 0, 1, 234567, tzinfo=timezone.utc)
SCHEMA = {
    "properties": {
        "id": {"type": "string"},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
        "local": {"type": ["string", "null"], "format": "date-time", "x-sql-datatype": "TIMESTAMP"},
        "_extra": {"type": ["object", "null"]},
    }
}


@pytest.fixture
def shape() -> Shape:
    return Shape(SCHEMA, ("id",))


def test_fields_that_no_schema_lists_are_kept_in_extra_and_named(shape: Shape) -> None:
    record = shape.fit({"id": "1", "shoe_size": 44, "nested": {"a": [1]}})
    assert record == {"id": "1", "_extra": {"nested": {"a": [1]}, "shoe_size": 44}}
    assert shape.unlisted == {"shoe_size", "nested"}


@pytest.mark.parametrize(
    ("sent", "emitted"),
    [
        ("2026-11-22T05:00:00Z", "2026-11-22T05:00:00Z"),
        ("2026-11-22T05:00:00.123Z", "2026-11-22T05:00:00.123Z"),
        ("2026-11-22T06:00:00+01:00", "2026-11-22T05:00:00Z"),
        ("2026-11-22T06:00:00+0100", "2026-11-22T05:00:00Z"),
        ("2026-11-22 06:00:00.5+01:00", "2026-11-22T05:00:00.500000Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("last Tuesday", "last Tuesday"),
        ("", ""),
        (None, None),
        (5, 5),
    ],
)
def test_timestamps_are_utc_with_z_and_what_is_none_stays_as_it_is(shape: Shape, sent: object, emitted: object) -> None:
    assert shape.fit({"id": "1", "updated_at": sent})["updated_at"] == emitted


def test_a_local_time_stays_local(shape: Shape) -> None:
    assert shape.fit({"id": "1", "local": "2026-11-22T05:00:00"})["local"] == "2026-11-22T05:00:00"


def test_repeated_keys_are_counted_within_a_slice_only(shape: Shape) -> None:
    for identity in ("1", "2", "1", None, None, ["x"], ["x"]):
        shape.fit({"id": identity})
    assert shape.repeated == 3
    shape.start_slice()
    shape.fit({"id": "1"})
    assert shape.repeated == 3


def test_without_keys_nothing_repeats() -> None:
    shape = Shape(SCHEMA, ())
    shape.fit({"id": "1"})
    shape.fit({"id": "1"})
    assert shape.repeated == 0


BODIES = [
    b'{"a":1.10,"b":12345678901234567.89,"c":123456789012345678901234567890,"d":1e400}',
    '{"umlaut":"Müller","line":"\u2028","astral":"𝒳"}'.encode(),
    rb'{"nul":"a\u0000b","half":"\ud800","also":"\udc00x"}',
    b'{"nested":{"deep":[[[{"x":null}]]]},"empty":{},"list":[],"text":""}',
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_goes_out_with_every_digit_and_character_that_came_in(body: bytes) -> None:
    decoded = Reply(200, {}, body, NOW).json()
    assert json.loads(encode(decoded), parse_float=Decimal) == json.loads(body, parse_float=Decimal)


def test_a_body_that_is_no_json_is_an_error() -> None:
    for body in (b"<html>", b'{"a":', b"", b"\xff\xfe{}"):
        with pytest.raises(ValueError):  # noqa: PT011 - the kind is the contract, the text is never shown
            Reply(200, {}, body, NOW).json()


@pytest.mark.parametrize("version", [None, 1795323600000])
def test_a_page_at_once_gives_the_bytes_of_one_message_each(version: int | None) -> None:
    records = [{"id": "1", "n": Decimal("1.10"), "m": None}, {"id": "ü", "list": [1, {"a": True}]}]
    writer = MessageWriter()
    single = b"".join(
        writer.format_message(RecordMessage("persons", record, version=version, time_extracted=NOW))
        for record in records
    )
    assert record_lines("persons", records, version, NOW) == single


def test_a_page_with_half_a_surrogate_pair_can_be_written() -> None:
    exact = Decimal("12345678901234567.89")
    line = record_lines("persons", [{"id": "\ud800", "n": exact}], None, NOW)
    assert json.loads(line, parse_float=Decimal)["record"] == {"id": "\ud800", "n": exact}
