"""Parses the query options and preferences of OData requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import NOT_ACCEPTABLE, bad_request, error_response
from hr_sandbox.cornerstone.filters import Condition, FilterParser
from hr_sandbox.cornerstone.tables import EXPORTER
from hr_sandbox.http.messages import ApiError

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.tables import Column, EntitySet
    from hr_sandbox.http.messages import Request

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
        columns: the selected columns.
        condition: the filter.
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
    """Reject requests that do not accept JSON."""
    wanted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    if not any(part in JSON_TYPES for part in wanted):
        raise ApiError(error_response(NOT_ACCEPTABLE, "Only application/json is served."))


def preferences(request: Request) -> Preferences:
    """Parse the `Prefer` header. Ignores unknown preferences."""
    size, track = DEFAULT_PAGE_SIZE, False
    for part in request.headers.get("prefer", "").split(","):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if name.lower() == TRACK_CHANGES and not equals:
            track = True
        if name.lower() == PAGE_SIZE_PREFERENCE:
            text = text.strip('"')
            if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_PAGE_SIZE):
                raise bad_request(f"The value of {PAGE_SIZE_PREFERENCE} is between 1 and {MAX_PAGE_SIZE}.")
            size = int(text)
    return Preferences(size, track)


def parse_query(table: EntitySet, columns: dict[str, Column], request: Request) -> Query:
    """Parse the query options of a request for rows."""
    given = dict(request.query)
    if len(given) != len(request.query):
        raise bad_request("A query option is repeated.")
    for name in given:
        if name not in OPTIONS:
            raise bad_request(f"The query option '{name}' is not supported.")
    if "$skip" in given and table.service == EXPORTER:
        raise bad_request("The query option '$skip' is not supported.")
    if (counted := given.get("$count", "false")) not in {"true", "false"}:
        raise bad_request("The value of $count is true or false.")
    condition = FilterParser(given["$filter"], columns, table.indexed).read() if "$filter" in given else None
    return Query(
        options=tuple((name, text) for name, text in request.query if name != SKIP_TOKEN),
        columns=_selected(columns, given.get("$select")),
        condition=condition,
        top=_whole(given, "$top"),
        skip=_whole(given, "$skip") or 0,
        count=counted == "true",
        order=_order(columns, given.get("$orderby")),
        token=given.get(SKIP_TOKEN),
    )


def _whole(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f"The value of {name} is a whole number.")
    return int(text)


def _selected(columns: dict[str, Column], text: str | None) -> tuple[Column, ...]:
    if text is None or text.strip() == "*":
        return tuple(columns.values())
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in columns:
            raise bad_request(f"Could not find a property named '{name}'.")
    return tuple(columns[name] for name in dict.fromkeys(names))


def _order(columns: dict[str, Column], text: str | None) -> tuple[tuple[Column, bool], ...]:
    found = []
    for part in text.split(",") if text is not None else ():
        match = ORDER.fullmatch(part.strip())
        if match is None or match[1] not in columns:
            raise bad_request(f"Rows cannot be ordered by '{part.strip()}'.")
        found.append((columns[match[1]], match[2] == "desc"))
    return tuple(found)
