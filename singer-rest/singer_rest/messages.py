"""Messages on their way out: lines of JSON, whole or not at all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from singer_sdk.io_base import SingerMessageType
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import RecordMessage
from singer_sdk.singerlib.json import serialize_json

from singer_rest import deep
from singer_rest.command import output_sentence
from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from singer_sdk.singerlib.encoding.simple import Message

    from singer_rest.pages import Record

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    """Encode as JSON in UTF-8; Decimals as numbers, digit by digit."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; it has an escape.
        return serialize_json(value).encode()
    except RecursionError:
        return deep.shallow(deep.dump(value, encode)).encode()


def record_lines(stream: str, records: Iterable[Record], version: int | None, extracted: datetime | None) -> bytes:
    """RECORD lines for a page, the same bytes as one message each would give."""
    head = b'{"type":"RECORD","stream":' + encode(stream) + b',"record":'
    tail = b',"version":' + encode(version) if version is not None else b""
    tail += b',"time_extracted":' + encode(extracted) if extracted is not None else b""
    return b"".join(head + encode(record) + tail + b"}\n" for record in records)


class MessageWriter(GenericSingerWriter[bytes, "Message"]):
    """Writes messages to stdout; RECORD lines stay in its buffer until a STATE or SCHEMA follows."""

    def serialize_message(self, message: Message) -> bytes:
        """Encode one message as one line."""
        if isinstance(message, RecordMessage):
            return record_lines(message.stream, [message.record], message.version, message.time_extracted)
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
