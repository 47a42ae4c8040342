"""Personio's client credentials: one pair for both API versions, a bearer token for a day."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from singer_rest import Authenticator, RunError, Token
from singer_rest.auth import post_for_token
from typing_extensions import override

if TYPE_CHECKING:
    from singer_rest.transport import Transport

REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class PersonioAuthenticator(Authenticator):
    """Asks for a v2 token.

    No scope is asked for: one that the credential lacks would fail the whole request, and without any the token has
    all that the credential has.
    """

    def __init__(self, transport: Transport, client_id: str, client_secret: str, first_delay: float) -> None:
        super().__init__()
        self._transport = transport
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._first_delay = first_delay

    @override
    def request_token(self) -> Token:
        reply = post_for_token(self._transport, "/v2/auth/token", self._first_delay, data=self._form)
        if reply.status in REFUSED:
            raise RunError("Personio refuses the credentials. Check `client_id` and `client_secret`.")
        try:
            body = reply.json()
            value, seconds = body["access_token"], float(body["expires_in"])
        except (ValueError, KeyError, TypeError):
            value, seconds = None, 0.0
        if not value or not isinstance(value, str) or seconds <= 0:
            raise RunError(f"The token request was answered with status {reply.status} and no token. Check `api_url`.")
        return Token(value, seconds)
