"""Declarations of the REST endpoints, and the formats of their responses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from hr_sandbox.cornerstone.errors import (
    BAD_REQUEST,
    JSON_TYPE,
    MESSAGES,
    NOT_FOUND,
    format_time,
    make_bulk_error,
    make_error,
    make_validation_error,
)
from hr_sandbox.http.messages import ApiError, Json, Response, make_json_response
from hr_sandbox.http.signed_cursor import SignedCursors

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Person
    from hr_sandbox.cornerstone.snapshot import Snapshot
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.http.messages import Request

# The rows of a full read of each stream, in a window of dates.
Streams = dict[str, Callable[["Context", date, date], "Sequence[Json]"]]
# Handles a call. An object is the whole body; rows are the data of a response of the newer services.
Handler = Callable[["Call"], Response | Json | list[Json]]

NEW, OLD, BULK = "new", "old", "bulk"
DEFAULT_RATE = 417  # requests per minute
XML_TYPE = "application/xml; charset=utf-8"
XML_HEAD = '<cornerstoneapi xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><validations>'
XML_TAIL = "</validations></cornerstoneapi>"
TOKEN_SECONDS = 300
DAY_LENGTH = 10  # the length of 2024-01-31; `fromisoformat` accepts shorter formats
TO_TEXT, FROM_TEXT = str.maketrans("-_", "+/"), str.maketrans("+/", "-_")
PAGE_MARK = "t+/"  # characters that must be encoded in a URL


@dataclass(slots=True)
class Context:
    """The state that all endpoints share.

    Attributes:
        modes: the modes of streams other than the normal one.
        downloads: how often each report was downloaded.
        busy_until: when the current catalog search ends.
        jobs: the bulk jobs, cached by the version of the company.
    """

    store: Store
    modes: dict[str, str] = field(default_factory=dict)
    downloads: dict[tuple[str, str], int] = field(default_factory=dict)
    busy_until: float = 0
    jobs: dict[int, list[Json]] = field(default_factory=dict)
    cursors: SignedCursors = field(default_factory=SignedCursors)

    @property
    def company(self) -> Company:
        """The company."""
        return self.store.company

    @property
    def snapshot(self) -> Snapshot:
        """The company with its learning data."""
        return self.store.snapshot


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a route.

    Attributes:
        parts: the values of the path's parameters.
        given: the query parameters; the names are in lower case for older services.
    """

    context: Context
    route: Route
    request: Request
    parts: dict[str, str]
    given: dict[str, str]

    def make_error(self, status: int, text: str | None = None) -> ApiError:
        """Returns an error in the format of the route."""
        return ApiError(self.route.make_error_builder(self.request)(status, text))

    def make_bad_request(self, name: str, sentence: str) -> ApiError:
        """Returns the error for an invalid parameter."""
        if self.route.family == NEW:
            return ApiError(make_validation_error(BAD_REQUEST, {name: sentence}))
        return self.make_error(BAD_REQUEST, f"{name}: {sentence}")

    def parse_day(self, name: str, text: str | None) -> date | None:
        """Parses a date."""
        if text is None:
            return None
        try:
            return date.fromisoformat(text if len(text) == DAY_LENGTH else "none")
        except ValueError as error:
            raise self.make_bad_request(name, "must be a date such as 2024-01-31") from error

    def parse_number(self, name: str, usual: int, most: int | None = None) -> int:
        """Parses a positive integer."""
        text = self.given.get(name.lower() if self.route.family == OLD else name)
        if text is None:
            return usual
        if not (text.isascii() and text.isdigit() and int(text)) or (most and int(text) > most):
            raise self.make_bad_request(name, f"must be between 1 and {most}" if most else "must be 1 or more")
        return int(text)

    def slice_page(self, rows: list[Json], name: str, usual: int, most: int | None = None) -> list[Json]:
        """Returns the requested page of rows. The parameter with this name is its number."""
        number, size = self.parse_number(name, 1), self.parse_number("pageSize", usual, most) if most else usual
        return rows[(number - 1) * size : number * size]

    def find_person(self) -> Person:
        """Returns the person with the id in the path. Raises ApiError (404) if there is none."""
        text, people = self.parts["id"], self.context.company.people
        if not (text.isascii() and text.isdigit()) or int(text) not in people:
            raise self.make_error(NOT_FOUND)
        return people[int(text)]

    def find_row(self, rows: Iterable[Json], parameter: str = "id") -> Json:
        """Returns the row with the id in the path. Raises ApiError (404) if there is none."""
        for row in rows:
            if str(row["id"]) == self.parts[parameter]:
                return row
        raise self.make_error(NOT_FOUND)


