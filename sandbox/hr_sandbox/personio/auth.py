"""Tokens of v2: requested with a form, valid for a day by default."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from hr_sandbox.http.messages import ApiError, Response, json_response
from hr_sandbox.http.tokens import TokenStore, same_secrets
from hr_sandbox.personio.errors import oauth_error, problem

if TYPE_CHECKING:
    from collections.abc import Callable


from hr_sandbox.http.messages import Request

REQUIRED = ("grant_type", "client_id", "client_secret")
TOKEN_PATH = "/v2/auth/token"  # noqa: S105  a path
REVOKE_PATH = "/v2/auth/revoke"


class Tokens(TokenStore):
    """The tokens of one credential."""

    def __init__(
        self,
        client: tuple[str, str],
        lifetime: float,
        granted: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Accept this credential.

        Args:
            client: its id and secret.
            lifetime: seconds that a token is valid.
            granted: returns the permissions that the credential has now.
            clock: a monotonic clock in seconds.
        """
        super().__init__(lifetime, clock)
        self._client = client
        self._granted = granted

    def issue(self, request: Request) -> Response:
        """Handle a token request."""
        fields = _form(request, (*REQUIRED, "scope"), REQUIRED)
        if fields["grant_type"] != "client_credentials":
            return oauth_error("unsupported_grant_type", "This grant type is not supported.", "grant_type")
        if not self._known(fields["client_id"], fields["client_secret"]):
            return oauth_error("invalid_client", "The client is not known.", "client_authentication_failed")
        granted = self._granted()
        scopes = fields["scope"].split() if "scope" in fields else granted
        if not scopes or not set(scopes) <= set(granted):
            return oauth_error("invalid_scope", "A scope is unknown or not granted.", "scope_not_allowed")
        body = {
            "access_token": self.add(f"papi-{secrets.token_urlsafe(64)}", frozenset(scopes)),
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }
        return json_response(body, cache_control="no-store")

    def sign_in(self, client_id: str, client_secret: str, more: tuple[str, ...]) -> str | None:
        """Return a v1 token with all permissions of v2 and some more, or None for wrong credentials."""
        if not self._known(client_id, client_secret):
            return None
        return self.add(
            ".".join(secrets.token_urlsafe(part) for part in (27, 96, 32)), frozenset((*self._granted(), *more))
        )

    def _known(self, client_id: str, client_secret: str) -> bool:
        return same_secrets((client_id, client_secret), self._client)

    def revoke(self, request: Request) -> Response:
        """Handle a request to revoke a token."""
        name = _form(request, ("token",), ("token",))["token"]
        if self.find(name) is None:
            return problem(401)
        del self._tokens[name]
        return Response(200)


def _form(request: Request, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, str]:
    """Return the form's fields. Rejects a query string and missing, unknown or repeated fields."""
    pairs = request.form
    fields = dict(pairs)
    missing = [name for name in required if not fields.get(name)]
    if missing:
        raise ApiError(
            oauth_error(
                "invalid_request",
                "A required parameter is missing.",
                "required_parameters_missing",
                {"missing_parameters": missing},
            )
        )
    if request.query or len(pairs) != len(fields) or not set(fields) <= set(known):
        raise ApiError(oauth_error("invalid_request", "A parameter is unknown or repeated.", "invalid_parameters"))
    return fields
