"""Query parameters: how each is read, and which rows it lets through. Nothing is forgiven."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
        name: as it stands in the query.
        parse: text to value; raises ValueError for any text that the API refuses.
        accepts: whether a row slices; None where the endpoint itself uses the value.
        required: refused without it.
        status: of a value that cannot be.
        title: of the refusal, where it is not the status' own.
    """

    name: str
    parse: Callable[[str], Any]
    accepts: Callable[[Any, Any], bool] | None = None
    required: bool = False
    status: int = 400
    title: str | None = None


def timestamp(text: str) -> datetime:
    """A timestamp in RFC 3339 with Z; any other zone or none is refused."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    return _timestamp(text)


def local_time(text: str) -> datetime:
    """A local date and time; a Z behind it is accepted and not looked at."""
    if not _LOCAL.fullmatch(text):
        raise ValueError(text)
    return _timestamp(text.rstrip("Z") + "Z").replace(tzinfo=None)


def plain_time(text: str) -> datetime:
    """A local date and time; a Z behind it is refused."""
    if text.endswith("Z"):
        raise ValueError(text)
    return local_time(text)


def _timestamp(text: str) -> datetime:
    whole, _, fraction = text.rstrip("Z").partition(".")
    timestamp = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return timestamp + timedelta(microseconds=int(fraction.ljust(6, "0")[:6])) if fraction else timestamp


def day(text: str) -> date:
    """A date, such as 2024-01-31, of a year that leaves room for the months after it."""
    if not _DATE.fullmatch(text) or text >= "9999":
        raise ValueError(text)
    return date.fromisoformat(text)


def text_value(text: str) -> str:
    """Any text but none."""
    if not text.strip():
        raise ValueError(text)
    return text


def comma_list(text: str) -> frozenset[str]:
    """Values between commas, none of them empty."""
    values = text.split(",")
    if not all(value.strip() for value in values):
        raise ValueError(text)
    return frozenset(values)


def whole_number(text: str) -> int:
    """A whole number, not negative."""
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_DIGITS:
        raise ValueError(text)
    return int(text)


def number_list(text: str) -> frozenset[int]:
    """Whole numbers between commas."""
    return frozenset(map(whole_number, comma_list(text)))


def subset_of(*choices: str) -> Callable[[str], frozenset[str]]:
    """A parser for a comma list of these values."""

    def parse(text: str) -> frozenset[str]:
        values = comma_list(text)
        if not values <= set(choices):
            raise ValueError(text)
        return values

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser for a parameter that has only these values."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def boolean(text: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(text) == "true"


def any_of(name: str, value: Callable[[Any], str]) -> Filter:
    """A comma list of values, any of which a row may have."""
    return Filter(name, comma_list, lambda row, wanted: value(row) in wanted)


def equals(name: str, value: Callable[[Any], Any], parse: Callable[[str], Any] = text_value) -> Filter:
    """One value that a row must have."""
    return Filter(name, parse, lambda row, wanted: value(row) == wanted)


def comparisons(
    name: str,
    value: Callable[[Any], Any],
    operators: Iterable[str],
    parse: Callable[[str], Any] = timestamp,
    title: str | None = None,
) -> tuple[Filter, ...]:
    """One parameter for each operator: `""` for equal, gt, lt, gte, lte. What is null slices none."""

    def accepts(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        def accept(row: Any, wanted: Any) -> bool:  # noqa: ANN401  what the endpoint's rows hold
            held = value(row)
            return held is not None and compare(held, wanted)

        return accept

    return tuple(
        Filter(f"{name}.{mark}" if mark else name, parse, accepts(_OPERATORS[mark]), title=title) for mark in operators
    )
