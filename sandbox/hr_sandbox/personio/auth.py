"""Tokens: asked for with a form, valid for a day or as long as the sandbox is told."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_sandbox.http.messages import Response, json_response
from hr_sandbox.personio.errors import ApiError, oauth_error, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hr_sandbox.http.messages import Request

REQUIRED = ("grant_type", "client_id", "client_secret")
TOKEN_PATH = "/v2/auth/token"  # noqa: S105  a path
REVOKE_PATH = "/v2/auth/revoke"
BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Token:
    """What a token allows, and until when (on the token clock)."""

    scopes: frozenset[str]
    ends: float


class Tokens:
    """The tokens of one credential."""

    def __init__(
        self,
        client: tuple[str, str],
        lifetime: float,
        granted: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know the credential.

        Args:
            client: its id and secret.
            lifetime: seconds that a token is valid.
            granted: the permissions that the credential has now.
            clock: seconds that never go back.
        """
        self._client = client
        self.lifetime = lifetime
        self._granted = granted
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def issue(self, request: Request) -> Response:
        """Answer a request for a token."""
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
            "access_token": self._add(f"papi-{secrets.token_urlsafe(64)}", scopes),
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }
        return json_response(body, cache_control="no-store")

    def sign_in(self, client_id: str, client_secret: str, more: tuple[str, ...]) -> str | None:
        """A token in the form of v1, with all permissions and some more; None for another client."""
        if not self._known(client_id, client_secret):
            return None
        return self._add(".".join(secrets.token_urlsafe(part) for part in (27, 96, 32)), (*self._granted(), *more))

    def _known(self, client_id: str, client_secret: str) -> bool:
        return hmac.compare_digest(f"{client_id}\n{client_secret}".encode(), "\n".join(self._client).encode())

    def _add(self, name: str, scopes: Iterable[str]) -> str:
        timestamp = self._clock()
        self._tokens = {name: token for name, token in self._tokens.items() if token.ends > timestamp}
        self._tokens[name] = Token(frozenset(scopes), timestamp + self.lifetime)
        return name

    def revoke(self, request: Request) -> Response:
        """Answer a request to end a token."""
        name = _form(request, ("token",), ("token",))["token"]
        if self._valid(name) is None:
            return problem(401)
        del self._tokens[name]
        return Response(200)

    def check(self, request: Request) -> Token | None:
        """The request's token, or None where it has none that is valid."""
        header = request.headers.get("authorization", "")
        return self._valid(header.removeprefix(BEARER)) if header.startswith(BEARER) else None

    def expire(self) -> int:
        """End all tokens; says how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count

    def _valid(self, name: str) -> Token | None:
        token = self._tokens.get(name)
        return token if token and token.ends > self._clock() else None


def _form(request: Request, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, str]:
    """The form's fields; credentials in the query, unknown or repeated fields are refused."""
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
        raise ApiError(
            oauth_error("invalid_request", "A parameter is not known or stands twice.", "invalid_parameters")
        )
    return fields
