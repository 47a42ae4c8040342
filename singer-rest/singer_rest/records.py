"""Records on their way out: fields that no schema lists, timestamps, duplicates, RECORD lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.io_base import SingerMessageType
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.json import serialize_json

from singer_rest import times
from singer_rest.command import output_sentence
from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from singer_sdk.singerlib.encoding.simple import Message

    from singer_rest.pages import Record

EXTRA = "_extra"
MOST_SEEN = 1_000_000
"""Keys of a slice that are remembered to find those that come again; beyond that a loader's upsert has to do."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class Shape:
    """Fits records to a stream's schema without losing anything.

    Args:
        schema: The stream's JSON Schema.
        keys: Its primary keys.
    """

    def __init__(self, schema: dict[str, Any], keys: Sequence[str]) -> None:
        properties = schema["properties"]
        self._known = properties.keys()
        self._keys = keys
        self._texts = [name for name in keys if properties.get(name, {}).get("type") in ("string", ["string"])]
        self._moments = [
            name
            for name, definition in properties.items()
            if definition.get("format") == "date-time" and "x-sql-datatype" not in definition
        ]
        self.unlisted: set[str] = set()
        self.repeated = 0
        self.keyless = 0
        self._seen: set[int] = set()

    def start_slice(self) -> None:
        """Forget the keys of the slice before: a record may come again in another slice."""
        self._seen.clear()

    def fit(self, record: Record) -> Record:
        """Move unlisted root fields into ``_extra``, write moments in UTC with ``Z``, check the key."""
        unlisted = record.keys() - self._known
        if unlisted:
            record[EXTRA] = {name: record.pop(name) for name in sorted(unlisted)}
            self.unlisted |= unlisted
        for name in self._moments:
            value = record.get(name)
            if isinstance(value, str) and not value.endswith("Z"):
                record[name] = _utc(value)
        for name in self._texts:
            if isinstance(record.get(name), int):  # an id is text, whatever the vendor makes of it
                record[name] = str(record[name])
        if self._keys:
            self.keyless += any(record.get(name) is None for name in self._keys)
            key = hash(tuple(_hashable(record.get(name)) for name in self._keys))
            if key in self._seen:
                self.repeated += 1
            elif len(self._seen) < MOST_SEEN:
                self._seen.add(key)
        return record


def _utc(value: str) -> str:
    try:
        return times.text(times.parse(value))
    except ValueError:
        return value  # the loader keeps what it cannot read as a time


def _hashable(value: object) -> Hashable:
    return value if isinstance(value, Hashable) else json.dumps(value, sort_keys=True, default=str)


def encode(value: object) -> bytes:
    """Encode as JSON in UTF-8; Decimals as numbers, digit by digit."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; it has an escape.
        return serialize_json(value).encode()


def record_lines(stream: str, records: Iterable[Record], version: int | None, extracted: datetime) -> bytes:
    """RECORD lines for a page, the same bytes as one message each would give."""
    head = b'{"type":"RECORD","stream":' + encode(stream) + b',"record":'
    tail = b',"version":' + encode(version) if version is not None else b""
    tail += b',"time_extracted":' + encode(extracted) + b"}\n"
    return b"".join(head + encode(record) + tail for record in records)


class MessageWriter(GenericSingerWriter[bytes, "Message"]):
    """Writes messages to stdout; RECORD lines stay in its buffer until a STATE or SCHEMA follows."""

    def serialize_message(self, message: Message) -> bytes:
        """Encode one message as one line."""
        return encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Write one message.

        Raises:
            RunError: If the output takes no more.
        """
        self.write_lines(self.format_message(message), flush=message.type != SingerMessageType.RECORD)

    def write_lines(self, lines: bytes, *, flush: bool = False) -> None:
        """Write lines that are encoded already.

        Raises:
            RunError: If the output takes no more.
        """
        try:
            sys.stdout.buffer.write(lines)
            if flush:
                sys.stdout.buffer.flush()
        except OSError as error:
            raise RunError(output_sentence(error)) from None
