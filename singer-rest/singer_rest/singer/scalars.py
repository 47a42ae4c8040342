"""Converts scalar values to what a column declares: text, number, boolean, date or timestamp.

Each function takes a value that is not null. It returns the value in that type, None for an empty string, or
`NOT_COERCIBLE` if information would be lost.
"""

from __future__ import annotations

import re
import sys
from datetime import time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from singer_rest import times

NOT_COERCIBLE = object()
"""Returned by coercers for a value that its column cannot hold."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,300}", re.ASCII)
SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""The range of 64-bit integers."""

LARGEST_EXPONENT = sys.float_info.max_10_exp
LARGEST_FINITE = Decimal(sys.float_info.max)
"""Larger numbers are infinite as binary floating point."""

NUMBERS = frozenset({int, float, Decimal})

DAY = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)
LOCAL = re.compile(DAY.pattern + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?", re.ASCII)
UTC = re.compile(LOCAL.pattern + "Z", re.ASCII)
"""The formats in which times are kept as they are, if the date exists."""

LONGEST_TIME = 64
"""Maximum number of characters of a time."""

MIDNIGHT = time()
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def text(value: Any) -> Any:  # noqa: ANN401
    """Converts to text. Numbers and booleans are written as in JSON, with all digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float, Decimal)) else NOT_COERCIBLE


def number(value: Any) -> Any:  # noqa: ANN401
    """Converts a number or its text to a finite number."""
    kind = value.__class__
    if kind is Decimal and value.is_finite() and value.adjusted() < LARGEST_EXPONENT:
        return value
    if kind is str:
        return _number_of_text(value.strip())
    is_finite = kind in NUMBERS and value == value and abs(value) <= LARGEST_FINITE  # noqa: PLR0124 - NaN is not equal to itself
    return value if is_finite else NOT_COERCIBLE


def _number_of_text(digits: str) -> Any:  # noqa: ANN401
    if WHOLE_NUMBER.fullmatch(digits):
        return int(digits)
    if NUMBER.fullmatch(digits):
        return number(Decimal(digits))
    return NOT_COERCIBLE if digits else None


def integer(value: Any) -> Any:  # noqa: ANN401
    """Converts a number without a fraction, or its text, to a 64-bit integer."""
    if value.__class__ is int:
        return value if SMALLEST <= value <= LARGEST else NOT_COERCIBLE
    found = number(value)
    if found is None or found is NOT_COERCIBLE:
        return found
    is_whole = SMALLEST <= found <= LARGEST and found == int(found)
    return int(found) if is_whole else NOT_COERCIBLE


def parse_count(value: Any) -> int | None:  # noqa: ANN401
    """Parses a number of items, which may be text. None: it is not one."""
    found = None if value is None or isinstance(value, bool) else integer(value)
    return found if isinstance(found, int) else None


def boolean(value: Any) -> Any:  # noqa: ANN401
    """Converts 0 and 1 and the texts of booleans."""
    if value.__class__ is bool:
        return value
    if value.__class__ is str:
        word = value.strip().lower()
        return BOOLEANS.get(word, NOT_COERCIBLE) if word else None
    return bool(value) if isinstance(value, (int, float, Decimal)) and value in (0, 1) else NOT_COERCIBLE


def date(value: Any) -> Any:  # noqa: ANN401
    """Converts a date of another format or a midnight. Any other time of day would be lost."""
    return _date(value.strip()) if value.__class__ is str and len(value) <= LONGEST_TIME else NOT_COERCIBLE


@lru_cache(maxsize=16_384)  # there are far fewer dates than rows
def _date(value: str) -> Any:  # noqa: ANN401
    if not value:
        return None
    try:
        found = times.parse_with_offset(value)
    except ValueError:
        return NOT_COERCIBLE
    return found.date().isoformat() if found.time() == MIDNIGHT else NOT_COERCIBLE


def timestamp(value: Any) -> Any:  # noqa: ANN401
    """Converts to a timestamp in UTC with ``Z``; without a zone it is taken as UTC. Cuts off nanoseconds."""
    if value.__class__ is not str:
        return NOT_COERCIBLE
    if UTC.fullmatch(value) and (value[8:10] < "29" or _date(value[:10]) is not NOT_COERCIBLE):
        return value
    try:
        return times.format_utc(times.parse(value.strip())) if value.strip() else None
    except ValueError:
        return NOT_COERCIBLE


def local_time(value: Any) -> Any:  # noqa: ANN401
    """Converts a value to a timestamp without a time zone. A timestamp with a zone cannot be converted."""
    if value.__class__ is not str:
        return NOT_COERCIBLE
    if LOCAL.fullmatch(value) and (value[8:10] < "29" or _date(value[:10]) is not NOT_COERCIBLE):
        return value
    if not value.strip():
        return None
    try:
        found = times.parse_with_offset(value.strip())
    except ValueError:
        return NOT_COERCIBLE
    return NOT_COERCIBLE if found.tzinfo else found.isoformat()


def as_extra(value: Any) -> Any:  # noqa: ANN401
    """Returns a value as `_extra` keeps it: unchanged, but as text if JSON parsers would change or reject a number."""
    try:
        return _as_extra(value)
    except RecursionError:
        return value  # deeply nested values become text when written


def _as_extra(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _as_extra(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_extra(part) for part in value]
    kind = value.__class__
    fits = integer(value) is value if kind is int else kind not in NUMBERS or number(value) is value
    return value if fits else str(value)
