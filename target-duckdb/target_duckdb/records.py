"""Decodes records into spool rows: a fast path for values of the expected type, an exact path for all others."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from target_duckdb import nested_types, nested_values
from target_duckdb.columns import DELETED_AT, Column, SpoolFormat
from target_duckdb.errors import RecordError
from target_duckdb.messages import NOT_UTF_8, raw_fields, repair_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_INT64 = range(-(2**63), 2**63)
_INT128 = range(-(2**127), 2**127)
_DECODED_TYPES: dict[SpoolFormat, Any] = {
    SpoolFormat.INTEGER: _Int64,
    SpoolFormat.NUMBER: msgspec.Raw,
    SpoolFormat.BOOLEAN: bool,
    SpoolFormat.TEXT: str,
    SpoolFormat.DECIMAL_TEXT: msgspec.Raw,
    SpoolFormat.JSON: msgspec.Raw,
    SpoolFormat.WIDENED: msgspec.Raw,
    SpoolFormat.NATIVE: msgspec.Raw,
}
_INTEGER_TEXT = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
#: A number, possibly inside a string. Unlike leading zeros, a sign or an exponent carries no other meaning.
_NUMBER_TEXT = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_ESCAPED_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
_NON_FINITE = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}  # as DuckDB prints them
_MAX_EXPONENT = 100  # numbers with larger exponents are kept as text
EXACT_DOUBLE_DIGITS = 15  # a double keeps every decimal number of up to this many digits
_MIN_EXACT_DOUBLE, _MAX_EXACT_DOUBLE = 1e-300, 1e300
_ZERO = re.compile(rb"-?0(\.0+)?")
_MAX_EXACT_INTEGER = 2**53
_NULL = msgspec.Raw(b"null")
#: Values of `_sdc_deleted_at` that some taps send for rows that are not deleted.
_NOT_DELETED = {"null", "false", '""'}

_decode_string = msgspec.json.Decoder(str).decode


class ColumnTooNarrowError(Exception):
    """A value does not fit the type of its column.

    Attributes:
        index: The position of the column.
        type: The DuckDB type that holds the value.
    """

    def __init__(self, index: int, type_: str) -> None:
        super().__init__("A value does not fit the type of its column.")
        self.index = index
        self.type = type_


class RecordDecoder:
    """Decodes the records of a stream into values in column order, followed by `_sdc_deleted_at`.

    Args:
        columns: The stream's columns.
        keys: Names of the key properties.
        ignored: Names of fields that are not loaded.

    Attributes:
        struct: The msgspec type that records decode into, columns first. None if msgspec cannot express it.
        number_columns: Positions of NUMBER columns, which decode into raw JSON.
        raw_columns: Positions and spool formats of the other columns that decode into raw JSON.
        raw_key_columns: Positions of key columns that decode into raw JSON.
    """

    def __init__(self, columns: tuple[Column, ...], keys: Iterable[str], ignored: Iterable[str] = ()) -> None:
        self.columns = columns
        self.keys = frozenset(keys)
        self._width = len(columns) + 1
        self.raw_columns = [
            (index, column.spool_format)
            for index, column in enumerate(columns)
            if _DECODED_TYPES[column.spool_format] is msgspec.Raw and column.spool_format is not SpoolFormat.NUMBER
        ]
        self.raw_key_columns = [
            index
            for index, column in enumerate(columns)
            if column.name in self.keys and _DECODED_TYPES[column.spool_format] is msgspec.Raw
        ]
        self._parsers = {
            index: nested_values.make_parser(nested_types.parse_type(column.type), _PARSERS)
            for index, column in enumerate(columns)
            if column.spool_format is SpoolFormat.NATIVE
        }
        self.number_columns = [
            index for index, column in enumerate(columns) if column.spool_format is SpoolFormat.NUMBER
        ]
        # Fields are numbered, because a property name may not be a Python identifier.
        names = [*(column.name for column in columns), DELETED_AT, *ignored]
        annotations = (
            [_DECODED_TYPES[column.spool_format] for column in columns]
            + [str]
            + [msgspec.Raw] * (len(names) - self._width)
        )
        fields: list[Any] = [
            (f"f{index}", kind)
            if name in self.keys
            else ((f"f{index}", kind, _NULL) if kind is msgspec.Raw else (f"f{index}", kind | None, None))
            for index, (name, kind) in enumerate(zip(names, annotations, strict=True))
        ]
        self.struct: type[msgspec.Struct] | None = None
        self._decode: Callable[[bytes | msgspec.Raw], msgspec.Struct] = _raise_not_decodable
        if any(_ESCAPED_IN_NAMES.search(name) for name in names):
            return  # msgspec does not support such names, so every record takes the exact path
        self.struct = msgspec.defstruct(
            "Record",
            fields,
            rename={f"f{index}": name for index, name in enumerate(names)},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(self.struct).decode

    def decode(self, record: msgspec.Raw) -> list[Any]:
        """Decodes a record if all of its values have the expected types.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError: The record needs `decode_exactly`.
        """
        values = list(msgspec.structs.astuple(self._decode(record))[: self._width])
        for index in self.number_columns:
            text = bytes(values[index])
            values[index] = None if text == b"null" else exact_double(text)
        for index, spool_format in self.raw_columns:
            values[index] = self.raw_column_value(index, spool_format, str(bytes(values[index]), "utf-8"))
        for index in self.raw_key_columns:
            if values[index] is None:
                raise msgspec.ValidationError
        return values

    def decode_exactly(self, record: msgspec.Raw) -> tuple[list[Any], set[str], set[str]]:
        """Decodes any record, value by value.

        Returns:
            The values, the names of the record's fields, and the names of those without a column.

        Raises:
            ColumnTooNarrowError: A column must be widened first.
            RecordError: The record is not an object, is not UTF-8 text, or has no value for a key property.
            LineError: It is not JSON.
        """
        try:
            texts = {name: str(bytes(raw), "utf-8") for name, raw in raw_fields(record).items()}
        except UnicodeDecodeError:
            raise RecordError(NOT_UTF_8) from None
        values: list[Any] = []
        for index, column in enumerate(self.columns):
            text = texts.get(column.name, "null")
            if text == "null" and column.name in self.keys:
                raise RecordError(f"its record has no value for the key property '{column.name}'.")
            values.append(None if text == "null" else self._decode_value(index, column, text))
        deleted = texts.get(DELETED_AT, "null")
        values.append(None if deleted in _NOT_DELETED else _plain_text(deleted))
        return values, set(texts), set(texts) - {column.name for column in self.columns} - {DELETED_AT}

    def raw_column_value(self, index: int, spool_format: SpoolFormat, text: str) -> str | dict[str, Any] | None:
        """Converts the JSON text of a value to the spool format of its column, other than NUMBER."""
        if text == "null":
            return None
        if spool_format is SpoolFormat.NATIVE:
            try:
                return {"t": text, "v": self._parsers[index](text)}
            except nested_values.NestedTypeTooNarrowError:
                raise msgspec.ValidationError from None
        if spool_format is SpoolFormat.JSON:
            return text
        return (
            _decimal_text(text)
            if spool_format is SpoolFormat.DECIMAL_TEXT
            else _widened_text(self.columns[index], text)
        )

    def _decode_value(self, index: int, column: Column, text: str) -> Any:  # noqa: ANN401 - a value may be anything
        if column.spool_format is SpoolFormat.WIDENED:
            return _widened_text(column, text)
        if column.spool_format is SpoolFormat.NATIVE:
            try:
                return {"t": text, "v": self._parsers[index](text)}
            except nested_values.NestedTypeTooNarrowError as error:
                raise ColumnTooNarrowError(
                    index, "JSON" if error.tree is None else nested_types.type_name(error.tree)
                ) from None
        try:
            return _PARSERS[column.spool_format](text)
        except ValueError:
            wide = column.spool_format is SpoolFormat.INTEGER and _is_integer_text(_plain_text(text))
            raise ColumnTooNarrowError(index, "HUGEINT" if wide else "VARCHAR") from None


def exact_double(text: bytes) -> float:
    """Parses a JSON number into a double.

    Raises:
        msgspec.ValidationError: It is not a number, or a double may not hold it exactly.
    """
    try:
        value = float(text)
    except ValueError:
        raise msgspec.ValidationError from None
    if len(text) > EXACT_DOUBLE_DIGITS:
        plain = str(text, "ascii")
        if repr(value) != plain and not _equals_double(plain, value):
            raise msgspec.ValidationError
    elif not _MIN_EXACT_DOUBLE < abs(value) < _MAX_EXACT_DOUBLE and not _ZERO.fullmatch(text):
        raise msgspec.ValidationError
    return value


def _raise_not_decodable(_: bytes | msgspec.Raw) -> msgspec.Struct:
    raise msgspec.ValidationError


def _plain_text(text: str) -> str:
    """Returns the content of a JSON string, the JSON text of any other value."""
    if not text.startswith('"'):
        return text
    try:
        return _decode_string(text)
    except msgspec.DecodeError:
        return _decode_string(repair_json(text.encode()))


def _decimal_text(text: str) -> str:
    """Returns a number without sign or exponent, any other text unchanged."""
    plain = _plain_text(text)
    if _has_sign_or_exponent(plain):
        try:
            number = Decimal(plain)
        except InvalidOperation:
            return plain
        if abs(number.adjusted()) <= _MAX_EXPONENT:
            return format(number, "f")
    return plain


def _has_sign_or_exponent(text: str) -> bool:
    """Whether a text is a number with a plus sign or an exponent."""
    return ("e" in text or "E" in text or text.startswith("+")) and _NUMBER_TEXT.fullmatch(text) is not None


def _is_integer_text(text: str) -> bool:
    return _INTEGER_TEXT.fullmatch(text) is not None and text != "-0"


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent is too large
        raise ValueError from None


def _parse_int64(text: str) -> int:
    value = _parse_integer(text)
    if value not in _INT64:
        raise ValueError
    return value


def _parse_integer(text: str) -> int:
    plain = _plain_text(text)
    if not _is_integer_text(plain):
        if not _NUMBER_TEXT.fullmatch(plain):
            raise ValueError
        number = _parse_decimal(plain)  # such as 1.0 or 1e2
        if abs(number.adjusted()) > _MAX_EXPONENT or number != number.to_integral_value():
            raise ValueError
        plain = format(number.to_integral_value(), "f")
    return int(plain)  # raises ValueError beyond 4,300 digits


def _parse_double(text: str) -> float | str:
    if text.startswith('"'):
        plain = _plain_text(text)
        if plain in _NON_FINITE:
            return plain  # DuckDB casts these strings to DOUBLE
        value = float(plain)
        same = repr(value) == plain or (
            _is_integer_text(plain) and abs(value) <= _MAX_EXACT_INTEGER and _equals_double(plain, value)
        )
        same = same or (_has_sign_or_exponent(plain) and _equals_double(plain, value))
    else:
        same = text[0] in "-0123456789"
        value = float(text) if same else 0.0
        same = same and _equals_double(text, value)
    if not same or not math.isfinite(value):
        raise ValueError
    return value


def _equals_double(text: str, value: float) -> bool:
    """Whether a double holds the number that it was parsed from: exactly, or as its shortest text, such as 0.1.

    Large integers must be held exactly.
    """
    if not math.isfinite(value):
        return False
    if _is_integer_text(text) and abs(value) >= _MAX_EXACT_INTEGER and int(value) != int(text):
        return False
    shortest = repr(value)
    try:
        return shortest == text or Decimal(text) in (Decimal(shortest), Decimal(value))
    except InvalidOperation:
        return False


def _parse_boolean(text: str) -> bool:
    value = _BOOLEANS.get(_plain_text(text).lower())
    if value is None:
        raise ValueError
    return value


_PARSERS: dict[SpoolFormat, Callable[[str], Any]] = {
    SpoolFormat.INTEGER: _parse_int64,
    SpoolFormat.NUMBER: _parse_double,
    SpoolFormat.BOOLEAN: _parse_boolean,
    SpoolFormat.TEXT: _plain_text,
    SpoolFormat.DECIMAL_TEXT: _decimal_text,
    SpoolFormat.JSON: lambda text: text,
}


def _widened_text(column: Column, text: str) -> str:
    """Returns the text of a value in a column that was widened to VARCHAR.

    A value of the declared type gets the text that DuckDB converts it to, so that equal values have equal text, and
    therefore equal keys, whether they were loaded before or after widening.
    """
    declared_format = Column(column.name, column.declared_type or column.type).spool_format
    try:
        value = _parse_integer(text) if declared_format is SpoolFormat.INTEGER else _PARSERS[declared_format](text)
    except ValueError:
        return _plain_text(text)
    if declared_format is SpoolFormat.INTEGER:
        return str(value) if value in _INT128 else _plain_text(text)
    if declared_format is SpoolFormat.NUMBER:
        return _NON_FINITE[value] if isinstance(value, str) else _double_text(value)
    return str(value).lower() if declared_format is SpoolFormat.BOOLEAN else _plain_text(text)


def _double_text(value: float) -> str:
    """Formats a float as `types.convert_sql` formats a DOUBLE that is already in the table."""
    whole = value.is_integer() and abs(value) <= _MAX_EXACT_INTEGER and repr(value) != "-0.0"
    return str(int(value)) if whole else repr(value)
