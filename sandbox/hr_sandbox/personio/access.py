"""The permissions, endpoints and allow-listed attributes of the credential, and the tokens of v2."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Protocol

from hr_sandbox.http.access import AccessControl, TokenStore, compare_secrets
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.messages import ApiError, Request, Response, make_json_response
from hr_sandbox.personio.errors import make_oauth_error, make_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hr_sandbox.http.messages import Json

REQUIRED = ("grant_type", "client_id", "client_secret")
TOKEN_PATH = "/v2/auth/token"  # noqa: S105  a path
REVOKE_PATH = "/v2/auth/revoke"


class Tokens(TokenStore):
    """The tokens of one credential (client id and secret). `granted` returns the permissions that it has now."""

    def __init__(
        self,
        client: tuple[str, str],
        lifetime: float,
        granted: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(lifetime, clock)
        self._client = client
        self._granted = granted

    def issue_token(self, request: Request) -> Response:
        """Handles a token request."""
        fields = _read_form(request, (*REQUIRED, "scope"), REQUIRED)
        if fields["grant_type"] != "client_credentials":
            return make_oauth_error("unsupported_grant_type", "This grant type is not supported.", "grant_type")
        if not self._is_known(fields["client_id"], fields["client_secret"]):
            return make_oauth_error("invalid_client", "The client is not known.", "client_authentication_failed")
        granted = self._granted()
        scopes = fields["scope"].split() if "scope" in fields else granted
        if not scopes or not set(scopes) <= set(granted):
            return make_oauth_error("invalid_scope", "A scope is unknown or not granted.", "scope_not_allowed")
        body = {
            "access_token": self.add_token(f"papi-{secrets.token_urlsafe(64)}", frozenset(scopes)),
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }
        return make_json_response(body, cache_control="no-store")

    def sign_in(self, client_id: str, client_secret: str, more: tuple[str, ...]) -> str | None:
        """Returns a v1 token with all permissions of v2 and some more, or None for wrong credentials."""
        if not self._is_known(client_id, client_secret):
            return None
        return self.add_token(
            ".".join(secrets.token_urlsafe(part) for part in (27, 96, 32)), frozenset((*self._granted(), *more))
        )

    def _is_known(self, client_id: str, client_secret: str) -> bool:
        return compare_secrets((client_id, client_secret), self._client)

    def revoke_token(self, request: Request) -> Response:
        """Handles a request to revoke a token."""
        name = _read_form(request, ("token",), ("token",))["token"]
        if self.find_token(name) is None:
            return make_problem(401)
        del self._tokens[name]
        return Response(200)


def _read_form(request: Request, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, str]:
    """Returns the form's fields. Rejects a query string and missing, unknown or repeated fields."""
    pairs = request.form
    fields = dict(pairs)
    missing = [name for name in required if not fields.get(name)]
    if missing:
        raise ApiError(
            make_oauth_error(
                "invalid_request",
                "A required parameter is missing.",
                "required_parameters_missing",
                {"missing_parameters": missing},
            )
        )
    if request.query or len(pairs) != len(fields) or not set(fields) <= set(known):
        raise ApiError(make_oauth_error("invalid_request", "A parameter is unknown or repeated.", "invalid_parameters"))
    return fields


CUSTOM = "custom_attributes"


class Guarded(Protocol):
    """The declaration of a path that requires a permission."""

    @property
    def path(self) -> str:
        """The path."""

    @property
    def permission(self) -> str:
        """The permission."""

    @property
    def forbidden_status(self) -> int:
        """The status if it is missing."""


class Access(AccessControl):
    """The permissions of the credential. Tokens of v2 do not name those of v1, which are given by path."""

    statuses = (400, 401, 402, 403, 404, 410, 412, 428)

    def __init__(self, endpoints: Iterable[Guarded], v1: Mapping[str, str]) -> None:
        endpoints = tuple(endpoints)
        scopes = sorted({endpoint.permission for endpoint in endpoints})
        super().__init__(
            (*scopes, *sorted(set(v1.values()) - set(scopes))), (*(endpoint.path for endpoint in endpoints), *v1)
        )
        self._scopes = frozenset(scopes)
        self.hidden: set[str] = set()  # `stream.attribute`

    def list_granted_scopes(self) -> tuple[str, ...]:
        """Returns the permissions of v2 that the credential has."""
        return tuple(permission for permission in self.list_granted() if permission in self._scopes)

    def find_refusal_status(self, endpoint: Guarded, scopes: frozenset[str]) -> int | None:
        """Returns the status of a missing permission, or None if the request is allowed."""
        denied = self.find_denied_status(endpoint.path, endpoint.permission, endpoint.forbidden_status)
        return denied if denied or endpoint.permission in scopes else endpoint.forbidden_status

    def find_denied_status(self, path: str, permission: str, usual: int) -> int | None:
        """Returns the status if a path or its permission was revoked."""
        for target in (path, permission):
            if target in self.denied:
                return self.denied[target] or usual
        return None

    def remove_hidden_attributes(self, stream: str, body: Json) -> Json:
        """Removes the attributes that are not allow-listed. A row of cells is returned unchanged."""
        prefix = f"{stream}."
        for name in [row.removeprefix(prefix) for row in self.hidden if row.startswith(prefix)]:
            outer, _, inner = name.partition(".")
            if not inner:
                body.pop(outer, None)
            elif outer in body:
                body[outer] = [row for row in body[outer] if row["id"] != inner]
        return body

    def allow_attribute(self, attribute: str, known: Mapping[str, set[str]], *, allowed: bool) -> Json:
        """Shows or hides an attribute such as `persons.updated_at` or `persons.custom_attributes.city`."""
        stream, _, name = attribute.partition(".")
        if name not in known.get(stream, ()):
            raise ControlError(f"There is no attribute {attribute}.")
        (self.hidden.discard if allowed else self.hidden.add)(attribute)
        return {"attribute": attribute, "allowed": allowed}
