"""Tokens: asked for with a JSON body, valid for an hour or as long as the sandbox is told."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.http.messages import Response, json_response
from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.access import Access
    from hr_sandbox.cornerstone.clock import Clock
    from hr_sandbox.http.messages import Request
    from hr_sandbox.vendor import Json

TOKEN_PATH = "/services/api/oauth2/token"  # noqa: S105  a path
BEARER = "Bearer "
MEMBERS = ("clientId", "clientSecret", "grantType", "scope")
ALL = "all"
EXPIRIES = ("number", "text", "absent")
DESCRIPTIONS = {
    "invalid_request": "the request is malformed",
    "invalid_client": "client credentials are invalid",
    "unsupported_grant_type": "grant type is not supported",
    "invalid_scope": "scope is unknown or not granted",
}


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may read (None for everything that is granted), and until when."""

    scopes: frozenset[str] | None
    ends: float


class Tokens:
    """The tokens of one application."""

    def __init__(self, client: tuple[str, str], lifetime: float, access: Access, clock: Clock) -> None:
        """Know the application."""
        self._client = client
        self._lifetime = lifetime
        self._access = access
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._expiry = EXPIRIES[0]

    def issue(self, request: Request) -> Response:
        """Answer a request for a token."""
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        try:
            given = json.loads(request.body) if media_type == "application/json" and not request.query else None
        except ValueError:
            given = None
        if not isinstance(given, dict) or not all(isinstance(given.get(name), str) for name in MEMBERS):
            return _refused("invalid_request")
        if set(given) != set(MEMBERS):
            return _refused("invalid_request")
        named = "\n".join((given["clientId"], given["clientSecret"]))
        if not hmac.compare_digest(named.encode(), "\n".join(self._client).encode()):
            return _refused("invalid_client")
        if given["grantType"] != "client_credentials":
            return _refused("unsupported_grant_type")
        scopes = frozenset(given["scope"].split())
        everything = scopes == {ALL}
        if not scopes or not (everything or self._access.may(scopes)):
            return _refused("invalid_scope")
        name = f"ZWRnZQ:{secrets.token_hex(16)}"
        self._tokens[name] = Token(None if everything else scopes, self._clock.seconds() + self._lifetime)
        forms: dict[str, dict[str, object]] = {
            "number": {"expires_in": int(self._lifetime)},
            "text": {"expires_in": str(int(self._lifetime))},
            "absent": {},
        }
        return json_response(
            {"access_token": name, **forms[self._expiry], "token_type": "Bearer", "scope": given["scope"]},
            media_type=JSON_TYPE,
            cache_control="no-store",
        )

    def check(self, request: Request) -> Token | None:
        """The request's token, or None where it has none that is valid."""
        header = request.headers.get("authorization", "")
        token = self._tokens.get(header.removeprefix(BEARER)) if header.startswith(BEARER) else None
        return token if token and token.ends > self._clock.seconds() else None

    def expire(self) -> int:
        """End all tokens; says how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count

    def set_expiry(self, form: str) -> Json:
        """Choose how an answer says how long a token is valid."""
        if form not in EXPIRIES:
            raise ControlError(f"There is no form {form}; there are {', '.join(EXPIRIES)}.")
        self._expiry = form
        return {"expires_in": form}


def _refused(problem: str) -> Response:
    return json_response({"error": problem, "error_description": DESCRIPTIONS[problem]}, 400, JSON_TYPE)
