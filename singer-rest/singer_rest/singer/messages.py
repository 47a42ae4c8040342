"""Messages on their way out: lines of JSON, whole or not at all."""

from __future__ import annotations

import io
import select
import sys
from typing import TYPE_CHECKING

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import RecordMessage
from singer_sdk.singerlib.json import serialize_json

from singer_rest import nesting as deep
from singer_rest.errors import RunError, output_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from singer_sdk.singerlib.encoding.simple import Message

    from singer_rest.aliases import Record

PART_BYTES = 65_536
"""What is written at once, and the rest of its last line."""

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
    """Writes messages to stdout.

    A signal cuts no line: what it wants done is done between two writes of whole lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_writing = False
        self._stop: Callable[[], None] | None = None

    def when_whole(self, stop: Callable[[], None]) -> None:
        """Do something once no line is half written; asked again in the meantime, it is done at once.

        Args:
            stop: What a signal wants done.
        """
        if not self._is_writing or self._stop:
            stop()
        self._stop = stop

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
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes) -> None:
        """Write lines that are encoded already.

        Raises:
            RunError: If the output takes no more.
        """
        for part in _parts(lines):
            self._is_writing = True
            try:
                _write(part)
            except OSError as error:
                raise RunError(output_sentence(error)) from None
            finally:
                self._is_writing = False
            if self._stop:
                self._stop()


def _parts(lines: bytes) -> Iterator[bytes]:
    """Whole lines, so few that a signal does not wait for long."""
    begin = 0
    while begin < len(lines):
        end = lines.find(b"\n", begin + PART_BYTES) + 1 or len(lines)
        yield lines[begin:end]
        begin = end


def _write(lines: bytes) -> None:
    """Write all, whatever signals come: an output without a buffer (PYTHONUNBUFFERED) may take a part at a time."""
    buffer = sys.stdout.buffer
    buffer.flush()
    raw = buffer if isinstance(buffer, io.RawIOBase) else getattr(buffer, "raw", None)
    if raw is None:
        buffer.write(lines)
        return
    left = memoryview(lines)
    while left:
        written = raw.write(left)
        if written is None:  # an output that does not block is full
            select.select([], [raw], [])
        left = left[written or 0 :]
