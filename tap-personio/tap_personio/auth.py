"""Personio's client credentials: one pair for both API versions, each with its own bearer token that lasts a day."""

from __future__ import annotations

from abc import abstractmethod
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import (
    AccessDeniedError,
    Authenticator,
    RunError,
    TapError,
    Token,
    is_sendable,
    parse_lifetime,
    post_for_token,
)
from typing_extensions import override

if TYPE_CHECKING:
    from singer_rest import Reply, Transport

REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class PersonioAuthenticator(Authenticator):
    """Requests a token for one API version."""

    def __init__(self, transport: Transport, client_id: str, client_secret: str, first_delay: float) -> None:
        super().__init__()
        self._transport = transport
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._first_delay = first_delay

    @abstractmethod
    def post_token_request(self) -> Reply:
        """Sends the token request."""

    @abstractmethod
    def parse_token(self, body: Any) -> tuple[Any, Any]:  # noqa: ANN401 - what the API sends
        """Returns the token and its lifetime from a response.

        Raises:
            LookupError: If there is none. TypeError as well.
        """

    @override
    def request_token(self) -> Token:
        reply = self.post_token_request()
        if reply.status in REJECTED:
            raise self.token_error("Personio rejects the credentials. Check `client_id` and `client_secret`.")
        try:
            value, seconds = self.parse_token(reply.json())
        except (ValueError, LookupError, TypeError, AttributeError):
            value, seconds = None, None
        if not value or not isinstance(value, str):
            raise self.token_error(f"The token request returned status {reply.status} and no token. Check `api_url`.")
        if not is_sendable(value):
            raise self.token_error(
                "Personio's token cannot be sent in a header: it holds a line break or a character beyond ASCII. "
                "Report it to Personio."
            )
        return Token(value, parse_lifetime(seconds))

    def token_error(self, sentence: str) -> TapError:
        """Returns the exception to raise if no token is issued."""
        return RunError(sentence)


class V2Authenticator(PersonioAuthenticator):
    """Requests a v2 token.

    No scope is requested: one that the credential lacks would fail the whole request, and without any the token has all
    scopes of the credential.
    """

    @override
    def post_token_request(self) -> Reply:
        form = {"grant_type": "client_credentials", **self._credentials}
        return post_for_token(self._transport, "/v2/auth/token", self._first_delay, data=form)

    @override
    def parse_token(self, body: Any) -> tuple[Any, Any]:
        return body["access_token"], body.get("expires_in")


class V1Authenticator(PersonioAuthenticator):
    """Requests a v1 token, with the credentials in the body, because URLs appear in logs.

    If v1 issues no token, its lists cannot be read, but those of v2 can.
    """

    rejection_statuses = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

    @override
    def token_error(self, sentence: str) -> TapError:
        return AccessDeniedError(f"the v1 API did not issue a token. {sentence}")

    @override
    def post_token_request(self) -> Reply:
        try:
            return post_for_token(self._transport, "/v1/auth", self._first_delay, json=self._credentials)
        except RunError as error:
            raise TapError(str(error)) from None

    @override
    def parse_token(self, body: Any) -> tuple[Any, Any]:
        return body["data"]["token"], body["data"].get("expires_in")
