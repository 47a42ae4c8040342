"""One authenticator per tap, shared by every stream and worker; one refresh at a time."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from singer_rest.errors import Retry, RunError
from singer_rest.pacing import LONG_WAIT, MAX_WAIT, YEAR
from singer_rest.retries import MAX_SILENCE, Attempts, GaveUp, RetryPolicy, allowing
from singer_rest.transport import SENDABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.pages import Reply
    from singer_rest.transport import Transport

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_TOKEN_ATTEMPTS = 5

MARGIN = 60.0
"""Seconds before its end at which a token is renewed (a tenth of its life where that is less)."""

USUAL_LIFETIME = 3600.0
"""Seconds that a token is taken to live whose answer does not say it in a number."""

AGE = 60.0
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
        self._choosy: set[str] = set()

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
                worth_it = endpoint not in self._choosy or self._clock() >= self._got_at + AGE
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
            self._choosy.add(endpoint)
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
            self._renew_at = self._got_at + self._token.lifetime - min(MARGIN, self._token.lifetime / 10)
        return self._token


def is_sendable(token: str) -> bool:
    """Whether a header can hold a token."""
    return SENDABLE.fullmatch(token) is not None


def _checked(token: Token) -> Token:
    if not is_sendable(token.value):
        raise RunError(
            "The access token cannot be sent in a header: it holds a line break or a character beyond ASCII. Check the "
            "token in the settings; if there is none, report it to the vendor, who gave it."
        )
    return token


def lifetime(seconds: Any) -> float:  # noqa: ANN401 - a number, a text, or nothing
    """The seconds that a token lives, by what its answer says: a value that cannot be must not cost the token."""
    try:
        number = float(seconds)
    except (ValueError, TypeError, OverflowError):
        return USUAL_LIFETIME
    return number if 0 < number <= YEAR else USUAL_LIFETIME


def post_for_token(transport: Transport, path: str, first_delay: float, **kwargs: Any) -> Reply:
    """Send a token request until it is answered.

    Args:
        transport: The way to the vendor.
        path: The token endpoint, below `api_url`.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        kwargs: The body, as requests takes it.

    Returns:
        The answer, whatever its status below 500 but 429.

    Raises:
        RunError: If none comes.
    """
    return until_granted(lambda: transport.post(path, **kwargs), first_delay, transport.max_wait)


def until_granted(ask: Callable[[], T], first_delay: float, max_wait: float = MAX_WAIT) -> T:
    """Do what asks for a token until it is answered.

    Args:
        ask: Asks once.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        max_wait: Seconds for which a limit may hold the request back.

    Raises:
        RunError: If no answer comes.
    """
    try:
        return until_answered(ask, first_delay, max_wait)
    except Retry as retry:
        advice = (
            "Run again later, or raise `max_wait`."
            if retry.throttled
            else "Check the address in the settings and the network, or run again later."
        )
        raise RunError(f"The vendor's host gives no token ({retry.reason}). {advice}") from None


def until_answered(
    send: Callable[[], T], first_delay: float, max_wait: float = MAX_WAIT, what: str = "the token request"
) -> T:
    """Send a request of the authenticator's own, which no scheduler repeats, until it is answered.

    Args:
        send: Sends it once.
        first_delay: Seconds before the first repeat; each further one doubles it, with full jitter.
        max_wait: Seconds for which a limit may hold it back.
        what: What it is, for the log.

    Raises:
        Retry: The last one, if no answer comes.
    """
    policy, attempts = RetryPolicy(first_delay, max_wait), Attempts()
    while True:
        began = time.monotonic()
        try:
            with allowing(MAX_SILENCE - attempts.silent):
                return send()
        except Retry as retry:
            try:
                delay = policy.delay(attempts, retry, time.monotonic() - began, MAX_TOKEN_ATTEMPTS)
            except GaveUp as end:
                raise (Retry(f"it {end}", throttled=True) if end.limited else retry) from None
            if delay >= LONG_WAIT:
                logger.info("%s: %s; going on in %.0f s", what, retry.reason, delay)
        time.sleep(delay)
