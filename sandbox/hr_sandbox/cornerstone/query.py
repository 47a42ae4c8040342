"""Parses the query options and preferences of OData requests. Supports of filters only what the guides mention."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.errors import NOT_ACCEPTABLE, make_bad_request, make_error
from hr_sandbox.cornerstone.tables import EXPORTER, TOUCHED
from hr_sandbox.cornerstone.timestamps import parse_timestamp
from hr_sandbox.http.messages import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hr_sandbox.cornerstone.tables import Column

    Getter = Callable[[Column], Any]
    Test = Callable[[Getter], bool]
    from hr_sandbox.cornerstone.tables import Column, EntitySet
    from hr_sandbox.http.messages import Request

TOKENS = re.compile(
    r"\s*(?:(?P<timestamp>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<text>'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_]\w*(?:\.\w+)?)|(?P<sign>[(),]))"
)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
KINDS = {
    "Edm.String": "text",
    "Edm.Boolean": "boolean",
    "Edm.DateTimeOffset": "timestamp",
    "Edm.Guid": "guid",
}
UNORDERED = frozenset({"boolean", "guid"})
END = ("end", "")


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition.

    Attributes:
        test: whether a row matches.
        bounds: comparisons of the last-touched timestamp, all of which must hold.
        only: whether the bounds are equivalent to the condition.
    """

    test: Test
    bounds: tuple[tuple[str, int], ...] = ()
    only: bool = False


