"""Reads Singer messages line by line. Records stay raw JSON until the decoder of their stream reads them."""

from __future__ import annotations

import codecs
import re
import sys
from collections import Counter
from typing import IO, TYPE_CHECKING, Annotated, Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_duckdb.errors import LineError, RecordError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_EMPTY = msgspec.Raw()
Version = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_decode_version: Callable[[msgspec.Raw], int | None] = msgspec.json.Decoder(Version | None).decode
_decode_time = msgspec.json.Decoder(str | None).decode


class Message(msgspec.Struct, gc=False):
    """Any Singer message. Fields that its type does not use are empty."""

    type: str
    stream: str | None = None
    record: msgspec.Raw = _EMPTY
    schema: msgspec.Raw = _EMPTY
    key_properties: list[str] | None = None
    value: msgspec.Raw = _EMPTY
    raw_version: msgspec.Raw = msgspec.field(default=_EMPTY, name="version")
    raw_time_extracted: msgspec.Raw = msgspec.field(default=_EMPTY, name="time_extracted")
    encoding: dict[str, Any] | None = None
    manifest: list[str] | None = None

    @property
    def version(self) -> int | None:
        """The version of a RECORD, BATCH or ACTIVATE_VERSION message, None if it has none.

        Raises:
            RecordError: It is not a 64-bit integer.
        """
        if not self.raw_version:
            return None
        try:
            return _decode_version(self.raw_version)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RecordError(INVALID_VERSION) from None

    @property
    def time_extracted(self) -> str | None:
        """The time at which the tap read the record. None if it is not text: an invalid time rejects no record."""
        try:
            return _decode_time(self.raw_time_extracted) if self.raw_time_extracted else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


_decode = msgspec.json.Decoder(Message).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_BLOCK_BYTES = 1 << 16  # the decoded values of larger blocks do not fit into the processor's cache
_MAX_NAME_LENGTH = 40  # of an unknown message type in an error
_UTF_16_INPUT = (
    "The input is UTF-16 text, which some Windows shells write when output is redirected to a file, but Singer messages"
    " are UTF-8. Pipe the tap into the target, or write the file as UTF-8."
)
_UTF_16_STARTS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"{\0", b"\0{")
NESTED_TOO_DEEP = "its record is nested too deeply."
NOT_UTF_8 = "its record is not UTF-8 text."
INVALID_VERSION = "its record has a version that is not a 64-bit integer."
#: The start of a RECORD line as most taps write it.
_RECORD_START = re.compile(rb'\{"type": ?"RECORD", ?"stream": ?"([^"\\]*)"')
#: Smaller groups of lines are not worth decoding together.
_MIN_GROUP_LENGTH = 4

# Matches one escape at a time, so that `\\ud800` (an escaped backslash, then text) is not read as a surrogate.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_STRING_OR_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*"|(?P<constant>-?Infinity|NaN)')


def repair_json(line: bytes) -> bytes:
    r"""Turns the non-standard JSON that Python's `json` module writes into valid JSON.

    A lone surrogate, which UTF-8 cannot encode, becomes six characters of text (`\ud800`). `NaN`, `Infinity` and
    `-Infinity` become strings.
    """
    line = _ESCAPE.sub(lambda match: b"\\" + match[0] if match["lone"] else match[0], line)
    return _STRING_OR_CONSTANT.sub(lambda match: b'"%s"' % match[0] if match["constant"] else match[0], line)


def json_text(raw: msgspec.Raw) -> str:
    """Decodes part of a message to JSON text.

    Raises:
        LineError: It is not UTF-8.
    """
    try:
        return str(bytes(raw), "utf-8")
    except UnicodeDecodeError:
        raise LineError("it is not UTF-8 text.") from None


