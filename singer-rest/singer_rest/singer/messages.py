"""Encodes and writes Singer messages as whole lines of JSON."""

from __future__ import annotations

import io
import select
import sys
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING

import msgspec
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib.encoding import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import RecordMessage, SchemaMessage, StateMessage
from singer_sdk.singerlib.json import serialize_json

from singer_rest import nesting
from singer_rest.errors import RunError, output_sentence

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import TapState
    from singer_sdk.singerlib.encoding.simple import Message

    from singer_rest.aliases import Record

PART_BYTES = 256 * 1024
"""Lines are written in parts of about this size."""
PIPE_BYTES = 1024 * 1024
"""Bytes of buffer to request for the output if it is a pipe. With less, the tap and the loader wait for each other at
every page. Linux provides 64 KiB by default.
"""

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    """Encodes a value as UTF-8 JSON. Decimals keep all digits."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # A lone surrogate cannot be encoded as UTF-8, but can be escaped.
        return serialize_json(value).encode()
    except RecursionError:
        return nesting.limit_depth(nesting.dump(value, encode)).encode()


def encode_lines(records: Sequence[Record]) -> bytes:
    """Encodes records as lines, which hold no line breaks of their own."""
    try:
        return _encoder.encode_lines(records)
    except (UnicodeEncodeError, RecursionError):
        return b"".join(encode(record) + b"\n" for record in records)


def record_lines(stream: str, records: Sequence[Record], version: int | None, extracted: datetime | None) -> bytes:
    """Encodes the RECORD lines of a page. The bytes equal those of single messages."""
    return message_lines(stream, encode_lines(records), version, extracted)


def message_lines(stream: str, lines: bytes, version: int | None, extracted: datetime | None) -> bytes:
    """Returns RECORD messages, one per line, for records that are already encoded as lines of JSON."""
    if not lines:
        return b""
    head = b'{"type":"RECORD","stream":' + encode(stream) + b',"record":'
    tail = b',"version":' + encode(version) if version is not None else b""
    tail += b',"time_extracted":' + encode(extracted) if extracted is not None else b""
    tail += b"}\n"
    return head + lines[:-1].replace(b"\n", tail + head) + tail


class MessageWriter(GenericSingerWriter[bytes, "Message"]):
    """Writes messages to stdout.

    Signal handlers run between lines, never within one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_writing = False
        self._stop: Callable[[], None] | None = None
        _enlarge_pipe()

    def run_between_lines(self, stop: Callable[[], None]) -> None:
        """Runs a signal handler once no line is partly written. A second signal runs its handler at once.

        Args:
            stop: The signal handler.
        """
        if not self._is_writing or self._stop:
            stop()
        self._stop = stop

    def serialize_message(self, message: Message) -> bytes:
        """Encodes one message as one line."""
        if isinstance(message, RecordMessage):
            return record_lines(message.stream, [message.record], message.version, message.time_extracted)
        if isinstance(message, StateMessage | SchemaMessage):
            # Not `to_dict`, which copies the state of all streams, and each schema.
            values = ((field.name, getattr(message, field.name)) for field in fields(message))
            return encode({name: value for name, value in values if value is not None}) + b"\n"
        return encode(message.to_dict()) + b"\n"

    def write_message(self, message: Message) -> None:
        """Writes one message.

        Raises:
            RunError: If the output cannot be written.
        """
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes) -> None:
        """Writes encoded lines.

        Raises:
            RunError: If the output cannot be written.
        """
        for part in _split_lines(lines):
            self._is_writing = True
            try:
                _write(part)
            except OSError as error:
                raise RunError(output_sentence(error)) from None
            finally:
                self._is_writing = False
            if self._stop:
                self._stop()


class ChangedStateWriter(StateWriter):
    """Writes STATE messages that differ from the last one. Compares their lines, so that no state has to be copied."""

    def __init__(self, writer: MessageWriter) -> None:
        super().__init__(writer)
        self._writer = writer
        self._last_line = b""

    def write_state(self, state: TapState) -> None:
        """Writes the state if it has changed.

        Raises:
            RunError: If the output cannot be written.
        """
        line = self._writer.format_message(StateMessage(state))
        if line != self._last_line:
            self._writer.write_lines(line)
            self._last_line = line


def _enlarge_pipe() -> None:
    """Lets the pipe to the loader hold more, where the system allows it."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError):  # not a pipe, no file at all, or more than a user may have
            fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _split_lines(lines: bytes) -> Iterator[bytes]:
    """Splits lines into parts that are written quickly, so that a signal does not wait long."""
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start + PART_BYTES) + 1 or len(lines)
        yield lines[start:end]
        start = end


def _write(lines: bytes) -> None:
    """Writes everything despite signals. An unbuffered output (PYTHONUNBUFFERED) may accept only a part at a time."""
    buffer = sys.stdout.buffer
    buffer.flush()
    raw = buffer if isinstance(buffer, io.RawIOBase) else getattr(buffer, "raw", None)
    if raw is None:
        buffer.write(lines)
        return
    remaining = memoryview(lines)
    while remaining:
        written = raw.write(remaining)
        if written is None:  # a non-blocking output is full
            select.select([], [raw], [])
        remaining = remaining[written or 0 :]
