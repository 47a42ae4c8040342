"""In every stream, a page read or fitted at once gives the records and warnings of its records fitted one by one."""

from __future__ import annotations

import copy
import json
import random
import sys
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Reply, Request, RestStream, RestTap, Slice
from singer_rest.fetch.page import FittedRecords, StructRows
from singer_rest.privacy import stream_privacy
from singer_rest.privacy.stream_privacy import RecordColumns
from singer_rest.singer import page_reader
from singer_rest.singer.messages import encode, record_lines
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from types import FrameType

    from singer_rest import Record
    from singer_rest.singer.records import RecordConformer

EVERYTHING: dict[str, dict[str, Any]] = {
    "personio": {"optional_streams": ["*"], "legacy_v1_streams": True},
    "factorial": {"optional_streams": ["*"]},
    "cornerstone": {"optional_streams": ["*"], "objects": ["*"], "views": ["*"]},
}
TAPS: dict[str, type[RestTap]] = {"personio": TapPersonio, "factorial": TapFactorial, "cornerstone": TapCornerstone}

TEXTS = ["", " ", "a", "12", "-0", "1.5E-7", "true", "NaN", "Zoë ✓", 'a "quoted"\nline', "2024-02-29", "\ud800"]
DAYS = ["2024-02-29", "2026-11-22", "2023-02-29", "20240229", "2026-11-22T00:00:00Z", ""]
TIMESTAMPS = [
    "2026-11-22T05:00:00Z",
    "2026-11-22T05:00:00.5Z",
    "2026-11-22T05:00:00.000000Z",
    "2026-11-22T05:00:00.123456Z",
    "2026-11-22T05:00:00.1234567Z",
    "2026-11-22T05:00:00+00:00",
    "2026-11-22T05:00:00.752+00:00",
    "2026-11-22T05:00:00.5666666+00:00",
    "2026-11-22T05:00:00.5666666+0000",
    "2026-11-22T06:00:00+01:00",
    "2026-11-22T05:00:00-00:00",
    "2026-11-22 05:00:00+00:00",
    "2026-11-22t05:00:00z",
    "2026-11-22T05:00:00",
    "2026-11-22T05:00:00.25",
    "2026-11-22",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "2026-11-22T24:00:00Z",
    "2023-02-29T05:00:00+00:00",
    "2026-11-22T05:00:00.123456٣+00:00",
    "",
    "last Tuesday",
]
NUMBERS = [
    0,
    1,
    -1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**70,
    10**400,
    *map(Decimal, ("-0.0", "1.50", "12345678901234567.89")),
]
NUMBERS += [Decimal(text) for text in ("1E+5", "1E-30", "1E+308", "-9.9E+307", "1E+400", "2.0")]
NAMES = ["id", "name", "access_token", "token_type", "password", "page_token", "value", "active", "a.b", "_extra", "Ä"]


def any_value(rng: random.Random, depth: int = 0) -> Any:
    """Returns a value of any type, with secrets in it and nested."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return {name: any_value(rng, depth + 1) for name in rng.sample(NAMES, rng.randrange(4))}
    if kind == 7:
        return [any_value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 40]) if depth == 0 else 1)]
    return rng.choice([[None], [True, False], TEXTS, DAYS, TIMESTAMPS, NUMBERS][kind])


def fitting_value(schema: dict[str, Any], rng: random.Random, *, tidy: bool) -> Any:
    """Returns a value of a schema's type. Tidy: one that needs no coercion."""
    kinds = schema.get("type") or "any"
    kind = rng.choice([kinds] if isinstance(kinds, str) else kinds)
    if kind == "string":
        if schema.get("format") == "date":
            return rng.choice(DAYS[:2] if tidy else DAYS)
        if schema.get("format") == "date-time":
            return rng.choice(TIMESTAMPS[:1] if tidy else TIMESTAMPS)
        return rng.choice(TEXTS[2:-1] if tidy else TEXTS)
    if kind == "object":
        inner = schema.get("properties") or {}
        names = rng.sample(sorted(inner), rng.randrange(len(inner) + 1))
        return {name: fitting_value(inner[name], rng, tidy=tidy) for name in names}
    if kind == "array":
        items = schema.get("items") or {"type": "string"}
        return [fitting_value(items, rng, tidy=tidy) for _ in range(rng.randrange(3))]
    scalars: dict[str, list[Any]] = {
        "integer": NUMBERS[:5],
        "number": NUMBERS[:5] if tidy else NUMBERS,
        "boolean": [True, False],
        "null": [None],
    }
    return rng.choice(scalars.get(kind, ["a"]))


