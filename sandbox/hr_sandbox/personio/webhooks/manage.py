"""The endpoints that create, change, delete and test webhooks. Validation is strict."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox import clock
from hr_sandbox.company.documents import DAYS
from hr_sandbox.company.references import find_owned
from hr_sandbox.http.messages import ApiError, Response, make_json_response, parse_json_object
from hr_sandbox.http.routing import Router
from hr_sandbox.personio.endpoints.documents import WEBHOOKS, render_webhook
from hr_sandbox.personio.errors import make_problem
from hr_sandbox.personio.filters import parse_timestamp
from hr_sandbox.personio.webhooks.events import NAMES, PING
from hr_sandbox.pushes.client import HEADER_VALUE, is_local, split_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.model.documents import Event, Webhook
    from hr_sandbox.http.messages import Json, Request
    from hr_sandbox.options import Options
    from hr_sandbox.personio.webhooks.push import Pushes

PERMISSION = "personio:webhooks:write"
BAD_REQUEST, CONFLICT, UNPROCESSABLE, TOO_MANY = 400, 409, 422, 429
TYPES: dict[str, type] = {
    **dict.fromkeys(("url", "description", "status", "auth_type", "token"), str),
    "enabled_events": list,
    "custom_headers": dict,
}
REQUIRED = ("url", "description", "enabled_events")
STATUSES, AUTH_TYPES = ("ENABLED", "DISABLED"), ("NONE", "TOKEN", "CUSTOM")
MAX_HEADERS = 3
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Names of custom headers must not begin with these.
RESERVED = (
    *("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"),
    "content-type",
)
MAX_REDELIVERED, MAX_PER_HOUR, HOUR = 100, 500, 3600
BOUNDS = ("occurred_at.gte", "occurred_at.lte")


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """The declaration of a path that is written to."""

    path: str
    methods: tuple[str, ...]
    permission: str = PERMISSION
    forbidden_status: int = 403


WRITE_ROUTES: Router[WriteRoute] = Router(
    (
        WriteRoute(WEBHOOKS, ("POST",)),
        WriteRoute(f"{WEBHOOKS}/{{id}}", ("PATCH", "DELETE")),
        *(WriteRoute(f"{WEBHOOKS}/{{id}}/{name}", ("POST",)) for name in ("ping", "test-event", "redelivery")),
    )
)


class WebhookApi:
    """Handles requests that change or test webhooks."""

    def __init__(self, pushes: Pushes, options: Options) -> None:
        self._pushes = pushes
        self._company = pushes.company
        self._options = options
        self._redelivered: deque[float] = deque()

    def handle(self, route: WriteRoute, path_values: dict[str, str], request: Request) -> Response:
        """Handles an authorized request. Raises ApiError if it is not valid."""
        if request.query:
            raise _refuse(BAD_REQUEST, "There are no query parameters.")
        if "id" not in path_values:
            return self._create(_read_body(request))
        webhook = self._company.webhooks.find(path_values["id"])
        if webhook is None:
            raise ApiError(make_problem(404))
        if request.method == "DELETE":
            return self._delete(webhook)
        if request.method == "PATCH":
            return self._change(webhook, _read_body(request))
        actions: dict[str, Callable[[Webhook, Json], Json]] = {
            "ping": self._ping,
            "test-event": self._send_test,
            "redelivery": self._redeliver,
        }
        body = _read_body(request, may_be_empty=True)
        return make_json_response(actions[route.path.rpartition("/")[2]](webhook, body))

    def _create(self, body: Json) -> Response:
        for name in REQUIRED:
            if name not in body:
                raise _refuse(BAD_REQUEST, f"The field {name} is required.")
        fields = self._parse(
            {"status": "DISABLED", "auth_type": "TOKEN", "token": None, "custom_headers": None, **body}
        )
        now = clock.read_clock()
        webhook = self._company.webhooks.create(uuid=self._pushes.make_id(), created_at=now, updated_at=now, **fields)
        self._company.version += 1
        return make_json_response(render_webhook(webhook), 201)

    def _change(self, webhook: Webhook, body: Json) -> Response:
        if not body:
            raise _refuse(BAD_REQUEST, "The body has no fields.")
        before = {name: value for name, value in render_webhook(webhook).items() if name in TYPES}
        if body.get("auth_type", webhook.auth_type) != webhook.auth_type:  # what belongs to the old type is dropped
            before |= {"token": None, "custom_headers": None}
        fields = self._parse({**before, **body}, webhook)
        for name, value in fields.items():
            setattr(webhook, name, value)
        webhook.updated_at = clock.read_clock()
        self._company.version += 1
        return make_json_response(render_webhook(webhook))

    def _delete(self, webhook: Webhook) -> Response:
        for table, rows in find_owned(self._company, "webhook", webhook.id):
            for row in rows:
                table.remove(row)
        self._company.webhooks.remove(webhook)
        self._company.version += 1
        return Response(204)

    def _ping(self, webhook: Webhook, body: Json) -> Json:
        _check_members(body, ())
        return self._pushes.send(webhook, PING, clock.read_precise_clock(), "")

    def _send_test(self, webhook: Webhook, body: Json) -> Json:
        _check_members(body, ("event_type", "payload"))
        name, payload = body.get("event_type"), body.get("payload")
        if name not in webhook.names:
            raise _refuse(BAD_REQUEST, "The field event_type must be an event that the webhook has enabled.")
        if not isinstance(payload, dict) or not payload:
            raise _refuse(BAD_REQUEST, "The field payload is required.")
        if webhook.status != "ENABLED":
            raise _refuse(CONFLICT, "The webhook is disabled.")
        return self._pushes.send(webhook, str(name), clock.read_precise_clock(), "", payload)

    def _redeliver(self, webhook: Webhook, body: Json) -> Json:
        times = body.pop("occurred_at", None)
        if isinstance(times, dict):
            body |= {f"occurred_at.{name}": value for name, value in times.items()}
        elif times is not None:
            raise _refuse(BAD_REQUEST, "The field occurred_at must be an object.")
        _check_members(body, (*BOUNDS, "event_name"))
        first, last = (_parse_bound(body.get(name), name) for name in BOUNDS)
        if first is None and last is None:
            raise _refuse(BAD_REQUEST, f"One of the fields {' and '.join(BOUNDS)} is required.")
        if webhook.status != "ENABLED":
            raise _refuse(CONFLICT, "The webhook is disabled.")
        events = self._find_events(webhook, first, last, body.get("event_name"))[:MAX_REDELIVERED]
        now = time.monotonic()
        while self._redelivered and self._redelivered[0] <= now - HOUR:
            self._redelivered.popleft()
        if len(self._redelivered) + len(events) > MAX_PER_HOUR:
            raise ApiError(make_problem(TOO_MANY))
        self._redelivered.extend(now for _ in events)
        return {"redelivery_id": self._pushes.redeliver(webhook, events)}

    def _find_events(
        self, webhook: Webhook, first: datetime | None, last: datetime | None, name: object
    ) -> list[Event]:
        if name is not None and name not in (*NAMES, PING):
            raise _refuse(BAD_REQUEST, "The field event_name must be the name of an event.")
        oldest = clock.read_clock() - timedelta(DAYS)
        return [
            row
            for row in self._company.events.find_by_owner(webhook.id)
            if row.subject  # not those of tests
            and row.occurred_at >= max(first or oldest, oldest)
            and (last is None or row.occurred_at <= last)
            and name in {None, row.name}
        ]

    def _parse(self, body: Json, webhook: Webhook | None = None) -> Json:
        """Returns the fields of a webhook. Wrong members and types are 400; values that break a rule are 422."""
        _check_members(body, tuple(TYPES))
        for name, value in body.items():
            optional = name in {"token", "custom_headers"} and value is None
            if not optional and not isinstance(value, TYPES[name]):
                raise _refuse(BAD_REQUEST, f"The field {name} has the wrong type.")
        names = body["enabled_events"]
        token, headers = body["token"], body["custom_headers"]
        rules = {
            "The field url must be an https address.": self._accepts_address(body["url"]),
            "The field description must not be empty.": bool(body["description"].strip()),
            "The field enabled_events must be a list of different names of events.": bool(names)
            and all(name in NAMES for name in names)
            and len(set(names)) == len(names),
            f"The field status must be one of {', '.join(STATUSES)}.": body["status"] in STATUSES,
            f"The field auth_type must be one of {', '.join(AUTH_TYPES)}.": body["auth_type"] in AUTH_TYPES,
            "The field token belongs to the auth_type TOKEN, which needs it.": (token is not None)
            == (body["auth_type"] == "TOKEN")
            and (token is None or HEADER_VALUE.fullmatch(token) is not None),
            "The field custom_headers belongs to the auth_type CUSTOM, which needs it.": (headers is not None)
            == (body["auth_type"] == "CUSTOM"),
            f"The field custom_headers holds one to {MAX_HEADERS} headers, whose names are not reserved.": headers
            is None
            or _are_valid_headers(headers),
        }
        for sentence, holds in rules.items():
            if not holds:
                raise _refuse(UNPROCESSABLE, sentence)
        if any(row.url == body["url"] and row is not webhook for row in self._company.webhooks):
            raise _refuse(CONFLICT, "There is a webhook with this url.")
        fields = {name: value for name, value in body.items() if name not in {"description", "enabled_events"}}
        return {**fields, "name": body["description"], "names": tuple(names)}

    def _accepts_address(self, url: str) -> bool:
        parts = split_address(url)
        if parts is None or parts.username is not None or parts.fragment:
            return False
        plain_http = self._options.http_webhooks and (is_local(url) or self._options.allow_remote)
        return parts.scheme == "https" or plain_http


def _are_valid_headers(headers: dict[str, Any]) -> bool:
    return 1 <= len(headers) <= MAX_HEADERS and all(
        HEADER.fullmatch(name) is not None
        and not name.lower().startswith(RESERVED)
        and isinstance(value, str)
        and HEADER_VALUE.fullmatch(value) is not None
        for name, value in headers.items()
    )


def _read_body(request: Request, *, may_be_empty: bool = False) -> Json:
    if may_be_empty and not request.body:
        return {}
    body = parse_json_object(request)
    if body is None:
        raise _refuse(BAD_REQUEST, "The body must be a JSON object.")
    return body


def _check_members(body: Json, known: tuple[str, ...]) -> None:
    for name in body:
        if name not in known:
            raise _refuse(BAD_REQUEST, f"There is no field {name}.")


def _parse_bound(text: object, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_timestamp(text if isinstance(text, str) else "")
    except ValueError as error:
        raise _refuse(BAD_REQUEST, f"The field {name} must be a timestamp with Z.") from error


def _refuse(status: int, detail: str) -> ApiError:
    return ApiError(make_problem(status, detail))
