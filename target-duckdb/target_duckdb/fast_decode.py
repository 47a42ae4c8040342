"""Fast path: decodes consecutive RECORD lines of one stream together and checks them column by column.

If any value needs the exact path, all of these records are loaded one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from target_duckdb.columns import SpoolFormat
from target_duckdb.errors import LineError
from target_duckdb.messages import Message, Version
from target_duckdb.records import EXACT_DOUBLE_DIGITS, exact_double

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_duckdb.records import RecordDecoder

#: Raised for lines that must be loaded one by one.
NOT_FAST_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LineError)

_decode_numbers = msgspec.json.Decoder(list[float | None]).decode


class DecodedLines(NamedTuple):
    """Lines that were decoded together. Each list is in line order."""

    #: Versions and extraction times have a single item if it is the same for all lines.
    versions: list[int | None]
    extracted: list[str | None]
    #: Values by column, in the order of `RecordDecoder.decode`.
    columns: list[Sequence[Any]]


class LinesDecoder:
    """Decodes consecutive lines of one stream.

    Args:
        stream: The stream's name.
        records: The decoder of its single records.
    """

    def __init__(self, stream: str, records: RecordDecoder) -> None:
        self._records = records
        self._decode: Callable[[bytes], list[Any]] | None = None
        self._decode_records: Callable[[bytes], list[Any]] | None = None
        if records.struct is None:
            return
        name: Any = Literal[stream]
        line = msgspec.defstruct(
            "Line",
            [
                ("type", Literal["RECORD"]),
                ("stream", name),
                ("record", records.struct),
                ("version", Version | None, None),
                ("time_extracted", str | None, None),
            ],
            gc=False,
        )
        self._decode = msgspec.json.Decoder(line).decode_lines
        self._decode_records = msgspec.json.Decoder(records.struct).decode_lines

    def decode(self, lines: bytes, count: int, batch: Message | None = None) -> DecodedLines:
        """Decodes lines if all of their values have the expected types.

        Args:
            lines: The lines.
            count: The number of lines.
            batch: The BATCH message if the lines are records of its files.

        Raises:
            NOT_FAST_DECODABLE: The lines must be loaded one by one.
        """
        if self._decode is None or self._decode_records is None:
            raise msgspec.ValidationError
        if batch is not None:
            return DecodedLines(
                [batch.version], [batch.time_extracted], self._collect_columns(self._decode_records(lines), count)
            )
        found = self._decode(lines)
        columns = self._collect_columns([line.record for line in found], count)
        return DecodedLines([line.version for line in found], [line.time_extracted for line in found], columns)

    def _collect_columns(self, found: list[msgspec.Struct], count: int) -> list[Sequence[Any]]:
        if len(found) != count:  # a message spans two lines, or a line holds two
            raise msgspec.ValidationError
        records = self._records
        rows = [msgspec.structs.astuple(record) for record in found]
        columns: list[Sequence[Any]] = [*zip(*rows, strict=True)]
        del columns[len(records.columns) + 1 :]  # ignored fields
        if columns[-1].count(None) < count:  # deletion marks
            raise msgspec.ValidationError
        nulls = "\n".join(["null"] * count)
        for index in records.number_columns:
            columns[index] = _parse_numbers(columns[index])
        for index, spool_format in records.raw_columns:
            joined = str(b"\n".join(columns[index]), "utf-8")  # JSON on one line contains no line break
            if joined == nulls:
                columns[index] = [None] * count
                continue
            texts = joined.split("\n")
            if len(texts) != count:  # of a record that spans lines
                raise msgspec.ValidationError
            columns[index] = (
                [None if text == "null" else text for text in texts]
                if spool_format is SpoolFormat.JSON
                else [records.raw_column_value(index, spool_format, text) for text in texts]
            )
        if any(None in columns[index] for index in records.raw_key_columns):
            raise msgspec.ValidationError
        return columns


def _parse_numbers(column: Sequence[msgspec.Raw]) -> list[float | None]:
    joined = b",".join(column)
    values = _decode_numbers(b"[%b]" % joined)
    if b"e" in joined or b"E" in joined:
        for raw, value in zip(column, values, strict=True):
            if value is not None:
                exact_double(bytes(raw))
    elif max(map(len, column)) > EXACT_DOUBLE_DIGITS:
        for raw in column:
            if len(raw) > EXACT_DOUBLE_DIGITS:
                exact_double(bytes(raw))
    return values
