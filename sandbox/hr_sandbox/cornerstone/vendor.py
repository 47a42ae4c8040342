"""Handles requests to Cornerstone: routing, limits, authorization; and its part of the controls."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.clock import Clock
from hr_sandbox.cornerstone.access import TOKEN_PATH, Access, Tokens
from hr_sandbox.cornerstone.controls import CornerstoneControls
from hr_sandbox.cornerstone.errors import (
    ERROR_PAGE,
    LOGIN,
    NOT_ALLOWED,
    NOT_FOUND,
    TOO_MANY,
    UNAUTHORIZED,
    make_error,
    make_page,
    redirect_to_page,
)
from hr_sandbox.cornerstone.metadata import Metadata, make_service_document
from hr_sandbox.cornerstone.odata import OData
from hr_sandbox.cornerstone.portal import Portal
from hr_sandbox.cornerstone.query import parse_preferences
from hr_sandbox.cornerstone.response_faults import ResponseFaults
from hr_sandbox.cornerstone.rest import ROUTES, Rest
from hr_sandbox.cornerstone.selection import STYLES, Links
from hr_sandbox.cornerstone.store import Store
from hr_sandbox.cornerstone.tables import DEFAULT_THROTTLE, METADATA_SCOPES, ROOTS, load_entity_sets
from hr_sandbox.cornerstone.throttle import Throttle
from hr_sandbox.cornerstone.webhooks import Pushes, WebhookControls
from hr_sandbox.http.arguments import ControlError, check_choice, find_controls
from hr_sandbox.http.messages import ApiError
from hr_sandbox.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.http.messages import Json, Request, Response
    from hr_sandbox.options import Options
    from hr_sandbox.pushes.sender import Sender

MAX_TOKEN_TTL = 3_600  # seconds
WINDOW_DAYS, MAX_RECORDS = 30, 100_000
METADATA = "$metadata"
NAME = re.compile(r"(\w+)(?:\((.+)\))?")


class Cornerstone(Vendor):
    """Cornerstone OnDemand: both OData services, the REST families, and tokens."""

    access: Access
    tokens: Tokens

    name = "cornerstone"
    streams = (*load_entity_sets(), *Rest.streams)

    def __init__(self, company: Company, options: Options, sender: Sender | None = None) -> None:
        super().__init__(company, options, sender)
        clock, portal = Clock(), Portal(company)
        self.access = Access({row.scope for row in ROUTES}, Rest.streams)
        self.tokens = Tokens(
            (options.client_id, options.client_secret), min(options.token_ttl, MAX_TOKEN_TTL), self.access, clock
        )
        self.throttle = Throttle(clock, options.requests_per_minute)
        self.failures = ResponseFaults()
        self.odata = OData(Store(company, portal, clock), Links(clock))
        self.rest = Rest(self.odata.store)
        self._metadata = Metadata(portal)
        self._pushes = Pushes(self.odata.store, self.sender)

    # Requests

    def handle(self, request: Request) -> Response:
        """Handles a request. Errors are responses too."""
        try:
            return self._dispatch(request)
        except ApiError as error:
            return error.response

    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns a failure of the service."""
        del request
        return make_error(status)

    def find_template(self, path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""
        for root in ROOTS.values():
            if path.startswith(f"{root}/"):
                found = NAME.fullmatch(path.removeprefix(f"{root}/"))
                return load_entity_sets()[found[1]].path if found and found[1] in load_entity_sets() else path
        route = ROUTES.find_route(path)
        return route[0].path if route else None

    def _dispatch(self, request: Request) -> Response:
        """Dispatches a request: tokens, HTML pages, OData, then REST."""
        path = request.path
        if path == TOKEN_PATH:
            return self._handle_token_request(request)
        if path.startswith("/phnx/"):
            return make_page(LOGIN)
        for service, root in ROOTS.items():
            if path == root or path.startswith(f"{root}/"):
                return self._handle_odata(service, path[len(root) + 1 :], request)
        found = ROUTES.find_route(path)
        if found is None:
            raise ApiError(make_error(NOT_FOUND))
        route, parts = found
        build_error = route.make_error_builder(request)
        headers = self._count_request(route.limited or route.path, route.stream, route.per_minute, build_error)
        try:
            response = self._authorize(request, route.scope, route.stream, build_error)
            response = response or route.handle(self.rest.context, parts, request)
        except ApiError as error:
            response = error.response
        else:
            response = self.failures.apply_fault(route.stream, 1, response, request)
        response.headers |= headers
        return response

    def _handle_token_request(self, request: Request) -> Response:
        headers = self._count_request(path, path, 0, make_error) if (path := self.throttle.shared) else {}
        response = self.tokens.issue_token(request) if request.method == "POST" else make_error(NOT_ALLOWED)
        response.headers |= headers
        return response

    def _count_request(
        self, resource: str, stream: str, per_minute: int, build_error: Callable[[int], Response]
    ) -> dict[str, str]:
        enough, headers = self.throttle.count_request(resource, stream, per_minute)
        if not enough:
            response = build_error(TOO_MANY)
            response.headers |= headers
            raise ApiError(response)
        return headers

    def _authorize(
        self, request: Request, scope: str, endpoint: str, build_error: Callable[[int], Response]
    ) -> Response | None:
        """Returns an error if the request is not authorized, else None."""
        token = self.tokens.authenticate(request)
        if token is None:
            return build_error(UNAUTHORIZED)
        if request.method != "GET":
            return build_error(NOT_ALLOWED)
        status = self.access.find_refusal_status(scope, endpoint, token.scopes)
        return None if status is None else build_error(status)

    def _handle_odata(self, service: str, rest: str, request: Request) -> Response:
        """Handles a request to an OData service: a document or a table."""
        if "&" in rest:
            return redirect_to_page(request, ERROR_PAGE)
        found = NAME.fullmatch(rest)
        table = load_entity_sets().get(found[1]) if found else None
        resource = table.name if table else f"{service}/{METADATA}"
        headers = self._count_request(resource, resource, table.throttle if table else DEFAULT_THROTTLE, make_error)
        try:
            if rest in {"", METADATA}:
                response = self._authorize(
                    request, METADATA_SCOPES[service], rest, make_error
                ) or self._handle_document(service, rest, request)
            elif table is None or found is None or table.service != service:
                response = make_error(NOT_FOUND if self.tokens.authenticate(request) else UNAUTHORIZED)
            elif refused := self._authorize(request, table.scope, table.name, make_error):
                response = refused
            elif found[2]:
                response = self.odata.get_single_row(table, found[2], request)
            else:
                response = self.odata.handle(table, request)
                response = self.failures.apply_fault(table.name, parse_preferences(request).size, response, request)
        except ApiError as error:
            response = error.response
        response.headers |= headers
        return response

    def _handle_document(self, service: str, rest: str, request: Request) -> Response:
        if request.query:
            raise ApiError(make_error(400, "This document has no options."))
        if not rest:
            return make_service_document(service, request.root)
        return self._metadata.handle(service, request)

    # Webhooks

    def announce(self, changes: list[Change]) -> None:
        """Sends the webhooks' records of changes to the company."""
        self._pushes.announce(changes)

    # Controls

    def complete_window(self, first: date | None, last: date | None) -> tuple[date, date]:
        """Returns the window, by default the last thirty days."""
        today = self.company.today
        return first or today - timedelta(WINDOW_DAYS), last or today

    def find_own_controls(self) -> dict[str, Callable[[Json], Json]]:
        """Returns the controls that only this vendor has, by name."""
        controls = CornerstoneControls(
            odata=self.odata,
            rest=self.rest,
            tokens=self.tokens,
            throttle=self.throttle,
            failures=self.failures,
            metadata=self._metadata,
        )
        webhooks = WebhookControls(self._pushes, self.odata.store)
        found = {**find_controls(controls), **find_controls(webhooks)}
        return {path: control for (_, path), control in found.items()}

    def count_rows(self, stream: str, first: date | None, last: date | None) -> int:
        """Returns how many rows a full read of a stream yields, in a window of dates if one is given."""
        store = self.odata.store
        if stream in load_entity_sets():
            return len(store.list_rows(stream)) + store.bulk.count_rows(stream)
        return len(self.rest.list_records(stream, *self.complete_window(first, last)))

    def list_records(self, stream: str, first: date | None, last: date | None, root: str) -> list[Json]:
        """Returns the rows of a full read of a stream, with all permissions and attributes."""
        del root
        store = self.odata.store
        table = load_entity_sets().get(stream)
        if table is None:
            return self.rest.list_records(stream, *self.complete_window(first, last))
        size = store.bulk.count_rows(stream)
        if size > MAX_RECORDS:
            raise ControlError(f"The stream {stream} has more than {MAX_RECORDS} generated rows.")
        columns = tuple(store.portal.list_columns(table).values())
        rows = [*store.list_rows(stream), *(store.bulk.make_row(stream, place) for place in range(size))]
        return [self.odata.renderer.render_row(table, columns, row) for row in rows]

    def describe_permissions(self) -> Json:
        """Returns the scopes, and how tables are set to respond."""
        portal = self.odata.store.portal
        return {
            "granted": self.access.list_granted(),
            "revoked": self.access.denied,
            "hidden": {name: sorted(columns) for name, columns in portal.hidden.items() if columns},
            "links": self.odata.links.styles,
            "duplicates": {name: ",".join(map(str, key)) for name, key in self.odata.duplicates.items()},
            "modes": self.rest.context.modes,
        }

    def allow_attribute(self, attribute: str, *, allowed: bool) -> Json:
        """Shows or hides a column, such as `users_core.user_email`."""
        stream, _, name = attribute.partition(".")
        if stream not in load_entity_sets():
            raise ControlError(f"There is no attribute {attribute}.")
        self.odata.store.portal.set_visible(stream, name, visible=allowed)
        return {"attribute": attribute, "allowed": allowed}

    def set_links(self, path: str, style: str) -> Json:
        """Sets how the links of a view or object look."""
        name = path.rpartition("/")[2]
        if name not in load_entity_sets():
            raise ControlError(f"There is no view or object {path}.")
        self.odata.links.styles[name] = check_choice("link style", style, STYLES)
        return {"path": path, "style": style}

    def set_mode(self, path: str, mode: str, key: str | None = None) -> Json:
        """Sets the mode of a REST stream."""
        if key is not None:
            raise ControlError(f"A mode of {path} applies to all of its records.")
        return self.rest.set_mode(path.rpartition("/")[2], mode)

    def duplicate_record(self, stream: str, key: str | None) -> Json:
        """Repeats a row at the end of a view or object."""
        if stream not in load_entity_sets():
            raise ControlError(f"Records of {stream} cannot be on two pages.")
        rows = self.odata.store.list_rows(stream)
        wanted = rows[0]["_key"] if key is None and rows else None
        for row in rows:
            if key is not None and ",".join(map(str, row["_key"])) == key:
                wanted = row["_key"]
        if wanted is None:
            raise ControlError(f"The stream {stream} has no record {key}.")
        self.odata.duplicates[stream] = wanted
        return {"stream": stream, "id": ",".join(map(str, wanted))}
