"""One authenticator per tap, shared by every stream and worker; one refresh at a time."""

from __future__ import annotations

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
"""Seconds before its end at which a token is renewed (a tenth of its life where that is less)."""


RENEW_INTERVAL = 60.0
"""Seconds after which a token may have ended, where its endpoint refuses some of what it is asked for."""


@dataclass(frozen=True, repr=False)  # a token never stands in a log
class Token:
    """An access token and the seconds that it lives from now."""

    value: str
    lifetime: float


class Authenticator(ABC):
    """Keeps a valid access token.

    A 401 does not always mean that the token has expired: vendors also answer it for missing permissions. So a 401
    renews the token if the endpoint has answered before, or if the token has expired. For endpoints that have never
    answered, this is tried until one of them refuses a fresh token too; from then on their 401 means a missing
    permission. An endpoint that has answered, and still refused a fresh token, serves only some requests: the token is
    renewed for it at most once a minute.

    Args:
        clock: Seconds that only go forward.
    """

    refusals: frozenset[int] = frozenset({HTTPStatus.UNAUTHORIZED})
    """Statuses that the vendor answers to a token whose time is up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._got_at = 0.0
        self._failed: Exception | None = None
        self._answered: set[str] = set()
        self._fresh_token_refused = False
        self._partially_forbidden: set[str] = set()

    @abstractmethod
    def request_token(self) -> Token:
        """Ask the vendor for a new token; called by one thread at a time.

        Raises:
            RunError: If the vendor refuses the credentials or cannot be reached.
        """

    def headers(self, token: Token) -> dict[str, str]:
        """The headers that carry a token."""
        return {"Authorization": f"Bearer {token.value}"}

    def token(self) -> Token:
        """The token to send now, renewed if its end is near.

        Raises:
            RunError: If none can be had; every later call raises the same, so that no worker asks again.
        """
        with self._lock:
            return self._valid()

    def renew(self, endpoint: str, refused: Token) -> Token | None:
        """Answer a 401: the token to repeat the request with; None: the 401 means a missing permission."""
        with self._lock:
            if refused is not self._token:  # another worker was faster
                return self._valid()
            if endpoint in self._answered:
                worth_it = endpoint not in self._partially_forbidden or self._clock() >= self._got_at + RENEW_INTERVAL
            else:
                worth_it = not self._fresh_token_refused
            if not (worth_it or self._clock() >= self._renew_at):
                return None
            self._token = None
            return self._valid()

    def answered(self, endpoint: str) -> None:
        """Note that an endpoint took the token."""
        self._answered.add(endpoint)

    def refused_fresh_token(self, endpoint: str) -> None:
        """Note that a token just renewed got a 401 too."""
        if endpoint in self._answered:
            self._partially_forbidden.add(endpoint)
        else:
            self._fresh_token_refused = True

    def _valid(self) -> Token:
        if self._failed:
            raise self._failed
        if self._token is None or self._clock() >= self._renew_at:
            try:
                self._token = _checked(self.request_token())
            except Exception as error:
                self._failed = error
                raise
            self._got_at = self._clock()
            self._renew_at = self._got_at + self._token.lifetime - min(EXPIRY_MARGIN, self._token.lifetime / 10)
        return self._token


def _checked(token: Token) -> Token:
    if not is_sendable(token.value):
        raise RunError(
            "The access token cannot be sent in a header: it holds a line break or a character beyond ASCII. Check the "
            "token in the settings; if there is none, report it to the vendor, who gave it."
        )
    return token
