"""Query parameters of v1. Parsing is strict."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.filters import day, text_value, whole_number
from hr_sandbox.personio.v1.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REPEATABLE = "[]"
MAX_PAGE_SIZE = 200
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_DATE_OR_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_TIMESTAMP_WITH_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. Those whose names end with brackets may be repeated.

    Attributes:
        name: its name in the query.
        parse: parses the text; raises ValueError if the API rejects it.
        default: the value without it.
        required: whether requests without it are rejected.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any = None
    required: bool = False

    def read(self, texts: list[str]) -> Any:  # noqa: ANN401  depends on the parser
        """Parse the values."""
        many = self.name.endswith(REPEATABLE)
        if (self.required and not texts) or (len(texts) > 1 and not many):
            raise invalid_parameter(self.name)
        try:
            values = tuple(map(self.parse, texts))
        except ValueError as error:
            raise invalid_parameter(self.name) from error
        if many:
            return values
        return values[0] if values else self.default


def read(parameters: Iterable[Parameter], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Parse the parameters of a query."""
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    values = {row.name: row.read(given.pop(row.name, [])) for row in parameters}
    for name in given:  # unknown parameters
        raise invalid_parameter(name)
    return values


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a parser for an integer in a range."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return parse


def since(text: str) -> datetime:
    """Parse a date or timestamp, with or without a zone. A date means its beginning."""
    if not _DATE_OR_TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def until(text: str) -> datetime:
    """Parse the same; a date means its end."""
    value = since(text)
    return value if "T" in text else datetime.combine(value.date(), time.max, UTC)


def timestamp(text: str) -> datetime:
    """Parse a timestamp with a zone and optional fractions of a second."""
    if not _TIMESTAMP_WITH_ZONE.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def paging(default: int = MAX_PAGE_SIZE, largest: int = MAX_PAGE_SIZE) -> tuple[Parameter, ...]:
    """Return the parameters `limit` and `offset`."""
    return (
        Parameter("limit", number(1, largest), default),
        Parameter("offset", number(0, 10**9), 0),
    )


def window(*, required: bool = False) -> tuple[Parameter, ...]:
    """Return the parameters for the first and last day."""
    return Parameter("start_date", day, required=required), Parameter("end_date", day, required=required)


def check_order(first: date | None, last: date | None) -> None:
    """Reject a window whose end is before its beginning."""
    if first and last and last < first:
        raise invalid_parameter("end_date")


EMPLOYEES = Parameter(f"employees{REPEATABLE}", whole_number)


def ids(name: str) -> Parameter:
    """Return a repeatable parameter for opaque ids."""
    return Parameter(f"{name}{REPEATABLE}", text_value)
