"""Handles requests to Factorial: routing, limits, authorization; and its part of the controls."""

from __future__ import annotations

import itertools
import re
from datetime import date
from typing import TYPE_CHECKING

from hr_sandbox.factorial.access import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    Access,
    Tokens,
    find_resource,
    find_stream,
    make_declared_path,
)
from hr_sandbox.factorial.controls import FactorialControls
from hr_sandbox.factorial.endpoint import UNUSUAL_MODES, Endpoints, render_rows
from hr_sandbox.factorial.errors import make_error, make_html_error, make_not_found, make_unauthorized
from hr_sandbox.factorial.query import make_meta_without_pages
from hr_sandbox.factorial.store import SHIFTS, STATS, Store
from hr_sandbox.factorial.tables import CLUSTER, NEWEST, find_served_version, load_newest, load_resources
from hr_sandbox.factorial.webhooks import NAME, Pushes, SubscriptionApi
from hr_sandbox.http.arguments import ControlError, check_choice, find_controls
from hr_sandbox.http.limits import Buckets, Rate
from hr_sandbox.http.messages import ApiError, make_json_response, pick_fields
from hr_sandbox.vendor import YEARS_BACK, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.factorial.access import Bearer
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.http.messages import Json, Request, Response
    from hr_sandbox.options import Options
    from hr_sandbox.pushes.sender import Sender

PATH = re.compile(r"/api/([^/]+)/resources/(\w+/\w+)(?:/([^/]+))?")
MAX_TOKEN_TTL = 7200  # seconds, for tokens of users
POST_RATE = Rate(200, 200 * 60, 60)  # per minute, all at once if need be
NOT_FOUND, NOT_ALLOWED, TOO_MANY = 404, 405, 429
OAUTH_ENDPOINTS = {AUTHORIZE_PATH: ("GET", Tokens.authorize), TOKEN_PATH: ("POST", Tokens.issue_token)}
CREDENTIALS = "api_public/credentials"
NORMAL, UNPAGED, OR_LATER = "normal", "unpaged", "updated-since"


