"""Single values as what a column declares: a text, a number, a boolean, a date, a timestamp.

Each function takes a value that is not null. It returns the value in that type, None for an empty string, or
`NOT_COERCIBLE` if something would be lost.
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
"""What a coercer gives of a value that its column cannot hold."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,300}", re.ASCII)
SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""The ends of what a column of integers holds, in 64 bits."""

LARGEST_EXPONENT = sys.float_info.max_10_exp
LARGEST_FINITE = Decimal(sys.float_info.max)
"""What is beyond it is infinite for whoever reads it in binary."""

NUMBERS = frozenset({int, float, Decimal})

DAY = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)
LOCAL = re.compile(DAY.pattern + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?", re.ASCII)
UTC = re.compile(LOCAL.pattern + "Z", re.ASCII)
"""The forms in which times stay as they are, if there is such a day."""

LONGEST_TIME = 64
"""Letters of what may be a time."""

MIDNIGHT = time()
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def text(value: Any) -> Any:  # noqa: ANN401
    """A text; numbers and booleans with every digit, as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float, Decimal)) else NOT_COERCIBLE


def number(value: Any) -> Any:  # noqa: ANN401
    """A number that is finite, from a number or its text."""
    kind = value.__class__
    if kind is Decimal and value.is_finite() and value.adjusted() < LARGEST_EXPONENT:
        return value
    if kind is str:
        return _number_of_text(value.strip())
    is_finite = kind in NUMBERS and value == value and abs(value) <= LARGEST_FINITE  # noqa: PLR0124 - NaN is not itself
    return value if is_finite else NOT_COERCIBLE


def _number_of_text(digits: str) -> Any:  # noqa: ANN401
    if WHOLE_NUMBER.fullmatch(digits):
        return int(digits)
    if NUMBER.fullmatch(digits):
        return number(Decimal(digits))
    return NOT_COERCIBLE if digits else None


def integer(value: Any) -> Any:  # noqa: ANN401
    """An integer of at most 64 bits, from a number without a fraction or its text."""
    if value.__class__ is int:
        return value if SMALLEST <= value <= LARGEST else NOT_COERCIBLE
    found = number(value)
    if found is None or found is NOT_COERCIBLE:
        return found
    is_whole = SMALLEST <= found <= LARGEST and found == int(found)
    return int(found) if is_whole else NOT_COERCIBLE


def boolean(value: Any) -> Any:  # noqa: ANN401
    """A boolean, from 0 or 1 or from their texts."""
    if value.__class__ is bool:
        return value
    if value.__class__ is str:
        word = value.strip().lower()
        return BOOLEANS.get(word, NOT_COERCIBLE) if word else None
    return bool(value) if isinstance(value, (int, float, Decimal)) and value in (0, 1) else NOT_COERCIBLE


def date(value: Any) -> Any:  # noqa: ANN401
    """A date, from one in another form or from a midnight; a time of day would be lost."""
    return _date(value.strip()) if value.__class__ is str and len(value) <= LONGEST_TIME else NOT_COERCIBLE


@lru_cache(maxsize=16_384)  # there are far fewer dates than rows
def _date(value: str) -> Any:  # noqa: ANN401
    if not value:
        return None
    try:
        found = times.read(value)
    except ValueError:
        return NOT_COERCIBLE
    return found.date().isoformat() if found.time() == MIDNIGHT else NOT_COERCIBLE


def timestamp(value: Any) -> Any:  # noqa: ANN401
    """A timestamp in UTC with ``Z``; one without a zone is in UTC. What is finer than a microsecond is cut."""
    if value.__class__ is not str:
        return NOT_COERCIBLE
    if UTC.fullmatch(value) and (value[8:10] < "29" or _date(value[:10]) is not NOT_COERCIBLE):
        return value
    try:
        return times.text(times.parse(value.strip())) if value.strip() else None
    except ValueError:
        return NOT_COERCIBLE


def local_time(value: Any) -> Any:  # noqa: ANN401
    """A timestamp without a zone; one with a zone is another matter."""
    if value.__class__ is not str:
        return NOT_COERCIBLE
    if LOCAL.fullmatch(value) and (value[8:10] < "29" or _date(value[:10]) is not NOT_COERCIBLE):
        return value
    if not value.strip():
        return None
    try:
        found = times.read(value.strip())
    except ValueError:
        return NOT_COERCIBLE
    return NOT_COERCIBLE if found.tzinfo else found.isoformat()


def as_extra(value: Any) -> Any:  # noqa: ANN401
    """A value as `_extra` keeps it: as it came, but as text where a reader of JSON would change or refuse a number."""
    try:
        return _as_extra(value)
    except RecursionError:
        return value  # what is nested so deep becomes text as it is written


def _as_extra(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _as_extra(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_extra(part) for part in value]
    kind = value.__class__
    fits = integer(value) is value if kind is int else kind not in NUMBERS or number(value) is value
    return value if fits else str(value)