@dataclass(frozen=True)
class Route:
    """The declaration of one path.

    Attributes:
        path: with its parameters in braces.
        stream: the stream whose rows it returns.
        handler: handles a call.
        family: the format of its errors.
        limited: the name of a rate limit that several paths share.
    """

    path: str
    stream: str
    scope: str
    handler: Handler
    parameters: tuple[str, ...] = ()
    family: str = NEW
    per_minute: int = DEFAULT_RATE
    limited: str = ""

    def make_error_builder(self, request: Request) -> Callable[..., Response]:
        """Returns a function that builds errors in the family's format."""
        if self.family == BULK:
            return lambda status, text=None: make_bulk_error(status, text or MESSAGES.get(status, "Error"))
        if self.family == NEW or wants_json(request):
            return make_error
        return lambda status, text=None: make_xml_response(
            {"status": str(status), "timestamp": format_time(), "message": text}, status
        )

    def handle(self, context: Context, parts: dict[str, str], request: Request) -> Response:
        """Handles an authorized request. Rejects unknown and repeated parameters."""
        fold: Callable[[str], str] = str.lower if self.family == OLD else str
        given = {fold(name): text for name, text in request.query}
        call = Call(context, self, request, parts, given)
        known = {fold(name) for name in self.parameters}
        for name in given:
            if name not in known:
                raise call.make_bad_request(name or "query", "is not a parameter")
        if len(given) != len(request.query):
            raise call.make_bad_request("query", "a parameter is repeated")
        result = self.handler(call)
        if isinstance(result, list):
            return make_newer_response(context, result)
        return result if isinstance(result, Response) else make_json_response(result, media_type=JSON_TYPE)


def wants_json(request: Request) -> bool:
    """Returns whether the client explicitly accepts JSON. The older services default to XML."""
    return "application/json" in request.headers.get("accept", "").lower()


def make_xml_response(members: Json, status: int = 200) -> Response:
    """Returns an XML response of the older services."""
    inner = "".join(_write_element(name, value) for name, value in members.items())
    body = f"{XML_HEAD}{inner}{XML_TAIL}"
    return Response(status, body.encode(), {"content-type": XML_TYPE})


def _write_element(name: str, value: Any) -> str:  # noqa: ANN401  any JSON
    if value is None:
        return f'<{name} i:nil="true"/>'
    if isinstance(value, dict | list) and not value:
        return f"<{name}/>"
    if isinstance(value, dict):
        return f"<{name}>{''.join(_write_element(inner, part) for inner, part in value.items())}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(_write_element('item', part) for part in value)}</{name}>"
    return f"<{name}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{name}>"


def make_older_response(call: Call, data: Any, total: int | None = None) -> Response:  # noqa: ANN401  any JSON
    """Returns a response of the older services."""
    counted = {} if total is None else {"totalRecords": total}
    body: Json = {"status": "200", "timestamp": format_time(), **counted, "data": data}
    return make_json_response(body, media_type=JSON_TYPE) if wants_json(call.request) else make_xml_response(body)


def make_newer_response(context: Context, rows: list[Json], **more: object) -> Response:
    """Returns a response of the newer services."""
    timestamp = f"{context.store.clock.now().replace(tzinfo=None).isoformat()}.9545447Z"
    return make_json_response({"timestamp": timestamp, **more, "count": len(rows), "data": rows}, media_type=JSON_TYPE)


def make_token_page(call: Call, rows: list[Json], size: int, member: str = "nextPageToken") -> Response:
    """Returns a page of rows ordered by id, with a token for the next page that is valid for five minutes."""
    cursors, now = call.context.cursors, call.context.store.clock.seconds()
    filters = sorted([*item] for item in call.given.items() if item[0] not in {"nextPageToken", "pageSize"})
    asked = {"path": call.request.path, "size": size, "filters": filters}
    after = -1
    if (text := call.given.get("nextPageToken")) is not None:
        marked = text.startswith(PAGE_MARK)
        state = cursors.decode(text.removeprefix(PAGE_MARK).translate(FROM_TEXT)) if marked else None
        if state is None or any(state[name] != value for name, value in asked.items()):
            raise call.make_bad_request("nextPageToken", "is not valid")
        if state["at"] + TOKEN_SECONDS <= now:
            raise call.make_bad_request("nextPageToken", "has expired")
        after = state["after"]
    page = [row for row in rows if row["id"] > after][: size + 1]
    token = None
    if len(page) > size:
        page.pop()
        token = PAGE_MARK + cursors.encode({**asked, "after": page[-1]["id"], "at": now}).translate(TO_TEXT)
    return make_newer_response(call.context, page, **{member: token})
