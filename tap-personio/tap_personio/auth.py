"""Personio's client credentials: one pair for both API versions, a bearer token of each for a day."""

from __future__ import annotations

from abc import abstractmethod
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Authenticator, NoAccess, RunError, TapError, Token, is_sendable, lifetime, post_for_token
from typing_extensions import override

if TYPE_CHECKING:
    from singer_rest import Reply, Transport

REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class PersonioAuthenticator(Authenticator):
    """Asks for a token of one API version."""

    def __init__(self, transport: Transport, client_id: str, client_secret: str, first_delay: float) -> None:
        super().__init__()
        self._transport = transport
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._first_delay = first_delay

    @abstractmethod
    def ask(self) -> Reply:
        """Send the token request."""

    @abstractmethod
    def read(self, body: Any) -> tuple[Any, Any]:  # noqa: ANN401 - what the API sends
        """The token in an answer, and its seconds.

        Raises:
            LookupError: If it holds none; TypeError as well.
        """

    @override
    def request_token(self) -> Token:
        reply = self.ask()
        if reply.status in REFUSED:
            raise self.refused("Personio refuses the credentials. Check `client_id` and `client_secret`.")
        try:
            value, seconds = self.read(reply.json())
        except (ValueError, LookupError, TypeError, AttributeError):
            value, seconds = None, None
        if not value or not isinstance(value, str):
            raise self.refused(
                f"The token request was answered with status {reply.status} and no token. Check `api_url`."
            )
        if not is_sendable(value):
            raise self.refused(
                "The token that it gave holds a line break or a character beyond ASCII, which no header takes. Report "
                "it to Personio."
            )
        return Token(value, lifetime(seconds))

    def refused(self, sentence: str) -> TapError:
        """The error for when no token is given."""
        return RunError(sentence)


class V2Authenticator(PersonioAuthenticator):
    """Asks for a v2 token.

    No scope is asked for: one that the credential lacks would fail the whole request, and without any the token has
    all that the credential has.
    """

    @override
    def ask(self) -> Reply:
        form = {"grant_type": "client_credentials", **self._credentials}
        return post_for_token(self._transport, "/v2/auth/token", self._first_delay, data=form)

    @override
    def read(self, body: Any) -> tuple[Any, Any]:
        return body["access_token"], body.get("expires_in")


class V1Authenticator(PersonioAuthenticator):
    """Asks for a v1 token; with the credentials in the body, as those in the address are in every log.

    Where v1 gives none, its lists cannot be read, but those of v2 can.
    """

    refusals = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

    @override
    def refused(self, sentence: str) -> TapError:
        return NoAccess(f"the v1 API gives no token. {sentence}")

    @override
    def ask(self) -> Reply:
        try:
            return post_for_token(self._transport, "/v1/auth", self._first_delay, json=self._credentials)
        except RunError as error:
            raise TapError(str(error)) from None

    @override
    def read(self, body: Any) -> tuple[Any, Any]:
        return body["data"]["token"], body["data"].get("expires_in")