class FilterParser:
    """Parses one condition."""

    def __init__(self, text: str, columns: dict[str, Column], indexed: Iterable[str]) -> None:
        self._columns = columns
        self._indexed = frozenset(indexed)
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = TOKENS.match(text, place)
            if found is None:
                raise make_bad_request(f"Syntax error at position {place} in the filter.")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            place = found.end()
        self._tokens.reverse()

    def parse(self) -> Condition:
        """Parses the whole condition."""
        part = self._parse_or()
        if self._tokens:
            raise make_bad_request(f"Syntax error at {self._tokens[-1][1]} in the filter.")
        return part

    def _peek_token(self) -> tuple[str, str]:
        return self._tokens[-1] if self._tokens else END

    def _take_token(self, *wanted: str) -> str:
        kind, text = self._tokens.pop() if self._tokens else END
        if wanted and text not in wanted and kind not in wanted:
            raise make_bad_request(f"Syntax error at {text or 'the end'} in the filter.")
        return text

    def _parse_or(self) -> Condition:
        parts = [self._parse_and()]
        while self._peek_token() == ("name", "or"):
            self._take_token()
            parts.append(self._parse_and())
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        return Condition(lambda get: any(test(get) for test in tests))

    def _parse_and(self) -> Condition:
        parts = [self._parse_condition()]
        while self._peek_token() == ("name", "and"):
            self._take_token()
            parts.append(self._parse_condition())
        if len(parts) == 1:
            return parts[0]
        tests = [part.test for part in parts]
        bounds = tuple(bound for part in parts for bound in part.bounds)
        return Condition(lambda get: all(test(get) for test in tests), bounds, all(part.only for part in parts))

    def _parse_condition(self) -> Condition:
        if self._peek_token() == ("name", "not"):
            self._take_token()
            inner = self._parse_condition().test
            return Condition(lambda get: not inner(get))
        if self._peek_token() == ("sign", "("):
            self._take_token()
            part = self._parse_or()
            self._take_token(")")
            return part
        if self._peek_token()[1] in {"startswith", "contains"}:
            return self._parse_function()
        return self._parse_comparison()

    def _parse_function(self) -> Condition:
        name = self._take_token()
        self._take_token("(")
        column = self._parse_column()
        self._take_token(",")
        kind, text = self._parse_literal()
        self._take_token(")")
        if kind != "text" or column.type != "Edm.String":
            raise make_bad_request(f"The function {name} takes texts.")
        if name == "contains":
            return Condition(lambda get: text in (get(column) or ""))
        return Condition(lambda get: (get(column) or "").startswith(text))

    def _parse_comparison(self) -> Condition:
        column = self._parse_column()
        sign = self._take_token("name")
        if sign == "in":
            self._take_token("(")
            values = [self._check_literal(column, self._parse_literal(), sign)]
            while self._peek_token() == ("sign", ","):
                self._take_token()
                values.append(self._check_literal(column, self._parse_literal(), sign))
            self._take_token(")")
            return Condition(lambda get: _strip_blanks(get(column)) in values)
        if sign not in COMPARE:
            raise make_bad_request(f"There is no operator {sign}.")
        value = self._check_literal(column, self._parse_literal(), sign)
        compare = COMPARE[sign]

        def test(get: Getter) -> bool:
            held = _strip_blanks(get(column))
            if held is None or value is None:
                return (held is value) == (sign == "eq") if sign in {"eq", "ne"} else False
            return compare(held, value)

        bound = column.name == TOUCHED and sign not in {"ne", "eq"} and value is not None
        return Condition(test, ((sign, value),) if bound else (), bound)

    def _parse_column(self) -> Column:
        name = self._take_token("name")
        if name not in self._columns:
            raise make_bad_request(f"Could not find a property named '{name}'.")
        if name not in self._indexed:
            raise make_bad_request(f"Filtering by '{name}' is not allowed: it is not in an index.")
        return self._columns[name]

    def _parse_literal(self) -> tuple[str, Any]:
        kind, text = self._peek_token()
        self._take_token("timestamp", "guid", "number", "text", "name")
        if kind == "name":
            return self._parse_keyword_literal(text)
        if kind == "text":
            return kind, text[1:-1].replace("''", "'").rstrip()
        if kind == "number":
            return kind, float(text) if "." in text else int(text)
        return kind, text.lower() if kind == "guid" else _parse_timestamp(text, bare_days=False)

    def _parse_keyword_literal(self, text: str) -> tuple[str, Any]:
        if text in {"true", "false"}:
            return "boolean", text == "true"
        if text == "null":
            return "null", None
        if text != "cast":
            raise make_bad_request(f"Syntax error at {text} in the filter.")
        self._take_token("(")
        inner = self._take_token("text")[1:-1]
        self._take_token(",")
        wanted = self._take_token("name")
        self._take_token(")")
        if wanted == "Edm.DateTimeOffset":
            return "timestamp", _parse_timestamp(inner, bare_days=True)
        if wanted == "Edm.Guid" and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", inner):
            return "guid", inner.lower()
        raise make_bad_request(f"Cannot cast to {wanted}.")

    @staticmethod
    def _check_literal(column: Column, literal: tuple[str, Any], sign: str) -> Any:  # noqa: ANN401  any literal
        """Returns the literal's value if it can be compared with the column."""
        kind, value = literal
        wanted = KINDS.get(column.type, "number")
        if kind == "null" and sign in {"eq", "ne"}:
            return None
        if kind != wanted or (sign not in {"eq", "ne", "in"} and wanted in UNORDERED):
            raise make_bad_request(
                f"A value of the kind {kind} cannot be compared with '{column.name}' ({column.type}) by {sign}."
            )
        return value


def _parse_timestamp(text: str, *, bare_days: bool) -> int:
    ticks = parse_timestamp(text, bare_days=bare_days)
    if ticks is None:
        raise make_bad_request(f"'{text}' is not a timestamp with a zone.")
    return ticks


def _strip_blanks(value: Any) -> Any:  # noqa: ANN401  any of OData
    """Returns a value as databases compare it: trailing blanks are ignored."""
    return value.rstrip() if isinstance(value, str) else value


def find_timestamp_range(bounds: Iterable[tuple[str, int]]) -> tuple[int | None, int | None]:
    """Returns the range of timestamps that the bounds allow: the first one, and the first one after it."""
    first: int | None = None
    end: int | None = None
    for sign, ticks in bounds:
        if sign in {"ge", "gt"}:
            low = ticks + (sign == "gt")
            first = low if first is None else max(first, low)
        else:
            high = ticks + (sign == "le")
            end = high if end is None else min(end, high)
    return first, end


DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 1_000, 10_000
PAGE_SIZE_PREFERENCE, TRACK_CHANGES = "odata.maxpagesize", "odata.track-changes"
SKIP_TOKEN, DELTA_TOKEN = "$skiptoken", "deltatoken"
OPTIONS = frozenset({"$select", "$filter", "$top", "$skip", "$count", "$orderby", SKIP_TOKEN})
ORDER = re.compile(r"(\w+)(?:\s+(asc|desc))?")
JSON_TYPES = ("application/json", "*/*", "application/*")


@dataclass(frozen=True, slots=True)
class Preferences:
    """The `Prefer` header."""

    size: int = DEFAULT_PAGE_SIZE
    track: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """The parsed query options.

    Attributes:
        options: the options as they were sent, without the token.
        order: the columns to sort by, each with whether it is descending.
        token: the position of the page.
    """

    options: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    condition: Condition | None
    top: int | None
    skip: int
    count: bool
    order: tuple[tuple[Column, bool], ...]
    token: str | None


def check_accept(request: Request) -> None:
    """Rejects requests that do not accept JSON."""
    wanted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    if not any(part in JSON_TYPES for part in wanted):
        raise ApiError(make_error(NOT_ACCEPTABLE, "Only application/json is served."))


def parse_preferences(request: Request) -> Preferences:
    """Parses the `Prefer` header. Ignores unknown preferences."""
    size, track = DEFAULT_PAGE_SIZE, False
    for part in request.headers.get("prefer", "").split(","):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if name.lower() == TRACK_CHANGES and not equals:
            track = True
        if name.lower() == PAGE_SIZE_PREFERENCE:
            text = text.strip('"')
            if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_PAGE_SIZE):
                raise make_bad_request(f"The value of {PAGE_SIZE_PREFERENCE} is between 1 and {MAX_PAGE_SIZE}.")
            size = int(text)
    return Preferences(size, track)


def parse_query(table: EntitySet, columns: dict[str, Column], request: Request) -> Query:
    """Parses the query options of a request for rows."""
    given = dict(request.query)
    if len(given) != len(request.query):
        raise make_bad_request("A query option is repeated.")
    for name in given:
        if name not in OPTIONS:
            raise make_bad_request(f"The query option '{name}' is not supported.")
    if "$skip" in given and table.service == EXPORTER:
        raise make_bad_request("The query option '$skip' is not supported.")
    if (counted := given.get("$count", "false")) not in {"true", "false"}:
        raise make_bad_request("The value of $count is true or false.")
    condition = FilterParser(given["$filter"], columns, table.indexed).parse() if "$filter" in given else None
    return Query(
        options=tuple((name, text) for name, text in request.query if name != SKIP_TOKEN),
        columns=_parse_select(columns, given.get("$select")),
        condition=condition,
        top=_parse_count(given, "$top"),
        skip=_parse_count(given, "$skip") or 0,
        count=counted == "true",
        order=_parse_order(columns, given.get("$orderby")),
        token=given.get(SKIP_TOKEN),
    )


def _parse_count(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise make_bad_request(f"The value of {name} is a whole number.")
    return int(text)


def _parse_select(columns: dict[str, Column], text: str | None) -> tuple[Column, ...]:
    if text is None or text.strip() == "*":
        return tuple(columns.values())
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in columns:
            raise make_bad_request(f"Could not find a property named '{name}'.")
    return tuple(columns[name] for name in dict.fromkeys(names))


def _parse_order(columns: dict[str, Column], text: str | None) -> tuple[tuple[Column, bool], ...]:
    found = []
    for part in text.split(",") if text is not None else ():
        match = ORDER.fullmatch(part.strip())
        if match is None or match[1] not in columns:
            raise make_bad_request(f"Rows cannot be ordered by '{part.strip()}'.")
        found.append((columns[match[1]], match[2] == "desc"))
    return tuple(found)
