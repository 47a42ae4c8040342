"""Cornerstone's credentials: a client that requests tokens, or an access token."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import (
    RENEW_INTERVAL,
    Authenticator,
    Request,
    RetryableError,
    RunError,
    Token,
    parse_lifetime,
    post_for_token,
)
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest import Transport

TOKEN_PATH = "/services/api/oauth2/token"  # noqa: S105 - a path
REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
METADATA = "$metadata"
"""Ends of paths with large responses."""


class ClientAuthenticator(Authenticator):
    """Requests a token with the client's ID and secret, as JSON.

    Args:
        transport: The HTTP client.
        config: The tap's settings.
        first_delay: Seconds before the first retry.
    """

    def __init__(self, transport: Transport, config: Mapping[str, Any], first_delay: float) -> None:
        super().__init__()
        self._transport = transport
        self._first_delay = first_delay
        self._body = {
            "clientId": config["client_id"],
            "clientSecret": config["client_secret"],
            "grantType": "client_credentials",
            "scope": config["scope"],
        }

    @override
    def request_token(self) -> Token:
        reply = post_for_token(self._transport, TOKEN_PATH, self._first_delay, json=self._body)
        if reply.status in REFUSED:
            raise RunError(
                "Cornerstone rejects the credentials. Check `client_id`, `client_secret` and `scope`, and that the "
                "application belongs to this portal: each environment has its own."
            )
        try:
            body = reply.json()
            value, seconds = body["access_token"], body.get("expires_in")
        except (ValueError, LookupError, TypeError, AttributeError):
            value, seconds = None, None
        if not value or not isinstance(value, str):
            raise RunError(
                f"The token request returned status {reply.status} and no token. Check `corpname` or `api_url`."
            )
        return Token(value, parse_lifetime(seconds))


class GivenAuthenticator(Authenticator):
    """Sends an access token of the settings, which cannot be renewed.

    A 401 may mean that it has expired, that a scope is missing, or that the account may not see the data. So a request
    that succeeded before is repeated, at most once a minute: if it is rejected too, the token has expired.

    Args:
        transport: The HTTP client.
        token: The token.
    """

    def __init__(self, transport: Transport, token: str) -> None:
        super().__init__()
        self._transport = transport
        self._given = token
        self._asked_at = float("-inf")

    @override
    def request_token(self) -> Token:
        return Token(self._given, float("inf"))

    @override
    def renew_token(self, endpoint: str, refused: Token) -> Token | None:
        with self._lock:
            known = sorted(
                (path for path in self._accepting_endpoints if "{" not in path),
                key=lambda path: path.endswith(METADATA),
            )
            is_due = bool(known) and self._clock() >= self._asked_at + RENEW_INTERVAL
            self._asked_at = self._clock() if is_due else self._asked_at
        if is_due and self._is_refused(known[0], refused):
            raise RunError(
                "Cornerstone rejects the access token: it expired or was revoked. Set another `access_token`."
            )
        return None

    def _is_refused(self, path: str, token: Token) -> bool:
        # Without its parameters a list may be rejected too, but not with 401.
        request = Request(path, (), path, headers=(("Prefer", "odata.maxpagesize=1"),))
        try:
            return self._transport.send_once(request, self.headers(token)).status in self.rejection_statuses
        except RetryableError:
            return False


def make_authenticator(config: Mapping[str, Any], transport: Transport, first_delay: float) -> Authenticator:
    """Returns the authenticator for the credential in the settings."""
    if token := config.get("access_token"):
        return GivenAuthenticator(transport, token)
    return ClientAuthenticator(transport, config, first_delay)
