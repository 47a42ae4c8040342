"""One authenticator per tap, shared by all streams and workers, with one refresh at a time."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from singer_rest.errors import RunError
from singer_rest.http.headers import is_sendable

if TYPE_CHECKING:
    from collections.abc import Callable


EXPIRY_MARGIN = 60.0
"""Seconds before its expiry at which a token is renewed (a tenth of its lifetime if that is less)."""


RENEW_INTERVAL = 60.0
"""Minimum number of seconds between renewals for an endpoint that rejects some of its requests."""


@dataclass(frozen=True, repr=False)  # a token must not appear in a log
class Token:
    """An access token and its remaining lifetime in seconds."""

    value: str
    lifetime: float


class Authenticator(ABC):
    """Keeps a valid access token.

    A 401 does not always mean that the token has expired: vendors also send it for missing permissions. So a 401 renews
    the token if the endpoint has accepted a token before, or if the token has expired. For endpoints that have never
    accepted a token, renewing is tried until one of them rejects a fresh token too. From then on their 401 means a
    missing permission. An endpoint that has accepted a token and then rejects a fresh one serves only some requests:
    the token is renewed for it at most once a minute.

    Args:
        clock: A monotonic clock, in seconds.
    """

    rejection_statuses: frozenset[int] = frozenset({HTTPStatus.UNAUTHORIZED})
    """Statuses with which the vendor rejects an expired token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._renewed_at = 0.0
        self._error: Exception | None = None
        self._accepting_endpoints: set[str] = set()
        self._fresh_token_rejected = False
        self._partially_forbidden: set[str] = set()

    @abstractmethod
    def request_token(self) -> Token:
        """Requests a new token from the vendor. Called by one thread at a time.

        Raises:
            RunError: If the vendor rejects the credentials or cannot be reached.
        """

    def headers(self, token: Token) -> dict[str, str]:
        """Returns the request headers that carry the access token."""
        return {"Authorization": f"Bearer {token.value}"}

    def token(self) -> Token:
        """Returns a valid token, renewed if it is about to expire.

        Raises:
            RunError: If there is no token. Every later call raises the same error, so that no worker tries again.
        """
        with self._lock:
            return self._valid_token()

    def renew_token(self, endpoint: str, refused: Token) -> Token | None:
        """Returns the token to retry with after a 401, or None if the 401 means a missing permission."""
        with self._lock:
            if refused is not self._token:  # another worker has renewed it
                return self._valid_token()
            if endpoint in self._accepting_endpoints:
                may_help = (
                    endpoint not in self._partially_forbidden or self._clock() >= self._renewed_at + RENEW_INTERVAL
                )
            else:
                may_help = not self._fresh_token_rejected
            if not (may_help or self._clock() >= self._renew_at):
                return None
            self._token = None
            return self._valid_token()

    def record_accepted(self, endpoint: str) -> None:
        """Records that an endpoint accepted the token."""
        self._accepting_endpoints.add(endpoint)

    def record_fresh_token_rejected(self, endpoint: str) -> None:
        """Records that an endpoint rejected a token that was just renewed."""
        if endpoint in self._accepting_endpoints:
            self._partially_forbidden.add(endpoint)
        else:
            self._fresh_token_rejected = True

    def _valid_token(self) -> Token:
        if self._error:
            raise self._error
        if self._token is None or self._clock() >= self._renew_at:
            try:
                self._token = _check_sendable_token(self.request_token())
            except Exception as error:
                self._error = error
                raise
            self._renewed_at = self._clock()
            self._renew_at = self._renewed_at + self._token.lifetime - min(EXPIRY_MARGIN, self._token.lifetime / 10)
        return self._token


class ApiKey(Authenticator):
    """Sends an API key that does not expire.

    Args:
        key: The API key.
        header: The header that carries it.
    """

    def __init__(self, key: str, header: str = "X-Api-Key") -> None:
        super().__init__()
        self._key = key
        self._header = header

    def request_token(self) -> Token:
        """Returns the API key as a token that does not expire."""
        return Token(self._key, math.inf)

    def headers(self, token: Token) -> dict[str, str]:
        """Returns the request header that carries the API key."""
        return {self._header: token.value}

    def renew_token(self, endpoint: str, refused: Token) -> Token | None:  # noqa: ARG002
        """Returns None, because there is no other key: a 401 means a missing permission."""
        return None


def _check_sendable_token(token: Token) -> Token:
    if not is_sendable(token.value):
        raise RunError(
            "The access token cannot be sent in a header: it holds a line break or a character beyond ASCII. Check the "
            "token in the settings; if there is none, report it to the vendor, who issued it."
        )
    return token
