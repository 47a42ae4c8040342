"""The permissions of the application: a scope for each view, object and REST family; and its tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.cornerstone.tables import METADATA_SCOPES, load_entity_sets
from hr_sandbox.http.access import AccessControl, TokenStore, compare_secrets
from hr_sandbox.http.arguments import check_choice
from hr_sandbox.http.messages import Response, make_json_response, parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hr_sandbox.clock import Clock
    from hr_sandbox.http.messages import Json, Request

UNAUTHORIZED = 401


class Access(AccessControl):
    """The scopes of the application, for tables and for REST families. Endpoints are named like streams."""

    statuses = (UNAUTHORIZED, 403, 404)
    default_status = UNAUTHORIZED

    def __init__(self, scopes: Iterable[str], endpoints: Iterable[str]) -> None:
        tables = load_entity_sets().values()
        super().__init__(
            sorted({*METADATA_SCOPES.values(), *(row.scope for row in tables), *scopes}),
            (*(row.name for row in tables), *endpoints),
        )

    def endpoint_name(self, endpoint: str) -> str:
        """Returns the last segment of a path."""
        return endpoint.rpartition("/")[2]

    def has_scopes(self, scopes: Iterable[str]) -> bool:
        """Returns whether the application has these scopes."""
        return set(scopes) <= set(self.list_granted())

    def find_refusal_status(self, scope: str, endpoint: str, scopes: frozenset[str] | None) -> int | None:
        """Returns the status if an endpoint may not be read with a token's scopes (None for all), else None."""
        for target in (endpoint, scope):
            if target in self.denied:
                return self.denied[target]
        return None if scopes is None or scope in scopes else UNAUTHORIZED


TOKEN_PATH = "/services/api/oauth2/token"  # noqa: S105  a path
MEMBERS = ("clientId", "clientSecret", "grantType", "scope")
ALL = "all"
EXPIRIES = ("number", "text", "absent")
DESCRIPTIONS = {
    "invalid_request": "the request is malformed",
    "invalid_client": "client credentials are invalid",
    "unsupported_grant_type": "grant type is not supported",
    "invalid_scope": "scope is unknown or not granted",
}


class Tokens(TokenStore):
    """The tokens of one application."""

    def __init__(self, client: tuple[str, str], lifetime: float, access: Access, clock: Clock) -> None:
        super().__init__(lifetime, clock.seconds)
        self._client = client
        self._access = access
        self._expiry = EXPIRIES[0]

    def issue_token(self, request: Request) -> Response:
        """Handles a token request."""
        given = parse_json_object(request)
        if given is None or request.query or not all(isinstance(given.get(name), str) for name in MEMBERS):
            return _make_refusal("invalid_request")
        if set(given) != set(MEMBERS):
            return _make_refusal("invalid_request")
        if not compare_secrets((given["clientId"], given["clientSecret"]), self._client):
            return _make_refusal("invalid_client")
        if given["grantType"] != "client_credentials":
            return _make_refusal("unsupported_grant_type")
        scopes = frozenset(given["scope"].split())
        everything = scopes == {ALL}
        if not scopes or not (everything or self._access.has_scopes(scopes)):
            return _make_refusal("invalid_scope")
        name = self.add_token(f"ZWRnZQ:{secrets.token_hex(16)}", None if everything else scopes)
        forms: dict[str, dict[str, object]] = {
            "number": {"expires_in": int(self.lifetime)},
            "text": {"expires_in": str(int(self.lifetime))},
            "absent": {},
        }
        return make_json_response(
            {"access_token": name, **forms[self._expiry], "token_type": "Bearer", "scope": given["scope"]},
            media_type=JSON_TYPE,
            cache_control="no-store",
        )

    def set_expiry(self, form: str) -> Json:
        """Sets how token responses state the lifetime."""
        self._expiry = check_choice("form", form, EXPIRIES)
        return {"expires_in": form}


def _make_refusal(problem: str) -> Response:
    return make_json_response({"error": problem, "error_description": DESCRIPTIONS[problem]}, 400, JSON_TYPE)
