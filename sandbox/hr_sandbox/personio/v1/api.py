"""Handles requests to v1, which has its own authentication, errors and pagination."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hr_sandbox.http.limits import Buckets, Rate, TokenRequestLimit
from hr_sandbox.http.messages import Response, make_json_response
from hr_sandbox.http.routing import Router
from hr_sandbox.personio.v1 import absences, employees, reports, working_time
from hr_sandbox.personio.v1.route import PERMISSIONS, Call, StatusError, make_error, make_invalid_parameter

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.http.messages import Json, Request
    from hr_sandbox.personio.access import Access, Tokens
    from hr_sandbox.personio.modes import Modes
    from hr_sandbox.personio.v1.route import Route

AUTH_PATH = "/v1/auth"
TOTAL_RATE = Rate(2000, 120_000, 60)  # 2000 per minute, all at once if need be
TOKENS_PER_MINUTE = 150
NO_EXPIRY = "no-expiry"  # a token response without `expires_in`
ROUTES = Router((*employees.ROUTES, *working_time.ROUTES, *absences.ROUTES, *reports.ROUTES))
MODES = {AUTH_PATH: (NO_EXPIRY,), **{row.path: row.modes for row in ROUTES if row.modes}}


class V1:
    """The API v1. Tokens of v2 are valid here too; `limit` replaces the vendor's own rate."""

    def __init__(self, company: Company, tokens: Tokens, access: Access, limit: Rate | None, modes: Modes) -> None:
        self._company = company
        self._tokens = tokens
        self._access = access
        self._limit = limit
        self._buckets = Buckets()
        self._token_limit = TokenRequestLimit(TOKENS_PER_MINUTE)
        self._modes = modes

    @staticmethod
    def find_template(path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""
        found = ROUTES.find_route(path)
        return found[0].path if found else None

    @staticmethod
    def make_error_response(status: int, path: str) -> Response:
        """Returns a failure of the service in the format of the path."""
        found = ROUTES.find_route(path)
        return found[0].fail(status, None, None) if found else make_error(status)

    def handle(self, request: Request) -> Response:
        """Handles a request."""
        found = ROUTES.find_route(request.path)
        fail = found[0].fail if found else make_error
        try:
            if not self._buckets.take_tokens("all", self._limit or TOTAL_RATE)[0]:
                raise StatusError(429)  # noqa: TRY301  handled below with the others
            if request.path == AUTH_PATH:
                return self._authenticate(request)
            if found is None:
                raise StatusError(404)  # noqa: TRY301  same
            return self._dispatch(request, *found)
        except StatusError as error:
            return fail(error.status, error.message, error.code)

    def _authenticate(self, request: Request) -> Response:
        if request.method != "POST":
            raise StatusError(405)
        if not self._limit and not self._token_limit.allow_request():
            raise StatusError(429)
        if request.query:  # credentials in a URL end up in logs
            raise StatusError(403)
        fields = dict(request.form) or _read_json(request)
        client = (fields.get("client_id"), fields.get("client_secret"))
        if not all(isinstance(part, str) and part for part in client) or set(fields) - {"client_id", "client_secret"}:
            raise make_invalid_parameter("client_id")
        token = self._tokens.sign_in(str(client[0]), str(client[1]), PERMISSIONS)
        if token is None:
            raise StatusError(403, "Wrong credentials", 0)
        granted = " ".join(permission for permission in PERMISSIONS if permission not in self._access.denied)
        data = {"token": token, "expires_in": int(self._tokens.lifetime), "scope": granted}
        if self._modes.find_mode(AUTH_PATH) == NO_EXPIRY:
            del data["expires_in"]
        return make_json_response({"success": True, "data": data})

    def _dispatch(self, request: Request, route: Route, match: dict[str, str]) -> Response:
        if request.method != "GET":
            raise StatusError(405)
        if route.rate and not self._limit and not self._buckets.take_tokens(route.path, route.rate)[0]:
            raise StatusError(429)
        if self._tokens.authenticate(request) is None:
            raise StatusError(401)
        if (denied := self._access.find_denied_status(route.path, route.permission, 403)) is not None:
            raise StatusError(denied)
        query = route.parse_query(request.query)
        mode = self._modes.find_mode(route.path)
        body = route.handle(Call(self._company, request.root, match, query, mode))
        return body if isinstance(body, Response) else make_json_response(self._hide_attributes(route, body))

    def _hide_attributes(self, route: Route, body: Json) -> Json:
        """Removes the attributes of employees that are not allow-listed."""
        rows: Any = body["data"]
        if route.stream:
            for row in rows if isinstance(rows, list) else [rows]:
                self._access.remove_hidden_attributes(route.stream, row["attributes"])
        return body


def _read_json(request: Request) -> Json:
    try:
        fields = json.loads(request.body or b"{}")
    except ValueError as error:
        raise make_invalid_parameter("client_id") from error
    if not isinstance(fields, dict):
        raise make_invalid_parameter("client_id")
    return fields
