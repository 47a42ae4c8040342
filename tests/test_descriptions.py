"""Every column of every stream is described."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.table import load_table
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest import RestTap

Json = dict[str, Any]

ALL: Json = {"optional_streams": ["*"]}
TAPS: dict[str, list[tuple[type[RestTap], Json]]] = {
    "tap-personio": [(TapPersonio, {"legacy_v1_streams": True, "careers_url": "https://a.jobs.personio.com", **ALL})],
    "tap-factorial": [
        (TapFactorial, {"api_version": version, "integration_uuid": "of-mine", **ALL})
        for version in load_table().versions
    ],
    "tap-cornerstone": [(TapCornerstone, {"objects": ["*"], "views": ["*"], **ALL})],
}
"""The taps, with settings that enable all streams."""

FEWEST_WORDS = 3
CODE = re.compile(r"`(\w+)`")
REFERENCE = re.compile(r"\bsee `(\w+)`")


@pytest.fixture(scope="module", params=TAPS)
def schemas(request: pytest.FixtureRequest) -> dict[str, Json]:
    """The schemas of a tap by stream."""
    found: dict[str, Json] = {}
    for tap, config in TAPS[request.param]:
        streams = tap(config=config, validate_config=False).streams  # type: ignore[call-arg]
        found |= {name: stream.schema for name, stream in streams.items()}
    return found


def described_fields(schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields the path and description of each field of a schema, at any depth."""
    for name, part in schema.get("properties", {}).items():
        yield f"{path}{name}", part.get("description", "")
        yield from described_fields(part, f"{path}{name}.")
    if schema.get("items"):
        yield from described_fields(schema["items"], path)


def test_every_field_has_a_description(schemas: dict[str, Json]) -> None:
    bad = {
        f"{stream}.{path}": text
        for stream, schema in schemas.items()
        for path, text in described_fields(schema)
        if len(text.split()) < FEWEST_WORDS or not text.endswith(".")
    }
    assert not bad, f"describe in the schema, in a sentence of at least {FEWEST_WORDS} words: {bad}"


def test_names_in_descriptions_are_those_of_streams_columns_and_settings(schemas: dict[str, Json]) -> None:
    settings = {name for (tap, _), *_ in TAPS.values() for name in tap.config_jsonschema["properties"]}
    columns = {
        stream: {name for path, _ in described_fields(schema) for name in path.split(".")}
        for stream, schema in schemas.items()
    }
    bad = {}
    for stream, schema in schemas.items():
        for path, text in described_fields(schema):
            streams = columns.keys() & set(CODE.findall(text))
            known = streams.union(settings, columns[stream], *(columns[other] for other in streams))
            if unknown := set(CODE.findall(text)) - known:
                bad[f"{stream}.{path}"] = unknown
    assert not bad, f"no stream, setting, column of this stream or column of a stream named beside it: {bad}"


def test_see_refers_to_a_stream(schemas: dict[str, Json]) -> None:
    bad = {
        f"{stream}.{path}": text
        for stream, schema in schemas.items()
        for path, text in described_fields(schema)
        if set(REFERENCE.findall(text)) - schemas.keys()
    }
    assert not bad, f"`see` is for the stream that an id refers to: {bad}"
