"""Declares the endpoints of v1: their parameters, which are parsed strictly, their pages, formats and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from hr_sandbox import clock
from hr_sandbox.http.messages import Response, make_json_response
from hr_sandbox.personio.filters import parse_day, parse_text, parse_whole_number
from hr_sandbox.personio.modes import NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import AbsenceType, Person
    from hr_sandbox.http.limits import Rate
    from hr_sandbox.http.messages import Json

_MESSAGES = {
    400: "The request is not valid",
    401: "Authorization is not provided",
    403: "Provided authorization is not valid",
    404: "Es ist ein Problem aufgetreten",
    405: "The method is not allowed",
    422: "The request cannot be processed",
    429: "Too many requests",
}
_AUTHORIZATION_STATUSES = frozenset({401, 403, 405, 429})  # raised before a service handles the request


class StatusError(Exception):
    """Ends the handling of a request, with a message and a code other than the status' own if they are given."""

    def __init__(self, status: int, message: str | None = None, code: int | None = None) -> None:
        super().__init__(status, message, code)
        self.status = status
        self.message = message
        self.code = code


def make_invalid_parameter(name: str) -> StatusError:
    """Returns the error for a parameter that is unknown or invalid. Its code is not the status."""
    return StatusError(400, f"The parameter {name} is not valid", 0)


def make_error(status: int, message: str | None = None, code: int | None = None) -> Response:
    """Returns an error response. The default code is the status."""
    text = message or _default_message(status)
    return make_json_response(
        {"success": False, "error": {"code": status if code is None else code, "message": text}}, status
    )


def make_report_error(status: int, message: str | None = None, code: int | None = None) -> Response:
    """Returns an error of custom reports: a list with one problem. Authorization errors have the usual body."""
    if status in _AUTHORIZATION_STATUSES:
        return make_error(status, message, code)
    details = message or _default_message(status)
    problem = {"title": _default_message(status), "details": details, "type": "reports", "_meta": []}
    body = [
        {"status": status, "trace_id": "", "timestamp": clock.format_rfc3339(clock.read_clock()), "errors": [problem]}
    ]
    return make_json_response(body, status)


def _default_message(status: int) -> str:
    return _MESSAGES.get(status, "Something went wrong")


When = TypeVar("When", bound=date)
EMPLOYEES, ABSENCES, ATTENDANCES = "employees:read", "absences:read", "attendances:read"
DOCUMENTS, REPORTS = "documents:read", "custom-reports:read"
PERMISSIONS = (EMPLOYEES, ABSENCES, ATTENDANCES, DOCUMENTS, REPORTS)

REPEATABLE = "[]"
MAX_PAGE_SIZE = 200
NONE, TEXT, ZERO = "no-metadata", "text-metadata", "zero-pages"
MODES = (NONE, TEXT, ZERO)  # of the metadata
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_DATE_OR_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_TIMESTAMP_WITH_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized request.

    Attributes:
        path: the values of the path's parameters.
        query: the value of every parameter of the route; None or an empty tuple if it was not given.
    """

    company: Company
    root: str
    path: dict[str, str]
    query: dict[str, Any]
    mode: str = NORMAL

    def find_person(self) -> Person:
        """Returns the person in the path. Raises StatusError (404) if there is none."""
        row = self.company.people.find(self.path["id"])
        if row is None:
            raise StatusError(404)
        return row


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. Those whose names end with brackets may be repeated.

    Attributes:
        required: whether requests without it are rejected.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any = None
    required: bool = False

    def parse_values(self, texts: list[str]) -> Any:  # noqa: ANN401  depends on the parser
        """Parses the values."""
        many = self.name.endswith(REPEATABLE)
        if (self.required and not texts) or (len(texts) > 1 and not many):
            raise make_invalid_parameter(self.name)
        try:
            values = tuple(map(self.parse, texts))
        except ValueError as error:
            raise make_invalid_parameter(self.name) from error
        if many:
            return values
        return values[0] if values else self.default


@dataclass(frozen=True, slots=True)
class Route:
    """The declaration of one path.

    Attributes:
        path: with its parameters in braces.
        handle: returns the body or a complete response.
        rate: its own rate limit, besides that of v1 as a whole.
        stream: the stream whose allow-listed attributes apply.
        fail: builds its error responses.
        modes: its modes besides the normal one.
    """

    path: str
    permission: str
    handle: Callable[[Call], Json | Response]
    parameters: tuple[Parameter, ...] = ()
    rate: Rate | None = None
    stream: str | None = None
    fail: Callable[[int, str | None, int | None], Response] = make_error
    modes: tuple[str, ...] = ()

    def parse_query(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Parses the parameters of a query. Rejects unknown ones."""
        given: dict[str, list[str]] = {}
        for name, text in pairs:
            given.setdefault(name, []).append(text)
        values = {row.name: row.parse_values(given.pop(row.name, [])) for row in self.parameters}
        for name in given:
            raise make_invalid_parameter(name)
        return values


