"""For tests: what the vendor's bodies should have become once they are records."""

from __future__ import annotations

from typing import Any

from singer_rest import is_secret
from singer_rest.testing import meaning

from tap_factorial.streams import streams_of
from tap_factorial.tap import API_VERSION

STREAMS = {stream.name: stream for stream in streams_of(API_VERSION)}
KEYS = {name: tuple(stream.primary_keys) for name, stream in STREAMS.items()}
BY_DEFAULT = {name for name, stream in STREAMS.items() if not (stream.optional or stream.setting)}
"""Streams that no setting has to switch on."""


def emitted(body: dict[str, Any]) -> dict[str, Any]:
    """A body as a row: what stood in the query only, under a name with an underscore, as a column; no secrets."""
    return {name.removeprefix("_"): value for name, value in body.items() if not is_secret(name)}


def key_of(stream: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The key of a record, from the tap or from the loader; all of it, where there is none."""
    names = KEYS[stream] or sorted(name for name in record if not name.startswith("_"))
    return tuple(str(meaning(record.get(name))) for name in names)


def by_key(stream: str, bodies: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The vendor's bodies, as rows, by the key that their records have."""
    rows = [emitted(body) for body in bodies]
    return {key_of(stream, row): row for row in rows}
