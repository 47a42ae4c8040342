"""Token requests, which are retried outside the scheduler."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from singer_rest.errors import RetryableError, RunError
from singer_rest.http.rate_limits import LONG_WAIT, MAX_WAIT, YEAR
from singer_rest.http.retries import MAX_UNANSWERED_SECONDS, Attempts, RetriesExhaustedError, RetryPolicy, time_budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.http.request import Reply
    from singer_rest.http.transport import Transport

T = TypeVar("T")
logger = logging.getLogger(__name__)
MAX_TOKEN_ATTEMPTS = 5
DEFAULT_LIFETIME = 3600.0
"""Default lifetime in seconds of a token whose response does not state it."""


def parse_lifetime(seconds: Any) -> float:  # noqa: ANN401 - a number, a text, or nothing
    """Returns the lifetime in seconds that a token's response states, or the default if it is implausible."""
    try:
        number = float(seconds)
    except (ValueError, TypeError, OverflowError):
        return DEFAULT_LIFETIME
    return number if 0 < number <= YEAR else DEFAULT_LIFETIME


def post_for_token(transport: Transport, path: str, first_delay: float, **kwargs: Any) -> Reply:
    """Sends a token request, with retries until there is a response.

    Args:
        transport: The HTTP client.
        path: The token endpoint, below `api_url`.
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        kwargs: The body, as requests takes it.

    Returns:
        The response, of any status except 429 and those from 500 on.

    Raises:
        RunError: If there is no response.
    """
    return request_token_with_retries(lambda: transport.post(path, **kwargs), first_delay, transport.max_wait)


def request_token_with_retries(request_once: Callable[[], T], first_delay: float, max_wait: float = MAX_WAIT) -> T:
    """Requests a token, with retries until there is a response.

    Args:
        request_once: Requests the token once.
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        max_wait: Maximum number of seconds that a rate limit may delay the request.

    Raises:
        RunError: If there is no response.
    """
    try:
        return send_with_retries(request_once, first_delay, max_wait)
    except RetryableError as retry:
        advice = (
            "Run again later, or raise `max_wait`." if retry.throttled else "Check the network, or run again later."
        )
        raise RunError(f"The vendor did not issue a token ({retry.reason}). {advice}") from None


def send_with_retries(
    send_once: Callable[[], T], first_delay: float, max_wait: float = MAX_WAIT, what: str = "the token request"
) -> T:
    """Sends a token request, with retries until there is a response. The scheduler does not retry token requests.

    Args:
        send_once: Sends the request once.
        first_delay: Seconds before the first retry. Each further one doubles it, with full jitter.
        max_wait: Maximum number of seconds that a rate limit may delay it.
        what: The term for the request in the log.

    Raises:
        RetryableError: The last error, if there is no response.
    """
    policy, attempts = RetryPolicy(first_delay, max_wait), Attempts()
    while True:
        started = time.monotonic()
        try:
            with time_budget(MAX_UNANSWERED_SECONDS - attempts.unanswered_seconds):
                return send_once()
        except RetryableError as retry:
            try:
                delay = policy.next_delay(attempts, retry, time.monotonic() - started, MAX_TOKEN_ATTEMPTS)
            except RetriesExhaustedError as exhausted:
                raise (RetryableError(f"it {exhausted}", throttled=True) if exhausted.limited else retry) from None
            if delay >= LONG_WAIT:
                logger.info("%s: %s; retrying in %.0f s", what, retry.reason, delay)
        time.sleep(delay)