def raw_fields(record: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Splits a record, or an object inside it, into fields of raw JSON.

    Raises:
        RecordError: It is not an object, or nested too deeply.
        LineError: It is not JSON.
    """
    for text in (record, repair_json(bytes(record))):
        try:
            return _decode_fields(text)
        except msgspec.ValidationError:
            raise RecordError("its record is not an object.") from None
        except RecursionError:
            raise RecordError(NESTED_TOO_DEEP) from None
        except UnicodeDecodeError:
            raise RecordError(NOT_UTF_8) from None
        except msgspec.DecodeError:
            continue
    raise LineError("it is not JSON.")


def decode_message(line: bytes) -> Message:
    """Decodes one line.

    Raises:
        LineError: The line is not JSON, or not a Singer message.
    """
    line = line.removeprefix(codecs.BOM_UTF8)  # some editors and shells write one
    for text in (line, None):
        try:
            return _decode(line if text is None else text)
        except msgspec.ValidationError:
            raise LineError("it is valid JSON but not a Singer message.") from None
        except msgspec.DecodeError:
            line = repair_json(line)
        except UnicodeDecodeError:
            raise LineError("it is not UTF-8 text.") from None
    raise LineError("it is not JSON, or it is truncated.")


def _raise_unknown_type(message: Message) -> None:
    name = "".join(letter for letter in message.type if letter.isprintable())
    name = name if len(name) <= _MAX_NAME_LENGTH else f"{name[:_MAX_NAME_LENGTH]}..."
    raise LineError(f"its message type '{name}' is unknown.")


class MessageReader(GenericSingerReader[bytes]):
    """Reads lines of bytes and passes each message to the callback for its type."""

    #: The number of the last line read, starting at 1.
    line_number = 0
    #: Loads the first of some RECORD lines of a stream together, given the stream, the lines and their number.
    #: Returns how many, 0 if they must be loaded one by one.
    add_lines: Callable[[str, bytes, int], int] = staticmethod(lambda _stream, _lines, _count: 0)
    #: Rejects a line whose record cannot be decoded, given stream and reason. Returns False if the run must end.
    reject_line: Callable[[str, bytes, str], bool] = staticmethod(lambda _stream, _line, _reason: False)
    #: Ends the run if a signal was received.
    check_signals: Callable[[], None] = staticmethod(lambda: None)
    #: Called before reading ends with an error or a signal.
    on_error: Callable[[], None] = staticmethod(lambda: None)

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input."""
        return sys.stdin.buffer

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Decodes one line into a plain dictionary."""
        return msgspec.json.decode(line, type=dict[str, Any])

    def process_lines(
        self,
        file_input: IO[bytes] | None,
        callbacks: dict[str, Callable[[Any], None]],
    ) -> Counter[str]:
        """Reads until the input ends.

        Args:
            file_input: A stream of bytes or text, standard input by default.
            callbacks: Called with each `Message`, by message type.

        Returns:
            The number of messages read, by type.

        Raises:
            TargetError: A line cannot be loaded. The message gives the line number.
        """
        source = file_input or self.default_input
        counts: Counter[str] = Counter()
        try:
            for block in read_blocks(getattr(source, "buffer", source)):
                self.check_signals()
                self._process_block(block, callbacks, counts)
        except (Exception, SystemExit):
            self.on_error()
            raise
        return counts

    def _process_block(self, block: bytes, callbacks: dict[str, Callable[[Any], None]], counts: Counter[str]) -> None:
        left = self._add_together(block, block.count(b"\n") + 1, counts)  # most blocks hold records of one stream only
        for lines, count in _group_lines(left) if left is not None else ():
            is_tried = len(lines) == len(left or b"")
            rest = lines if is_tried else self._add_together(lines, count, counts)
            for line in rest.split(b"\n") if rest is not None else ():
                self.line_number += 1
                self._process_line(line, callbacks, counts)

    def _add_together(self, lines: bytes, count: int, counts: Counter[str]) -> bytes | None:
        """Loads lines together if they are RECORD lines of one stream. Returns the other lines, or None."""
        match = _RECORD_START.match(lines) if count >= _MIN_GROUP_LENGTH else None
        # A last line of another stream is found more cheaply than by decoding all lines before it.
        is_alike = match is not None and lines.startswith(match[0], lines.rfind(b"\n") + 1)
        stream = str(match[1], "utf-8", "replace") if match and is_alike else ""
        while stream and (taken := self.add_lines(stream, lines, count)):
            self.line_number += taken
            counts["RECORD"] += taken
            count -= taken
            if not count:
                return None
            lines = lines.split(b"\n", taken)[-1]
        return lines

    def _process_line(self, line: bytes, callbacks: dict[str, Callable[[Any], None]], counts: Counter[str]) -> None:
        if not line or line.isspace():
            return
        try:
            message = decode_message(line)
            callbacks.get(message.type, _raise_unknown_type)(message)
        except RecursionError:
            match = _RECORD_START.match(line)
            stream = str(match[1], "utf-8", "replace") if match else ""
            if match is None or not self.reject_line(stream, line, NESTED_TOO_DEEP):
                reason = NESTED_TOO_DEEP if match else "its values are nested too deeply."
                raise TargetError(f"Line {self.line_number} of the input cannot be loaded: {reason}") from None
            counts["RECORD"] += 1
            return
        except LineError as error:
            if self.line_number == 1 and line.startswith(_UTF_16_STARTS):
                raise TargetError(_UTF_16_INPUT) from None
            raise TargetError(f"Line {self.line_number} of the input cannot be loaded: {error}") from None
        counts[message.type] += 1


def read_blocks(source: IO[Any]) -> Iterator[bytes]:
    """Yields the available input in blocks of whole lines, without the last line end."""
    parts: list[bytes | memoryview] = []
    # `read1` returns what is available instead of blocking until a slow tap has filled the buffer.
    read = getattr(source, "read1", source.read)
    while data := read(_BLOCK_BYTES):
        block = data.encode() if isinstance(data, str) else data
        end = block.rfind(b"\n")
        if end < 0:
            parts.append(block)
            continue
        yield b"".join([*parts, memoryview(block)[:end]])
        parts = [block[end + 1 :]]
    yield b"".join(parts)


def _group_lines(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Groups consecutive RECORD lines of one stream. Yields the lines and their number."""
    lines = block.split(b"\n")
    start, count = 0, len(lines)
    while start < count:
        end = start + 1
        match = _RECORD_START.match(lines[start])
        if match:
            head = match[0]
            while end < count and lines[end].startswith(head):
                end += 1
        yield b"\n".join(lines[start:end]), end - start
        start = end