def random_page(schema: dict[str, Any], keys: Any, rng: random.Random) -> list[dict[str, Any]]:
    """Returns the records of a page. Values can be unexpected, and keys missing or repeated."""
    tidy, odd = rng.random() < 0.3, rng.choice([0, 0, 0.02, 0.3])
    properties = {name: part for name, part in schema["properties"].items() if name != "_extra"}
    missing = rng.choice([0, 0.3])
    page: list[dict[str, Any]] = []
    for _place in range(rng.choice([0, 1, 8])):
        record = {
            name: any_value(rng) if rng.random() < odd else fitting_value(part, rng, tidy=tidy)
            for name, part in properties.items()
            if rng.random() >= missing
        }
        record |= {key: f"{rng.random()}" for key in keys if rng.random() >= odd and key in properties}
        if rng.random() < odd:
            record[rng.choice(NAMES)] = any_value(rng)
        if rng.random() < odd and page:
            record |= {key: page[0].get(key) for key in keys}
        if rng.random() < 0.2:
            record = dict(rng.sample(list(record.items()), len(record)))
        page.append(record)
    return page


def shape_counts(shape: RecordConformer) -> tuple[Any, ...]:
    return shape.unlisted, shape.misfits, shape.secrets, shape.repeated, shape.keyless, shape.tracks_all_keys


def streams_of(name: str, **settings: Any) -> list[RestStream]:
    tap = TAPS[name](config={**EVERYTHING[name], **settings}, validate_config=False)
    return [stream for stream in tap.streams.values() if isinstance(stream, RestStream)]


@pytest.fixture(scope="module", params=TAPS)
def streams(request: pytest.FixtureRequest) -> list[RestStream]:
    return streams_of(request.param)


@pytest.mark.slow
def test_pages_are_written_as_their_records_are(streams: list[RestStream]) -> None:
    rng = random.Random(1)
    at_once = pages = 0
    for stream in streams:
        stream.reset_read()
        whole = stream.conformer
        stream.reset_read()
        single = stream.conformer
        for _ in range(12):
            records = random_page(stream.schema, stream.primary_keys, rng)
            alone = [single.conform(record) for record in copy.deepcopy(records)]
            pages, at_once = pages + 1, at_once + whole._pages.fit(copy.deepcopy(records))
            together = whole.conform_page(records)
            lines = record_lines(stream.name, together, 1, None)
            assert lines == b"".join(record_lines(stream.name, [record], 1, None) for record in alone), stream.name
            assert shape_counts(whole) == shape_counts(single), stream.name
    assert pages * 0.2 < at_once < pages * 0.9, "some pages fit, some do not"


PRIVACY = Path(stream_privacy.__file__).parent
NOW = datetime(2026, 11, 22, 5, tzinfo=timezone.utc)


def wrap_record(record: Record, rng: random.Random) -> Record:
    """Returns a record as Personio's v1 API sends it, and sometimes not quite."""
    fields = {name: wrap_record(value, rng) if isinstance(value, dict) else value for name, value in record.items()}
    inside = {} if rng.random() < 0.5 else {"id": fields.pop("id", 1)}
    outside = {name: fields.pop(name) for name in ("id",) if name in fields}
    outside |= {"type": "Any"} if rng.random() < 0.9 else {}
    return {**outside, "attributes": {**inside, **fields}} if rng.random() < 0.99 else {**outside, **fields}


