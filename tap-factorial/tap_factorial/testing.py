"""Test helpers: the records that the vendor's bodies should become."""

from __future__ import annotations

from typing import Any

from singer_rest import is_secret
from singer_rest.testing import canonical_value

from tap_factorial.streams import streams_of
from tap_factorial.tap import API_VERSION

STREAMS = {stream.name: stream for stream in streams_of(API_VERSION)}
KEYS = {name: tuple(stream.primary_keys) for name, stream in STREAMS.items()}
BY_DEFAULT = {name for name, stream in STREAMS.items() if not (stream.optional or stream.setting)}
"""Streams that no setting has to enable."""


def expected_row(body: dict[str, Any]) -> dict[str, Any]:
    """Converts a body to a row: query parameters (names with an underscore) become columns, secrets are dropped."""
    return {name.removeprefix("_"): value for name, value in body.items() if not is_secret(name)}


def key_of(stream: str, record: dict[str, Any]) -> tuple[str, ...]:
    """Returns the key of a record, from the tap or from the loader. Without a key, the whole record."""
    names = KEYS[stream] or sorted(name for name in record if not name.startswith("_"))
    return tuple(str(canonical_value(record.get(name))) for name in names)


def index_by_key(stream: str, bodies: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Returns the vendor's bodies, as rows, by the key of their records."""
    rows = [expected_row(body) for body in bodies]
    return {key_of(stream, row): row for row in rows}
