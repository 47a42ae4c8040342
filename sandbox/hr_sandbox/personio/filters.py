"""Query parameters of v2: how values are parsed, and which rows they match. Parsing is strict."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DIGITS = 18
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "gt": operator.gt,
    "lt": operator.lt,
    "gte": operator.ge,
    "lte": operator.le,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter.

    Attributes:
        accepts: whether a row matches the value; None if the endpoint itself uses the value.
        required: whether requests without it are rejected.
        status: the status for an invalid value.
        title: the title of the error, if it is not the status' default.
    """

    name: str
    parse: Callable[[str], Any]
    accepts: Callable[[Any, Any], bool] | None = None
    required: bool = False
    status: int = 400
    title: str | None = None


def parse_timestamp(text: str) -> datetime:
    """Parses an RFC 3339 timestamp with Z. Rejects other zones."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    return _parse_timestamp(text)


def parse_local_time(text: str) -> datetime:
    """Parses a local date and time. A trailing Z is accepted and ignored."""
    if not _LOCAL.fullmatch(text):
        raise ValueError(text)
    return _parse_timestamp(text.rstrip("Z") + "Z").replace(tzinfo=None)


def parse_plain_time(text: str) -> datetime:
    """Parses a local date and time. A trailing Z is rejected."""
    if text.endswith("Z"):
        raise ValueError(text)
    return parse_local_time(text)


def _parse_timestamp(text: str) -> datetime:
    whole, _, fraction = text.rstrip("Z").partition(".")
    timestamp = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return timestamp + timedelta(microseconds=int(fraction.ljust(6, "0")[:6])) if fraction else timestamp


def parse_day(text: str) -> date:
    """Parses a date such as 2024-01-31. Rejects years that leave no room for the following months."""
    if not _DATE.fullmatch(text) or text >= "9999":
        raise ValueError(text)
    return date.fromisoformat(text)


def parse_text(text: str) -> str:
    """Accepts any text that is not blank."""
    if not text.strip():
        raise ValueError(text)
    return text


def parse_list(text: str) -> frozenset[str]:
    """Parses comma-separated values. Rejects empty ones."""
    values = text.split(",")
    if not all(value.strip() for value in values):
        raise ValueError(text)
    return frozenset(values)


def parse_whole_number(text: str) -> int:
    """Parses a non-negative integer."""
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_DIGITS:
        raise ValueError(text)
    return int(text)


def parse_number_list(text: str) -> frozenset[int]:
    """Parses comma-separated integers."""
    return frozenset(map(parse_whole_number, parse_list(text)))


def parser_for_subset(*choices: str) -> Callable[[str], frozenset[str]]:
    """Returns a parser for a comma-separated list of these values."""

    def parse(text: str) -> frozenset[str]:
        values = parse_list(text)
        if not values <= set(choices):
            raise ValueError(text)
        return values

    return parse


def parser_for_choice(*choices: str) -> Callable[[str], str]:
    """Returns a parser that accepts only these values."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def parse_boolean(text: str) -> bool:
    """Parses `true` or `false`."""
    return parser_for_choice("true", "false")(text) == "true"


Getter = str | Callable[[Any], Any] | None  # a field, by default the one with the parameter's name, or a function


def _make_getter(name: str, value: Getter) -> Callable[[Any], Any]:
    return value if callable(value) else operator.attrgetter(value or name)


def filter_any_of(name: str, value: Getter = None) -> Filter:
    """Returns a filter for rows whose value is in a comma-separated list."""
    get = _make_getter(name, value)
    return Filter(name, parse_list, lambda row, wanted: str(get(row)) in wanted)


def filter_equal(name: str, value: Getter = None, parse: Callable[[str], Any] = parse_text) -> Filter:
    """Returns a filter for rows that have exactly the given value."""
    get = _make_getter(name, value)
    return Filter(name, parse, lambda row, wanted: get(row) == wanted)


def filter_comparisons(
    name: str,
    value: Getter,
    operators: Iterable[str],
    parse: Callable[[str], Any] = parse_timestamp,
    title: str | None = None,
) -> tuple[Filter, ...]:
    """Returns one filter per operator: `""` for equal, gt, lt, gte, lte. Null matches none."""
    get = _make_getter(name, value)

    def accepts(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        return lambda row, wanted: (held := get(row)) is not None and compare(held, wanted)

    return tuple(
        Filter(f"{name}.{mark}" if mark else name, parse, accepts(_OPERATORS[mark]), title=title) for mark in operators
    )
