"""Requests to v1: other credentials, other errors, other pages than those of v2."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from hr_sandbox.limits import Buckets, Rate
from hr_sandbox.messages import Answer, as_json
from hr_sandbox.personio.errors import ApiError
from hr_sandbox.personio.v1 import employees as render
from hr_sandbox.personio.v1.errors import failure, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Person
    from hr_sandbox.messages import Request
    from hr_sandbox.personio.access import Access
    from hr_sandbox.personio.auth import Tokens
    from hr_sandbox.vendor import Json

AUTH_PATH = "/v1/auth"
EMPLOYEES, ABSENCES, DOCUMENTS = "employees:read", "absences:read", "documents:read"
RIGHTS = (EMPLOYEES, ABSENCES, DOCUMENTS)
STREAM = "employees"
EVERYTHING = Rate(2000, 120_000, 60)  # 2000 a minute, at once if need be
PEOPLE = Rate(5, 15)
DEFAULT_LIMIT, MAX_LIMIT = 50, 100
MANY = "attributes[]"
_SINCE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let through: what is in its path and its query."""

    company: Company
    root: str
    path: dict[str, str]
    query: dict[str, str]
    chosen: tuple[str, ...]  # attributes[]

    def person(self) -> Person:
        """The person in the path; 404 without one."""
        row = self.company.people.find(self.path["id"])
        if row is None:
            raise ApiError(failure(404))
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one path of v1 answers.

    Attributes:
        path: with its parameters in braces.
        right: what the credential needs.
        answer: the body, or a whole answer.
        known: the query parameters that it knows.
        rate: besides that of all of v1.
    """

    path: str
    right: str
    answer: Callable[[Call], Json | Answer]
    known: tuple[str, ...] = ()
    rate: Rate | None = None

    def match(self, path: str) -> re.Match[str] | None:
        """Whether a request's path is this one."""
        return re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)), path)