def fitting_page(stream: RestStream, rng: random.Random) -> list[Record]:
    """Returns a page that often fits at once: without objects of several fields, and with bookmarks."""
    records = random_page(stream.effective_schema, stream.primary_keys, rng)
    if rng.random() < 0.7:
        properties = stream.effective_schema["properties"]
        nested = [name for name, part in properties.items() if part.get("properties") or part.get("items")]
        for record in records:
            record.update({name: None for name in nested if name in record and rng.random() < 0.9})
            if stream.replication_key:
                record[stream.replication_key] = rng.choice(TIMESTAMPS[:2] + TIMESTAMPS[5:7])
            for name in properties.keys() & {"id"}:
                record[name] = rng.randrange(9**9) if properties[name]["type"] == "integer" else f"{rng.random()}"
    return records


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["everything", "no-pay", "pseudonymous", "minimal"])
@pytest.mark.parametrize("name", TAPS)
def test_pages_read_at_once_hold_the_same_records(name: str, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "MAX_MISFITS", 10**9)
    rng, request = random.Random(2), Request("/", (), "/", total_known=True)
    pages = at_once = 0
    for stream in streams_of(name, privacy=profile, privacy_key="k" * 32):
        reader = stream._page_reader
        if reader is None:
            continue
        for _ in range(30):
            records = fitting_page(stream, rng)
            if stream.row_shape.attributes:
                records = [wrap_record(record, rng) for record in records]
            body = encode({"success": True, stream.records_path: records, "other": [Decimal("1.50")]})
            reply = Reply(200, {}, body, NOW)
            pages += 1
            read = stream.read_whole_page(reply, request)
            if read is None:
                continue
            at_once += 1
            fitted = stream.parse(read, request).records
            assert isinstance(read.pop(stream.records_path), StructRows)
            assert isinstance(fitted, FittedRecords)
            assert read == {"success": True, "other": [Decimal("1.50")]}

            stream.reset_read()
            stream.conformer.check_keys(fitted.keys)
            stream.replication.observe_page(len(fitted), fitted.latest)
            result = shape_counts(stream.conformer), stream.replication.rows, stream.replication._latest
            stream.reset_read()
            exact = stream.conformer.conform_page(stream.process_records([*fitted]))
            stream.replication.observe(exact)
            assert result == (shape_counts(stream.conformer), stream.replication.rows, stream.replication._latest)

            if stream.privacy:
                columns = RecordColumns(exact)
                stream.privacy.apply(columns)
                exact = columns.records

            def decoded(lines: bytes) -> Any:
                return [json.loads(line, parse_float=str, parse_int=str) for line in lines.splitlines()]

            assert decoded(fitted.lines) == decoded(record_lines_of(exact)), stream.name
    assert not pages or at_once > pages * 0.1, "some pages fit"


def record_lines_of(records: list[Record]) -> bytes:
    return b"".join(encode(record) + b"\n" for record in records)


@pytest.mark.parametrize("profile", ["everything", "minimal"])
def test_records_that_are_loaded_as_they_are_pass_no_privacy_profile(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = {stream.name: stream for stream in streams_of("personio", privacy=profile, privacy_key="k" * 32)}
    stream = streams["attendance_periods"]
    monkeypatch.setattr(stream._tap, "message_writer", None)
    called: set[str] = set()

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and Path(frame.f_code.co_filename).parent == PRIVACY:
            called.add(frame.f_code.co_name)

    request, body = (
        Request("/", (), "/"),
        encode({"_data": [{"id": f"{number}", "updated_at": TIMESTAMPS[0]} for number in range(50)]}),
    )
    _ = stream._page_reader, stream.conformer  # what is done once
    sys.setprofile(trace)
    try:
        assert stream.read_whole_page(Reply(200, {}, body, NOW), request)
        page = stream._page_of_records(Reply(200, {}, body.replace(b'"0"', b"0"), NOW), request, Slice())
        assert len([*stream._emit(page, None, write_messages=False)]) == 50
    finally:
        sys.setprofile(None)
    assert bool(called) is (profile != "everything"), called
