"""The endpoint of webhook subscriptions: creating, changing and deleting them. Validation is strict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.errors import (
    BAD_REQUEST,
    UNPROCESSABLE,
    make_error_with_code,
    make_html_error,
    make_not_found,
)
from hr_sandbox.factorial.fake_values import find_company_id
from hr_sandbox.factorial.rows.documents import make_subscription_row
from hr_sandbox.factorial.tables import CLUSTER, to_api_id
from hr_sandbox.factorial.webhooks.catalogue import TYPES
from hr_sandbox.http.messages import ApiError, make_json_response, parse_json_object
from hr_sandbox.pushes.client import HEADER_VALUE, split_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.model.documents import Subscription
    from hr_sandbox.factorial.webhooks.push import Pushes
    from hr_sandbox.http.messages import Json, Request, Response

NAME = "api_public/webhook_subscriptions"
VERSIONS = ("2025-10-01", "2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01")
REQUIRED = ("subscription_type", "target_url", "company_id")
# The fields of a body, and those of a subscription.
FIELDS = {
    "subscription_type": "type",
    "target_url": "url",
    "name": "name",
    "challenge": "challenge",
    "enabled": "enabled",
    "api_version": "version",
}
NULLABLE = ("name", "challenge")
NOT_ALLOWED = 405


class SubscriptionApi:
    """Handles requests that change subscriptions."""

    def __init__(self, pushes: Pushes) -> None:
        self._pushes = pushes
        self._company = pushes.company

    def handle(self, request: Request, version: str, key: str | None) -> Response:
        """Handles an authorized request other than GET. Raises ApiError if it is not valid."""
        if request.method == "POST" and key is None:
            return self._create(_read_body(request), version)
        if request.method not in {"PUT", "DELETE"} or key is None:
            raise ApiError(make_html_error(NOT_ALLOWED))
        row = self._find(key)
        if request.method == "DELETE":
            self._company.subscriptions.remove(row)
            return self._respond("delete", row, version)
        body = _read_body(request)
        if "id" in body and str(body.pop("id")) != key:
            raise _refuse("id", "is invalid")
        self._assign(row, body)
        return self._respond("update", row, version)

    def _create(self, body: Json, version: str) -> Response:
        for name in REQUIRED:
            if body.get(name) is None:
                raise _refuse(name, "can't be blank")
        fields = self._parse(body, None)
        usual = {"name": None, "challenge": None, "enabled": True, "version": version}
        row = self._company.subscriptions.create(**{**usual, **fields})
        return self._respond("create", row, version, 201)

    def _assign(self, row: Subscription, body: Json) -> None:
        for name, value in self._parse(body, row).items():
            setattr(row, name, value)

    def _parse(self, body: Json, row: Subscription | None) -> Json:
        """Returns the fields of a subscription that is to be created or, with a row, changed."""
        for name in body:
            if name not in FIELDS and name != "company_id":
                raise ApiError(make_error_with_code(BAD_REQUEST, "is not permitted", name))
        given = {name: value for name, value in body.items() if value is not None}
        taken = {other.type for other in self._company.subscriptions if other is not row}
        company_id = str(to_api_id(find_company_id(self._company)))
        rules: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
            ("company_id", "is invalid", lambda value: str(value) == company_id),
            ("subscription_type", "is not included in the list", lambda value: value in TYPES),
            ("subscription_type", "has already been taken", lambda value: value not in taken),
            ("target_url", "is invalid", lambda value: split_address(value) is not None),
            ("api_version", "is not included in the list", lambda value: value in VERSIONS),
            ("enabled", "is not a boolean", lambda value: isinstance(value, bool)),
            ("name", "is not a string", lambda value: isinstance(value, str)),
            (
                "challenge",
                "is invalid",
                lambda value: isinstance(value, str) and HEADER_VALUE.fullmatch(value) is not None,
            ),
        )
        for name, sentence, holds in rules:
            if name in given and not holds(given[name]):
                raise _refuse(name, sentence)
        cleared = {name: None for name in NULLABLE if name in body}
        return {FIELDS[name]: value for name, value in {**cleared, **given}.items() if name in FIELDS}

    def _find(self, key: str) -> Subscription:
        number = int(key) - CLUSTER if key.isascii() and key.isdigit() else 0
        if number not in self._company.subscriptions:
            raise make_not_found()
        return self._company.subscriptions[number]

    def _respond(self, action: str, row: Subscription, version: str, status: int = 200) -> Response:
        self._company.version += 1
        shown = make_subscription_row(self._company, row)
        self._pushes.announce_subscription(action, row, shown)
        return make_json_response(self._pushes.bodies.render(NAME, shown, version), status)


def _read_body(request: Request) -> Json:
    body = parse_json_object(request)
    if body is None or request.query:
        raise ApiError(make_error_with_code(BAD_REQUEST))
    return body


def _refuse(name: str, sentence: str) -> ApiError:
    return ApiError(make_error_with_code(UNPROCESSABLE, sentence, name))
