"""Cornerstone's credentials: a client that asks for tokens, or a token as it is."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Authenticator, RunError, Token
from singer_rest.auth import lifetime, post_for_token
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest.transport import Transport

logger = logging.getLogger(__name__)

TOKEN_PATH = "/services/api/oauth2/token"  # noqa: S105 - a path
REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
MOST_IN_A_ROW = 5
"""Refusals of one employee after the other, and no answer between them, after which a given token has ended."""


class ClientAuthenticator(Authenticator):
    """Asks for a token with the client's ID and secret, as JSON.

    Args:
        transport: The way to the portal.
        config: The tap's settings.
        first_delay: Seconds before the first repeat.
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
                "Cornerstone refuses the credentials. Check `client_id`, `client_secret` and `scope`, and that the "
                "application belongs to this portal: each environment has its own."
            )
        try:
            body = reply.json()
            value, seconds = body["access_token"], body.get("expires_in")
        except (ValueError, LookupError, TypeError, AttributeError):
            value, seconds = None, None
        if not value or not isinstance(value, str):
            raise RunError(
                f"The token request was answered with status {reply.status} and no token. Check `corpname` or "
                "`api_url`."
            )
        return Token(value, lifetime(seconds))


class GivenAuthenticator(Authenticator):
    """Sends a token of the settings, which nothing renews: what it never could read, it has no scope for."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._given = token
        self._told = False
        self._in_a_row = 0

    @override
    def request_token(self) -> Token:
        return Token(self._given, float("inf"))

    @override
    def renew(self, endpoint: str, refused: Token) -> Token | None:
        has_answered = endpoint in self._answered
        self._in_a_row += has_answered
        # One employee alone may be refused; where the token has ended, the next ones are too.
        if has_answered and ("{" not in endpoint or self._in_a_row >= MOST_IN_A_ROW):
            raise RunError("Cornerstone refuses the access token: it ended or was revoked. Set another `access_token`.")
        if self._answered and not has_answered and not self._told:
            self._told = True
            logger.warning("If other streams are skipped from here on, the access token has ended: set another one.")
        return None

    @override
    def answered(self, endpoint: str) -> None:
        self._in_a_row = 0
        super().answered(endpoint)


def authenticator(config: Mapping[str, Any], transport: Transport, first_delay: float) -> Authenticator:
    """The authenticator for the credential that the settings hold."""
    if token := config.get("access_token"):
        return GivenAuthenticator(token)
    return ClientAuthenticator(transport, config, first_delay)
