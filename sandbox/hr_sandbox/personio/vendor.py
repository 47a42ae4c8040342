"""Handles requests to Personio: routing, limits, authorization, pages; and its part of the controls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hr_sandbox.company.model.company import key_of
from hr_sandbox.http.arguments import ControlError, check_choice
from hr_sandbox.http.limits import Buckets, Rate, TokenRequestLimit
from hr_sandbox.http.messages import ApiError, Response, make_json_response
from hr_sandbox.personio.access import CUSTOM, REVOKE_PATH, TOKEN_PATH, Access, Guarded, Tokens
from hr_sandbox.personio.careers import CareerSite
from hr_sandbox.personio.derived import DERIVED
from hr_sandbox.personio.endpoint import (
    DEFAULT_RATE,
    ItemEndpoint,
    ListEndpoint,
    RenderContext,
    ResultCache,
    find_page_start,
)
from hr_sandbox.personio.endpoints import ENDPOINTS
from hr_sandbox.personio.errors import (
    make_endpoint_not_found,
    make_invalid_parameter,
    make_permission_error,
    make_problem,
    make_unreadable_report,
)
from hr_sandbox.personio.modes import NO_CONTENT, REPORT_MODES, Modes
from hr_sandbox.personio.pages import STYLES, Cursors, Position
from hr_sandbox.personio.v1 import V1
from hr_sandbox.personio.v1.api import MODES, ROUTES
from hr_sandbox.personio.v1.employees import STREAM, describe_attributes
from hr_sandbox.personio.webhooks import WRITE_ROUTES, Pushes, WebhookApi
from hr_sandbox.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.http.access import Token
    from hr_sandbox.http.messages import Json, Request
    from hr_sandbox.options import Options
    from hr_sandbox.personio.endpoint import Endpoint, Rows, Values
    from hr_sandbox.pushes.sender import Sender

TOKENS_PER_MINUTE = 150
TOO_MANY = 429
V1_PREFIX = "/v1/"
CELLS = "cells"
SHARED_BUCKET = "credential"  # the key of the bucket for all endpoints
PARTNER_HEADERS = ("x-personio-partner-id", "x-personio-app-id")
UPPER_SNAKE_CASE = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")


class Personio(Vendor):
    """Personio's API: v2, and the read endpoints of v1."""

    access: Access
    tokens: Tokens

    name = "personio"
    streams = (*(row.stream for row in ENDPOINTS if isinstance(row, ListEndpoint)), *DERIVED)

    def __init__(self, company: Company, options: Options, sender: Sender | None = None) -> None:
        super().__init__(company, options, sender)
        self.access = Access((*ENDPOINTS, *WRITE_ROUTES), {row.path: row.permission for row in ROUTES})
        client = (options.client_id, options.client_secret)
        self.tokens = Tokens(client, options.token_ttl, self.access.list_granted_scopes)
        self._limit = Rate.per_minute(options.requests_per_minute) if options.requests_per_minute else None
        self._buckets = Buckets()
        self._token_limit = TokenRequestLimit(TOKENS_PER_MINUTE)
        self._cursors = Cursors(f"personio/{company.seed}")
        self._results = ResultCache()
        self._styles: dict[str, str] = {}
        self.modes = Modes((row.path for row in ENDPOINTS if isinstance(row, ListEndpoint)), MODES)
        self._v1 = V1(company, self.tokens, self.access, self._limit, self.modes)
        self.careers = CareerSite(company, self.modes)
        self._pushes = Pushes(company, self.sender)
        self._webhooks = WebhookApi(self._pushes, options)
        self._duplicates: dict[str, set[str]] = {}
        self._list_endpoints = {row.stream: row for row in ENDPOINTS if isinstance(row, ListEndpoint)}

    # Requests

    def handle(self, request: Request) -> Response:
        """Handles a request. Errors are responses too."""
        self._pushes.record_attempts()
        try:
            if request.path.startswith(V1_PREFIX):
                refused = self._check_headers(request)
                return (
                    self._v1.make_error_response(refused.status, request.path) if refused else self._v1.handle(request)
                )
            if request.path in {TOKEN_PATH, REVOKE_PATH}:
                return self._authenticate(request)
            return self._dispatch(request)
        except ApiError as error:
            return error.response

    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns a failure of the service. A 429 does not say when to retry."""
        if request.path.startswith(V1_PREFIX):
            return self._v1.make_error_response(status, request.path)
        response = make_problem(status)
        if status == TOO_MANY:
            endpoint = (ENDPOINTS.find_route(request.path) or (None,))[0]
            rate = self._limit or (endpoint.rate if endpoint else DEFAULT_RATE)
            response.headers.update(_make_rate_headers(rate, 0))
        return response

    def find_template(self, path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""
        found = ENDPOINTS.find_route(path) or WRITE_ROUTES.find_route(path)
        return found[0].path if found else self._v1.find_template(path)

    def _authenticate(self, request: Request) -> Response:
        if request.method != "POST":
            return make_problem(405, allow="POST")
        if (refused := self._check_headers(request)) is not None:
            return refused
        allowed = (
            self._buckets.take_tokens(SHARED_BUCKET, self._limit)[0]
            if self._limit
            else self._token_limit.allow_request()
        )
        if not allowed:
            return make_problem(TOO_MANY)
        return self.tokens.issue_token(request) if request.path == TOKEN_PATH else self.tokens.revoke_token(request)

    def _dispatch(self, request: Request) -> Response:
        """Checks rate, path, method, headers, token and permission, then calls the endpoint."""
        endpoint, path_values = ENDPOINTS.find_route(request.path) or (None, {})
        write, write_values = WRITE_ROUTES.find_route(request.path) or (None, {})
        declared = endpoint or write
        token = self.tokens.authenticate(request)
        # As in a gateway, every request counts against the rate, and every response reports it.
        key = SHARED_BUCKET if self._limit else ("anonymous" if token is None else "token", declared and declared.path)
        rate = self._limit or (endpoint.rate if endpoint else DEFAULT_RATE)
        enough, remaining = self._buckets.take_tokens(key, rate)
        scopes = (token and token.scopes) or frozenset()
        try:
            if not enough:
                response = make_problem(TOO_MANY)
            elif declared is None:
                response = make_endpoint_not_found(request.path)
            elif (refused := self._check_headers(request)) is not None:
                response = refused
            elif write and request.method in write.methods:
                response = self._refuse(write, token, request.path) or self._webhooks.handle(
                    write, write_values, request
                )
            elif endpoint is None or request.method != "GET":
                methods = (*(("GET",) if endpoint else ()), *(write.methods if write else ()))
                response = make_problem(405, allow=", ".join(methods))
            else:
                response = self._refuse(endpoint, token, request.path) or make_json_response(
                    self._make_body(endpoint, request, path_values, scopes - self.access.denied.keys())
                )
        except ApiError as error:
            response = error.response
        response.headers.update(_make_rate_headers(rate, remaining))
        return response

    def _refuse(self, declared: Guarded, token: Token | None, path: str) -> Response | None:
        """Returns the error of a request without a token or permission, or None."""
        if token is None:
            return make_problem(401)
        status = self.access.find_refusal_status(declared, token.scopes or frozenset())
        return None if status is None else make_permission_error(status, path)

    @staticmethod
    def _check_headers(request: Request) -> Response | None:
        if "origin" in request.headers:  # browsers are refused
            return make_problem(403)
        for name in PARTNER_HEADERS:
            text = request.headers.get(name)
            if text is not None and not UPPER_SNAKE_CASE.fullmatch(text):
                return make_problem(400, f"The header {name} must be in UPPER_SNAKE_CASE.")
        return None

    def _make_body(
        self, endpoint: Endpoint, request: Request, path_values: Values, permissions: frozenset[str]
    ) -> Json:
        raw = dict(request.query)
        if len(raw) != len(request.query):
            raise make_invalid_parameter("a parameter is repeated")
        if any(self._pushes.is_invisible(key) for key in path_values.values()):
            raise ApiError(make_problem(404))
        if isinstance(endpoint, ListEndpoint):
            return self._make_page(endpoint, request, raw, path_values, permissions)
        assert isinstance(endpoint, ItemEndpoint)  # noqa: S101  there are only two types
        context = RenderContext(
            self.company, request.root, permissions=permissions, mode=self.modes.find_mode(endpoint.path)
        )
        body = endpoint.make_body(context, raw, path_values)
        return self.access.remove_hidden_attributes(endpoint.stream, body)

    def _make_page(
        self,
        endpoint: ListEndpoint,
        request: Request,
        raw: dict[str, str],
        path_values: Values,
        permissions: frozenset[str],
    ) -> Json:
        mode = self.modes.find_mode(endpoint.path, path_values.get("id"))
        if mode in REPORT_MODES:
            raise ApiError(make_unreadable_report(mode, path_values["id"]))
        cursor = raw.get("cursor")
        position = endpoint.find_position(request.path, raw, self._cursors)
        values = {**endpoint.parse_filters(position.query), **path_values}
        duplicates = self._duplicates.get(endpoint.stream, set())
        rows = self._results.find_rows(endpoint, self.company, position, values, duplicates)
        if self._pushes.has_invisible_records:
            rows = [row for row in rows if not self._pushes.is_invisible(key_of(row))]
        if mode == NO_CONTENT and not rows:
            raise ApiError(Response(204))
        start = find_page_start(rows, position)
        page = rows[start : start + position.limit]
        links = endpoint.links.with_style(self._styles.get(endpoint.path, "normal"), endpoint.path)
        following = None
        if start + position.limit < len(rows):
            following = self._cursors.encode(position if links.repeats else _make_position_after(position, start, page))
        query = {**position.query, "limit": str(position.limit)}
        meta = links.make_meta(root=request.root, path=request.path, query=query, this=cursor, following=following)
        context = RenderContext(self.company, request.root, values, permissions, mode)
        body = {"_data": list(self._render_rows(endpoint, page, context)), **meta}
        if endpoint.extra_body:
            extra = endpoint.extra_body(context)
            body |= {**extra, "_meta": {**extra["_meta"], **body.get("_meta", {})}}
        return body

    def _render_rows(self, endpoint: Endpoint, rows: Rows, context: RenderContext) -> Iterator[Json]:
        return (self.access.remove_hidden_attributes(endpoint.stream, endpoint.render(row, context)) for row in rows)

    # Webhooks

    def announce(self, changes: list[Change]) -> None:
        """Sends the webhooks' events of changes to the company."""
        self._pushes.announce(changes)

    # Controls

    def count_rows(self, stream: str, first: date | None, last: date | None) -> int:
        """Returns how many rows a full read of a stream yields, in a window of dates if one is given."""
        self._pushes.record_attempts()
        if stream in DERIVED:
            return len(DERIVED[stream](self.company, "", (first, last)))
        return sum(
            len(rows)
            for _, rows in self._list_endpoints[stream].read_all(self.company, *self.complete_window(first, last))
        )

    def list_records(self, stream: str, first: date | None, last: date | None, root: str) -> list[Json]:
        """Returns the rows of a full read of a stream, with all permissions and attributes."""
        self._pushes.record_attempts()
        return list(self._list_bodies(stream, first, last, root))

    def _list_bodies(self, stream: str, first: date | None, last: date | None, root: str) -> Iterator[Json]:
        if stream in DERIVED:
            yield from DERIVED[stream](self.company, root, (first, last))
            return
        endpoint = self._list_endpoints[stream]
        for values, rows in endpoint.read_all(self.company, *self.complete_window(first, last)):
            context = RenderContext(self.company, root, values)
            for row in rows:
                body = endpoint.render(row, context)
                yield {**endpoint.extra_fields(values, row), **(body if isinstance(body, dict) else {CELLS: body})}

    def describe_permissions(self) -> Json:
        """Returns the permissions, hidden attributes, link styles, modes and duplicates."""
        return {
            "granted": self.access.list_granted(),
            "revoked": self.access.denied,
            "hidden": sorted(self.access.hidden),
            "links": self._styles,
            "modes": self.modes.list_modes(),
            "duplicates": {stream: sorted(keys) for stream, keys in self._duplicates.items()},
        }

    def allow_attribute(self, attribute: str, *, allowed: bool) -> Json:
        """Shows or hides an attribute, such as `persons.updated_at`."""
        day = self.company.today
        known = {}
        for stream in self._list_endpoints:
            body: Json = next(self._list_bodies(stream, day, day, ""), {})
            known[stream] = {name for name in body if name not in {"id", CELLS} and not name.startswith("_")}
        attributes = {row["key"] for row in describe_attributes(self.company)}
        known[STREAM] = attributes - {"id"}
        known["persons"] |= {f"{CUSTOM}.{row.id}" for row in self.company.attributes}
        return self.access.allow_attribute(attribute, known, allowed=allowed)

    def set_links(self, path: str, style: str) -> Json:
        """Sets how an endpoint's pagination links look."""
        if path not in [row.path for row in self._list_endpoints.values()]:
            raise ControlError(f"There is no endpoint {path}.")
        self._styles[path] = check_choice("link style", style, STYLES)
        return {"path": path, "style": style}

    def set_mode(self, path: str, mode: str, key: str | None = None) -> Json:
        """Sets how an endpoint responds: always, or for one report or one language of the career site."""
        return self.modes.set_mode(path, mode, key)

    def duplicate_record(self, stream: str, key: str | None) -> Json:
        """Serves a record on two pages, by default the first one of the stream."""
        check_choice("stream", stream, self._list_endpoints)
        day = self.company.today
        keys = [
            key_of(row) for _, rows in self._list_endpoints[stream].read_all(self.company, day, day) for row in rows
        ]
        if not keys or (key is not None and key not in keys):
            raise ControlError(f"The stream {stream} has no record {key}.")
        chosen = key or keys[0]
        self._duplicates.setdefault(stream, set()).add(chosen)
        self.company.version += 1
        return {"stream": stream, "id": chosen}


def _make_position_after(position: Position, start: int, page: Rows) -> Position:
    """Returns the position after a page."""
    offset = start + len(page)
    return Position(position.path, position.query, position.limit, offset, key_of(page[-1]))


def _make_rate_headers(rate: Rate, remaining: int) -> dict[str, str]:
    return {
        "x-ratelimit-replenish-rate": str(rate.replenish),
        "x-ratelimit-burst-capacity": str(rate.burst),
        "x-ratelimit-requested-tokens": str(rate.cost),
        "x-ratelimit-remaining": str(remaining),
    }
