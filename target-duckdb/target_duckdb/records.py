"""Records to rows of the spool: quickly where every value is what its column expects, exactly always."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from target_duckdb.columns import DELETED_AT, Column, Form
from target_duckdb.errors import LineError
from target_duckdb.messages import repair, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_INT64 = range(-(2**63), 2**63)
_FAST_TYPES: dict[Form, Any] = {
    Form.INTEGER: _Int64,
    Form.NUMBER: float,
    Form.BOOLEAN: bool,
    Form.TEXT: str,
    Form.DIGITS: msgspec.Raw,
    Form.JSON: msgspec.Raw,
}
_INTEGER_TEXT = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_ESCAPED_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}
_MAX_EXPONENT = 100  # a longer number is kept as it was written

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode


class MisfitError(Exception):
    """A value that its column's form cannot hold.

    Attributes:
        index: The column's place.
        type: The DuckDB type that can hold it.
    """

    def __init__(self, index: int, type_: str) -> None:
        super().__init__("A value does not fit its column.")
        self.index = index
        self.type = type_


class RecordDecoder:
    """Decodes the records of one stream into values in the order of its columns, then `_sdc_deleted_at`.

    Args:
        columns: The stream's columns.
        keys: The names of its key properties.
        ignored: Names of fields that are not loaded.
    """

    def __init__(self, columns: tuple[Column, ...], keys: Iterable[str], ignored: Iterable[str] = ()) -> None:
        self.columns = columns
        self.keys = frozenset(keys)
        self._width = len(columns) + 1
        self._raw = [
            (index, column.form) for index, column in enumerate(columns) if column.form in {Form.DIGITS, Form.JSON}
        ]
        # Fields are named by number, because a property's name may be anything.
        names = [*(column.name for column in columns), DELETED_AT, *ignored]
        annotations = (
            [_FAST_TYPES[column.form] for column in columns] + [str] + [msgspec.Raw] * (len(names) - self._width)
        )
        fields: list[Any] = [
            (f"f{index}", kind)
            if name in self.keys
            else (f"f{index}", kind if kind is msgspec.Raw else kind | None, None)
            for index, (name, kind) in enumerate(zip(names, annotations, strict=True))
        ]
        self._decode: Callable[[bytes | msgspec.Raw], msgspec.Struct] = _refuse
        if any(_ESCAPED_IN_NAMES.search(name) for name in names):
            return  # msgspec takes no such names: every record goes the exact way
        struct = msgspec.defstruct(
            "Record",
            fields,
            rename={f"f{index}": name for index, name in enumerate(names)},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(struct).decode

    def decode(self, record: msgspec.Raw) -> list[Any]:
        """Decodes a record in which nothing is odd.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError: Something is odd; `decode_exactly` says what.
        """
        values = list(msgspec.structs.astuple(self._decode(record))[: self._width])
        for index, form in self._raw:
            if values[index] is not None:
                values[index] = self._text_of(index, form, str(bytes(values[index]), "utf-8"))
        return values

    def decode_exactly(self, record: msgspec.Raw) -> tuple[list[Any], set[str], set[str]]:
        """Decodes any record, value by value.

        Returns:
            The values, the names of the fields that the record carries, and of those that no column takes.

        Raises:
            MisfitError: A column must be widened first.
            LineError: The record is not an object, is not UTF-8 text, or lacks a key.
        """
        texts = {name: text_of(raw) for name, raw in _fields(record).items()}
        values: list[Any] = []
        for index, column in enumerate(self.columns):
            text = texts.get(column.name, "null")
            if text == "null" and column.name in self.keys:
                raise LineError(f"its record has no value for the key property '{column.name}'.")
            values.append(None if text == "null" else self._exactly(index, column.form, text))
        deleted = texts.get(DELETED_AT, "null")
        values.append(None if deleted == "null" else _plain_text(deleted))
        return values, set(texts), set(texts) - {column.name for column in self.columns} - {DELETED_AT}

    def _text_of(self, index: int, form: Form, text: str) -> str | None:
        if text == "null":
            if self.columns[index].name in self.keys:
                raise msgspec.ValidationError
            return None
        return text if form is Form.JSON else _digits(text)

    def _exactly(self, index: int, form: Form, text: str) -> Any:  # noqa: ANN401 - a value may be anything
        try:
            return _EXACT[form](text)
        except ValueError:
            wide = form is Form.INTEGER and _is_whole(_plain_text(text))
            raise MisfitError(index, "HUGEINT" if wide else "VARCHAR") from None


def _refuse(_: bytes | msgspec.Raw) -> msgspec.Struct:
    raise msgspec.ValidationError


def _fields(record: msgspec.Raw) -> dict[str, msgspec.Raw]:
    for text in (record, repair(bytes(record))):
        try:
            return _decode_fields(text)
        except msgspec.ValidationError:
            raise LineError("its record is not an object.") from None
        except msgspec.DecodeError:
            continue
    raise LineError("it is not JSON.")


def _plain_text(text: str) -> str:
    """A string's content; the JSON text of anything else."""
    if not text.startswith('"'):
        return text
    try:
        return _decode_string(text)
    except msgspec.DecodeError:
        return _decode_string(repair(text.encode()))


def _digits(text: str) -> str:
    """A number without exponent; what is no number stays as it is."""
    plain = _plain_text(text)
    if "e" in plain or "E" in plain:
        try:
            number = Decimal(plain)
        except InvalidOperation:
            return plain
        if abs(number.adjusted()) <= _MAX_EXPONENT and number.is_finite():
            return format(number, "f")
    return plain


def _is_whole(text: str) -> bool:
    return _INTEGER_TEXT.fullmatch(text) is not None and text != "-0"


def _integer(text: str) -> int:
    plain = _plain_text(text)
    if not _is_whole(plain):
        if text.startswith('"') or text[0] not in "-0123456789":
            raise ValueError
        number = Decimal(text)  # 1.0 and 1e2 are whole numbers too
        if abs(number.adjusted()) > _MAX_EXPONENT or number != number.to_integral_value():
            raise ValueError
        plain = format(number.to_integral_value(), "f")
    value = int(plain)  # at most 4,300 digits, else a ValueError
    if value not in _INT64:
        raise ValueError
    return value


def _number(text: str) -> float | str:
    if text.startswith('"'):
        plain = _plain_text(text)
        if plain in _NOT_FINITE:
            return plain  # JSON has no such numbers; DuckDB reads these words as them
        value = float(plain)
        same = repr(value) == plain or (_is_whole(plain) and math.isfinite(value) and str(int(value)) == plain)
    else:
        same = text[0] in "-0123456789"
        value = float(text) if same else 0.0
    if not same or not math.isfinite(value):
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    plain = _plain_text(text)
    if plain not in {"true", "false"}:
        raise ValueError
    return plain == "true"


_EXACT: dict[Form, Callable[[str], Any]] = {
    Form.INTEGER: _integer,
    Form.NUMBER: _number,
    Form.BOOLEAN: _boolean,
    Form.TEXT: _plain_text,
    Form.DIGITS: _digits,
    Form.JSON: lambda text: text,
}
