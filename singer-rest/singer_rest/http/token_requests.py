"""Requests for tokens, which no scheduler repeats."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from singer_rest.errors import RetryableError, RunError
from singer_rest.http.rate_limits import LONG_WAIT, MAX_WAIT, YEAR
from singer_rest.http.retries import MAX_UNANSWERED_SECONDS, Attempts, RetriesExhausted, RetryPolicy, time_budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.http.request import Reply
    from singer_rest.http.transport import Transport

T = TypeVar("T")
logger = logging.getLogger(__name__)
MAX_TOKEN_ATTEMPTS = 5
USUAL_LIFETIME = 3600.0
"""Seconds that a token is taken to live whose answer does not say it in a number."""


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
    except RetryableError as retry:
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
            with time_budget(MAX_UNANSWERED_SECONDS - attempts.unanswered_seconds):
                return send()
        except RetryableError as retry:
            try:
                delay = policy.delay(attempts, retry, time.monotonic() - began, MAX_TOKEN_ATTEMPTS)
            except RetriesExhausted as end:
                raise (RetryableError(f"it {end}", throttled=True) if end.limited else retry) from None
            if delay >= LONG_WAIT:
                logger.info("%s: %s; going on in %.0f s", what, retry.reason, delay)
        time.sleep(delay)