class Factorial(Vendor):
    """Factorial's API: all list endpoints of the live versions, and OAuth."""

    access: Access
    tokens: Tokens

    name = "factorial"
    streams = tuple(row.stream for row in load_newest().values())

    def __init__(self, company: Company, options: Options, sender: Sender | None = None) -> None:
        super().__init__(company, options, sender)
        self.access = Access()
        self.endpoints = Endpoints(Store(company), self.access)
        scopes = frozenset(row.scope for row in load_resources().values() if row.scope)
        client = (options.client_id, options.client_secret)
        self.tokens = Tokens(client, options.api_key, min(options.token_ttl, MAX_TOKEN_TTL), scopes)
        self._limit = Rate.per_minute(options.requests_per_minute) if options.requests_per_minute else None
        self._buckets = Buckets()
        self._numbers = itertools.count(1)
        self._pushes = Pushes(self.endpoints.store, self.access, self.sender)
        self._subscriptions = SubscriptionApi(self._pushes)

    # Requests

    def handle(self, request: Request) -> Response:
        """Handles a request. Errors are responses too."""
        self._pushes.refresh_if_disabled()
        remaining = None
        rate = self._limit or (POST_RATE if request.method == "POST" else None)
        enough = True
        if rate:
            enough, remaining = self._buckets.take_tokens(self._limit is None, rate)
        try:
            response = self._dispatch(request) if enough else make_error(TOO_MANY)
        except ApiError as error:
            response = error.response
        if rate and remaining is not None:
            response.headers |= {
                "ratelimit-limit": str(rate.burst // rate.cost),
                "ratelimit-remaining": str(remaining // rate.cost),
                "ratelimit-reset": str(0 if enough else 1),
            }
        response.headers["x-request-id"] = f"{next(self._numbers):032x}"
        return response

    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns a failure of the service."""
        del request
        return make_error(status)

    def find_template(self, path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""
        if path in OAUTH_ENDPOINTS:
            return path
        found = PATH.fullmatch(path)
        if found is None or found[2] not in load_resources():
            return None
        return f"{make_declared_path(found[2])}/{{id}}" if found[3] else make_declared_path(found[2])

    def _dispatch(self, request: Request) -> Response:
        """Checks path, version, method, key and booking, then calls the endpoint."""
        if request.path in OAUTH_ENDPOINTS:
            method, handle = OAUTH_ENDPOINTS[request.path]
            return handle(self.tokens, request) if request.method == method else make_html_error(NOT_ALLOWED)
        resource, version, key = self._find_route(request.path)
        bearer = self.tokens.authenticate(request)
        writes = request.method != "GET"
        if bearer is None or (writes and resource.name != NAME):
            return make_html_error(NOT_ALLOWED) if writes and resource.name != NAME else make_unauthorized()
        if (refused := self.access.find_refusal(resource, bearer)) is not None:
            return refused
        if resource.name == CREDENTIALS:
            return self._handle_credentials(resource, version, bearer)
        found = None
        if writes:
            found = self._subscriptions.handle(request, version, key)
        elif key:
            found = self._handle_single(resource, version, key)
        return found or self.endpoints.handle(resource, version, request.query)

    @staticmethod
    def _find_route(path: str) -> tuple[Resource, str, str | None]:
        """Returns the resource, the version, and the id of a single record."""
        found = PATH.fullmatch(path)
        version = find_served_version(found[1]) if found else None
        resource = load_resources().get(found[2]) if found else None
        if found is None or version is None or resource is None or version not in resource.span:
            raise ApiError(make_html_error(NOT_FOUND))
        if found[3] and not resource.single:
            raise ApiError(make_html_error(NOT_FOUND))
        return resource, version, found[3]

    def _handle_single(self, resource: Resource, version: str, text: str) -> Response:
        numbered = resource.fields[resource.key or ""].type == "id"
        if numbered and not (text.isascii() and text.isdigit()):
            raise make_not_found()
        row = (
            None
            if resource.name == STATS
            else self.endpoints.store.find_row(resource.name, int(text) - CLUSTER if numbered else text)
        )
        if row is None:
            raise make_not_found()
        return make_json_response(render_rows(resource, [row], version, self._find_hidden_fields(resource))[0])

    def _find_hidden_fields(self, resource: Resource) -> frozenset[str]:
        return frozenset(self.access.hidden.get(resource.name, ()))

    def _handle_credentials(self, resource: Resource, version: str, bearer: Bearer) -> Response:
        """Returns the company, and for a user's token the user too."""
        row: Row = self.endpoints.store.list_rows(CREDENTIALS)[0]
        if not bearer.company:
            person = next(iter(self.company.people))
            row = {
                **row,
                "id": "access-1",
                **pick_fields(person, "email", "first_name", "last_name", login_email="email", employee_id="id"),
                "role": "admin",
            }
        meta = {**make_meta_without_pages(1), "limit": 100}
        return make_json_response(
            {"data": render_rows(resource, [row], version, self._find_hidden_fields(resource)), "meta": meta}
        )

    # Webhooks

    def announce(self, changes: list[Change]) -> None:
        """Sends the webhooks' events of changes to the company."""
        self._pushes.announce(changes)

    # Controls

    def complete_window(self, first: date | None, last: date | None) -> tuple[date, date]:
        """Returns the window, by default from 1 January five years back to a year ahead."""
        today = self.company.today
        ahead = date(today.year + 1, today.month, min(today.day, 28))
        return first or date(today.year - YEARS_BACK, 1, 1), last or ahead

    def find_own_controls(self) -> dict[str, Callable[[Json], Json]]:
        """Returns the controls that only this vendor has, by name."""
        controls = FactorialControls(self.endpoints, self.access, self.tokens, self._pushes)
        return {path: control for (_, path), control in find_controls(controls).items()}

    def count_rows(self, stream: str, first: date | None, last: date | None) -> int:
        """Returns how many rows a full read of a stream yields, in a window of dates if one is given."""
        return self.endpoints.count_rows(find_stream(stream), *self.complete_window(first, last))

    def list_records(self, stream: str, first: date | None, last: date | None, root: str) -> list[Json]:
        """Returns the rows of a full read of a stream, with all permissions, in the newest version."""
        del root
        return self.endpoints.list_records(find_stream(stream), NEWEST, *self.complete_window(first, last))

    def describe_permissions(self) -> Json:
        """Returns the licensed modules, and how endpoints are set to respond."""
        modes = self.endpoints.modes
        return {
            "granted": self.access.list_granted(),
            "revoked": self.access.denied,
            "refusals": self.access.forms,
            "hidden": {name: sorted(fields) for name, fields in self.access.hidden.items()},
            "ignored": {name: sorted(names) for name, names in modes.ignored.items()},
            "unpaged": sorted(modes.unpaged),
            "updated_since": modes.or_later,
            "odd": dict(modes.unusual),
        }

    def allow_attribute(self, attribute: str, *, allowed: bool) -> Json:
        """Shows an attribute, such as `employees_employees.bank_number`, or sets it to null."""
        return self.access.allow_attribute(attribute, allowed=allowed)

    def set_links(self, path: str, style: str) -> Json:
        """Fail: there are no links."""
        raise ControlError(f"Endpoints of factorial have no links: {path} cannot have {style} ones.")

    def set_mode(self, path: str, mode: str, key: str | None = None) -> Json:
        """Sets the mode of an endpoint."""
        if key is not None:
            raise ControlError(f"A mode of {path} applies to all of its records.")
        resource, modes = find_resource(path), self.endpoints.modes
        check_choice("mode", mode, (NORMAL, OR_LATER if resource.name == SHIFTS else UNPAGED, *UNUSUAL_MODES))
        if resource.name == SHIFTS:
            modes.or_later = mode == OR_LATER
        else:
            (modes.unpaged.add if mode == UNPAGED else modes.unpaged.discard)(resource.name)
        modes.unusual.pop(resource.name, None)
        if mode in UNUSUAL_MODES:
            modes.unusual[resource.name] = mode
        return {"path": path, "mode": mode, "id": None}

    def duplicate_record(self, stream: str, key: str | None) -> Json:
        """Fail: the id is the cursor, so that a row cannot be on two pages."""
        raise ControlError(f"A record of {stream} cannot be on two pages: {key or 'its'} id is the cursor.")
