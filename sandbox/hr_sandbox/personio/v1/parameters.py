"""Query parameters of v1: how each is read. Nothing is forgiven."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.filters import day, text_value, whole_number
from hr_sandbox.personio.v1.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MANY = "[]"
LARGEST = 200
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_DATE_OR_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_TIMESTAMP_WITH_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; one whose name ends with brackets may stand many times.

    Attributes:
        name: as it stands in the query.
        parse: text to value; raises ValueError for any text that the API refuses.
        default: the value without it.
        required: invalid_parameter without it.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any = None
    required: bool = False

    def read(self, texts: list[str]) -> Any:  # noqa: ANN401  what its parser makes
        """The value of what was given."""
        many = self.name.endswith(MANY)
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
    """The values of a query's parameters."""
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    values = {row.name: row.read(given.pop(row.name, [])) for row in parameters}
    for name in given:  # nobody knows them
        raise invalid_parameter(name)
    return values


def number(least: int, most: int) -> Callable[[str], int]:
    """A parser for a whole number within these."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return parse


def since(text: str) -> datetime:
    """A day or a timestamp, with a zone or without one; a day is its beginning."""
    if not _DATE_OR_TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def until(text: str) -> datetime:
    """The same; a day is its end."""
    value = since(text)
    return value if "T" in text else datetime.combine(value.date(), time.max, UTC)


def timestamp(text: str) -> datetime:
    """A timestamp with its zone; parts of a second are read."""
    if not _TIMESTAMP_WITH_ZONE.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def paging(default: int = LARGEST, largest: int = LARGEST) -> tuple[Parameter, ...]:
    """The two parameters of pages."""
    return (
        Parameter("limit", number(1, largest), default),
        Parameter("offset", number(0, 10**9), 0),
    )


def window(*, required: bool = False) -> tuple[Parameter, ...]:
    """The first and the last day of what is asked for."""
    return Parameter("start_date", day, required=required), Parameter("end_date", day, required=required)


def check_order(first: date | None, last: date | None) -> None:
    """Refuse a window that ends before it begins."""
    if first and last and last < first:
        raise invalid_parameter("end_date")


EMPLOYEES = Parameter(f"employees{MANY}", whole_number)


def ids(name: str) -> Parameter:
    """Opaque ids, as many as one likes."""
    return Parameter(f"{name}{MANY}", text_value)
