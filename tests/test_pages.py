"""A page fitted at once gives the bytes and the warnings of its records fitted one by one, in every stream."""

from __future__ import annotations

import copy
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RestStream, RestTap
from singer_rest.singer.messages import record_lines
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
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


def fitting(schema: dict[str, Any], rng: random.Random, *, tidy: bool) -> Any:
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
        return {name: fitting(inner[name], rng, tidy=tidy) for name in names}
    if kind == "array":
        items = schema.get("items") or {"type": "string"}
        return [fitting(items, rng, tidy=tidy) for _ in range(rng.randrange(3))]
    scalars: dict[str, list[Any]] = {
        "integer": NUMBERS[:5],
        "number": NUMBERS[:5] if tidy else NUMBERS,
        "boolean": [True, False],
        "null": [None],
    }
    return rng.choice(scalars.get(kind, ["a"]))


def random_page(schema: dict[str, Any], keys: Any, rng: random.Random) -> list[dict[str, Any]]:
    """Returns the records of a page. Some pages are tidy, some hold odd values, some keys are missing or repeated."""
    tidy, odd = rng.random() < 0.3, rng.choice([0, 0, 0.02, 0.3])
    properties = {name: part for name, part in schema["properties"].items() if name != "_extra"}
    missing = rng.choice([0, 0.3])
    page: list[dict[str, Any]] = []
    for _place in range(rng.choice([0, 1, 8])):
        record = {
            name: any_value(rng) if rng.random() < odd else fitting(part, rng, tidy=tidy)
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


def counts(shape: RecordConformer) -> tuple[Any, ...]:
    return shape.unlisted, shape.misfits, shape.secrets, shape.repeated, shape.keyless, shape.tracks_all_keys


@pytest.fixture(scope="module", params=TAPS)
def streams(request: pytest.FixtureRequest) -> list[RestStream]:
    tap = TAPS[request.param](config=EVERYTHING[request.param], validate_config=False)
    return [stream for stream in tap.streams.values() if isinstance(stream, RestStream)]


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
            assert counts(whole) == counts(single), stream.name
    assert pages * 0.2 < at_once < pages * 0.9, "some pages fit, some do not"