def _number(query: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise refused(name)
    return int(text)


def _since(text: str) -> datetime:
    if not _SINCE.fullmatch(text):
        raise refused("updated_since")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise refused("updated_since") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(body: Json, chosen: tuple[str, ...]) -> Json:
    if chosen:
        body["attributes"] = {key: value for key, value in body["attributes"].items() if key in {"id", *chosen}}
    return body


def _employees(call: Call) -> Json:
    company, query = call.company, call.query
    limit = _number(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = _number(query, "offset", 0, 0, 10**9)
    rows = list(company.people)
    if "updated_since" in query:
        since = _since(query["updated_since"])
        rows = [row for row in rows if render.modified_at(company, row) > since]
    elif "email" in query:
        rows = [row for row in rows if row.email == query["email"]]
    page = rows[offset : offset + limit]
    return {
        "success": True,
        "metadata": {
            "total_elements": len(rows),
            "current_page": offset // limit,
            "total_pages": ceil(len(rows) / limit),
        },
        "offset": offset,
        "limit": limit,
        "data": [_shown(render.employee(row, company, call.root), call.chosen) for row in page],
    }


def _employee(call: Call) -> Json:
    return {"success": True, "data": render.employee(call.person(), call.company, call.root)}


def _picture(call: Call) -> Answer:
    if not call.person().has_picture:
        raise ApiError(failure(404))
    return Answer(200, PICTURE, {"content-type": "image/png"})


def categories(company: Company) -> list[Json]:
    """The kinds of documents."""
    return [
        {"id": row.id, "type": "DocumentCategory", "attributes": {"name": row.name}}
        for row in company.document_categories
    ]


ROUTES = (
    Route(
        path="/v1/company/employees",
        right=EMPLOYEES,
        answer=_employees,
        known=("limit", "offset", "email", MANY, "updated_since"),
        rate=PEOPLE,
    ),
    Route(
        path="/v1/company/employees/attributes",
        right=EMPLOYEES,
        answer=lambda call: {"success": True, "data": render.attributes_of(call.company)},
    ),
    Route(path="/v1/company/employees/{id}", right=EMPLOYEES, answer=_employee, rate=PEOPLE),
    Route(
        path="/v1/company/employees/{id}/absences/balance",
        right=ABSENCES,
        answer=lambda call: {"success": True, "data": render.balances(call.person(), call.company)},
    ),
    Route(path="/v1/company/employees/{id}/profile-picture", right=EMPLOYEES, answer=_picture),
    Route(path="/v1/company/employees/{id}/profile-picture/{width}", right=EMPLOYEES, answer=_picture),
    Route(
        path="/v1/company/document-categories",
        right=DOCUMENTS,
        answer=lambda call: {"success": True, "data": categories(call.company)},
    ),
)


class V1:
    """Answers requests to v1."""

    def __init__(self, company: Company, tokens: Tokens, access: Access, limit: Rate | None) -> None:
        """Serve the company to who has one of the tokens.

        Args:
            company: what is served.
            tokens: those of v2 are good here too.
            access: the rights of the credential.
            limit: one rate instead of the vendor's own.
        """
        self._company = company
        self._tokens = tokens
        self._access = access
        self._limit = limit
        self._buckets = Buckets()

    @staticmethod
    def template(path: str) -> str | None:
        """The declared path that a request's path belongs to, or None."""
        return next((row.path for row in ROUTES if row.match(path)), None)

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            if not self._buckets.take("all", self._limit or EVERYTHING)[0]:
                return failure(429)
            return self._authenticate(request) if request.path == AUTH_PATH else self._gate(request)
        except ApiError as error:
            return error.answer

    def _authenticate(self, request: Request) -> Answer:
        if request.method != "POST":
            return failure(405)
        if request.query:  # credentials in the address are in every log
            return failure(403)
        fields = dict(request.form) or _json(request)
        client = (fields.get("client_id"), fields.get("client_secret"))
        if not all(isinstance(part, str) and part for part in client) or set(fields) - {"client_id", "client_secret"}:
            raise refused("client_id")
        token = self._tokens.sign_in(str(client[0]), str(client[1]), RIGHTS)
        if token is None:
            return failure(403, "Wrong credentials", 0)
        granted = " ".join(right for right in RIGHTS if right not in self._access.denied)
        data = {"token": token, "expires_in": int(self._tokens.lifetime), "scope": granted}
        return as_json({"success": True, "data": data})

    def _gate(self, request: Request) -> Answer:
        found = next(((row, match) for row in ROUTES if (match := row.match(request.path))), None)
        if found is None:
            return failure(404)
        route, match = found
        if request.method != "GET":
            return failure(405)
        if route.rate and not self._limit and not self._buckets.take(route.path, route.rate)[0]:
            return failure(429)
        if self._tokens.check(request) is None:
            return failure(401)
        if (denied := self._access.denial(route.path, route.right, 403)) is not None:
            return failure(denied)
        chosen = tuple(text for name, text in request.query if name == MANY)
        query = {name: text for name, text in request.query if name != MANY}
        given = [name for name, _ in request.query if name != MANY]
        for name in {name for name, _ in request.query}:
            if name not in route.known or given.count(name) > 1:
                raise refused(name)
        body = route.answer(Call(self._company, request.root, dict(match.groupdict()), query, chosen))
        return body if isinstance(body, Answer) else as_json(self._allowed(route, body))

    def _allowed(self, route: Route, body: Json) -> Json:
        """Employees without the attributes that are not allow-listed."""
        rows: Any = body["data"]
        if route.rate:
            for row in rows if isinstance(rows, list) else [rows]:
                self._access.show(STREAM, row["attributes"])
        return body


def _json(request: Request) -> Json:
    try:
        fields = json.loads(request.body or b"{}")
    except ValueError as error:
        raise refused("client_id") from error
    if not isinstance(fields, dict):
        raise refused("client_id")
    return fields