# Parameters


def parser_for_number(least: int, most: int) -> Callable[[str], int]:
    """Returns a parser for an integer in a range."""

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return parse


def parse_since(text: str) -> datetime:
    """Parses a date or timestamp, with or without a zone. A date means its beginning."""
    if not _DATE_OR_TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def parse_until(text: str) -> datetime:
    """Parses the same; a date means its end."""
    value = parse_since(text)
    return value if "T" in text else datetime.combine(value.date(), time.max, UTC)


def parse_timestamp(text: str) -> datetime:
    """Parses a timestamp with a zone and optional fractions of a second."""
    if not _TIMESTAMP_WITH_ZONE.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def make_paging_parameters(default: int = MAX_PAGE_SIZE, largest: int = MAX_PAGE_SIZE) -> tuple[Parameter, ...]:
    """Returns the parameters `limit` and `offset`."""
    return Parameter("limit", parser_for_number(1, largest), default), Parameter(
        "offset", parser_for_number(0, 10**9), 0
    )


def make_window_parameters(*, required: bool = False) -> tuple[Parameter, ...]:
    """Returns the parameters for the first and last day."""
    return Parameter("start_date", parse_day, required=required), Parameter("end_date", parse_day, required=required)


def make_ids_parameter(name: str) -> Parameter:
    """Returns a repeatable parameter for opaque ids."""
    return Parameter(f"{name}{REPEATABLE}", parse_text)


PEOPLE = Parameter(f"employees{REPEATABLE}", parse_whole_number)


def check_order(first: date | None, last: date | None) -> None:
    """Rejects a window whose end is before its beginning."""
    if first and last and last < first:
        raise make_invalid_parameter("end_date")


def is_within(timestamp: When, first: When | None, last: When | None) -> bool:
    """Returns whether a date or timestamp is in a range with inclusive, optional ends."""
    return (first is None or timestamp >= first) and (last is None or timestamp <= last)


# Pages


def wrap_data(data: object, **frame: object) -> Json:
    """Returns a body with `data` and other members."""
    return {"success": True, **frame, "data": data}


def describe_page(total: int, current: int, limit: int) -> Json:
    """Returns the metadata of a page."""
    return {"total_elements": total, "current_page": current, "total_pages": ceil(total / limit)}


def page_from_record(rows: Sequence[Any], call: Call) -> tuple[Sequence[Any], Json]:
    """Returns a page whose offset is a record, and its metadata. Pages are counted from 0."""
    limit, offset = call.query["limit"], call.query["offset"]
    return rows[offset : offset + limit], describe_page(len(rows), offset // limit, limit)


def page_by_number(rows: Sequence[Any], call: Call, *, first_only: bool = False) -> tuple[Sequence[Any], Json]:
    """Returns a page by its number (0 and 1 are both the first), and the frame around its rows.

    With `first_only`, later pages have no metadata in the normal mode.
    """
    limit, page = call.query["limit"], max(call.query["offset"], 1)
    meta = describe_page(len(rows), page, limit)
    if call.mode == TEXT:
        meta = {name: str(value) for name, value in meta.items()}
    elif call.mode == ZERO:
        meta |= {"current_page": 1, "total_pages": 0}
    silent = call.mode == NONE or (call.mode == NORMAL and first_only and page > 1)
    return rows[(page - 1) * limit : page * limit], {**({} if silent else {"metadata": meta}), **repeat_paging(call)}


def repeat_paging(call: Call) -> Json:
    """Returns the requested offset and limit, as texts."""
    return {name: str(call.query[name]) for name in ("offset", "limit")}


BERLIN = ZoneInfo("Europe/Berlin")  # the account's zone
UNITS = {"DAILY": "day", "HOURLY": "hour"}
CERTIFICATE = {"status": "not-required"}
# v1 has fewer categories than v2, with other names.
CATEGORIES = {"PARENTAL_LEAVE": "maternity_parental_leave", "OVERTIME": "other"}


def format_timestamp(timestamp: datetime) -> str:
    """Formats a timestamp with a zone offset without a colon."""
    return timestamp.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S%z")


def format_midnight(day: date) -> str:
    """Formats a date as midnight in the same format."""
    return format_timestamp(datetime.combine(day, time(), BERLIN))


def translate_category(row: AbsenceType) -> str:
    """Returns the category of an absence type."""
    return CATEGORIES.get(row.category, row.category.lower())


def render_short_employee(person_id: int, company: Company) -> Json:
    """Renders a person inside another record."""
    row = company.people[person_id]
    parts = (
        ("id", "id", row.id, "integer"),
        ("first_name", "First name", row.first_name, "standard"),
        ("last_name", "Last name", row.last_name, "standard"),
        ("email", "Email", row.email, "standard"),
    )
    return {
        "type": "Employee",
        "attributes": {
            key: {"label": label, "value": value, "type": kind, "universal_id": key}
            for key, label, value, kind in parts
        },
    }
