"""Sends requests: authenticated, with a time-out, over one persistent connection per worker."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from singer_rest.errors import RetryableError, TapError
from singer_rest.http.connections import HostSession, limit_reads
from singer_rest.http.failures import (
    BROKEN,
    PROXY_AUTHENTICATION,
    TIMEOUT_REASON,
    describe_failure,
    proxy_refuses_credentials,
)
from singer_rest.http.headers import check_sendable
from singer_rest.http.proxies import Proxy, proxy_for
from singer_rest.http.rate_limits import MAX_WAIT, RateLimiter, reset_after, retry_after
from singer_rest.http.request import Reply, Request
from singer_rest.http.retries import remaining_budget
from singer_rest.http.unpacking import ENCODINGS, InvalidBodyError, UnknownEncodingError, decompress_body
from singer_rest.http.vendor_clock import VendorClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import BaseHTTPResponse

    from singer_rest.http.auth import Authenticator

    Observer = Callable[[Request, Reply], None]

# Its messages at lower levels, and those about unreadable headers, contain URLs with ids and cursors.
logging.getLogger("urllib3").setLevel(logging.ERROR)


CHUNK = 256 * 1024
TIMEOUTS_PER_ANSWER = 5
"""Time-outs until a whole response must have arrived, since each part of it may arrive in time for ever."""
CONNECT_SECONDS = 60.0
"""Maximum number of seconds to wait for a connection. A host may have several addresses."""
BASIC_REQUEST_ARGS = {"params", "data", "headers"}
"""The arguments that most requests have."""


class _RetryableStatusError(RetryableError):
    """A response whose status means that the request may be sent again. The response's body is dropped."""

    reply: Reply


class Transport:
    """An HTTP client for one host. Thread-safe.

    Args:
        api_url: The base URL, without a slash at its end. Tokens are sent to no other host.
        headers: Sent with each request.
        timeout: Seconds to wait for a connection and for each part of a response. A whole response has five times that.
        rate_limiter: Updated from the response headers.
        public: Whether no token is ever sent, so that redirects may be followed.
        max_wait: Maximum number of seconds that a rate limit may delay requests outside of the scheduler.
        observer: Called with each request and its response, but not for tokens. Must be thread-safe.
    """

    def __init__(
        self,
        api_url: str,
        headers: Mapping[str, str],
        timeout: float,
        rate_limiter: RateLimiter,
        *,
        public: bool = False,
        max_wait: float = MAX_WAIT,
        observer: Observer | None = None,
    ) -> None:
        self.api_url = api_url
        self._public = public
        self.rate_limiter = rate_limiter
        self.vendor_clock = VendorClock()
        self.max_wait = max_wait
        self._observer = observer
        self._headers = headers
        self._timeout = timeout
        self._local = threading.local()
        self.server_time: tuple[str, datetime] | None = None
        """The header ``Date`` of the last response, and when it arrived, UTC. None: there was no response."""
        self.failed_part: Literal["proxy", "encryption"] | None = None
        """The part of the connection that failed last, if it was not the host."""

    def send(self, request: Request, authenticator: Authenticator | None) -> Reply:
        """Sends a request, and once more with a renewed token after a 401 that may mean an expired token.

        Returns:
            The response, whose status is below 500 and not 429.

        Raises:
            RetryableError: If the request may be retried.
            TapError: If it cannot be sent, or the response cannot be read.
            RunError: If no token is available.
        """
        if authenticator is None:
            return self.send_once(request, {})
        token = authenticator.token()
        reply = self.send_once(request, authenticator.headers(token))
        if reply.status in authenticator.rejection_statuses and (
            renewed := authenticator.renew_token(request.endpoint, token)
        ):
            reply = self.send_once(request, authenticator.headers(renewed))
            if reply.status in authenticator.rejection_statuses:
                authenticator.record_fresh_token_rejected(request.endpoint)
        if reply.status < HTTPStatus.BAD_REQUEST:
            authenticator.record_accepted(request.endpoint)
        return reply

    def send_once(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """Sends a request once with additional headers. A 401 is returned like any other response.

        Raises:
            RetryableError: If the request may be retried.
            TapError: If it cannot be sent, or the response cannot be read.
        """
        content_type = {} if request.body is None else {"Content-Type": "application/json"}
        try:
            reply = self._send(
                request.method,
                request.path,
                request.endpoint,
                params=request.params,
                data=request.body,
                headers={**headers, **content_type, **dict(request.headers)},
            )
        except _RetryableStatusError as retry:
            self._notify_observer(request, retry.reply)
            raise
        self._notify_observer(request, reply)
        return reply

    def _notify_observer(self, request: Request, reply: Reply) -> None:
        if self._observer:
            self._observer(request, reply)

    def post(self, path: str, **kwargs: Any) -> Reply:
        """Sends a POST without a token, for token endpoints. `kwargs` are the arguments of `requests.Session.request`.

        Raises:
            RetryableError: If the request may be retried.
            TapError: If it cannot be sent, or the response cannot be read.
        """
        return self._send("POST", path, path, **kwargs)

    def _send(self, method: str, path: str, endpoint: str, **kwargs: Any) -> Reply:
        check_sendable({**self._headers, **kwargs.get("headers", {})}, endpoint)
        seconds = min(TIMEOUTS_PER_ANSWER * self._timeout, remaining_budget())
        if seconds <= 0:
            raise RetryableError(TIMEOUT_REASON, slow=True)
        with limit_reads(time.monotonic() + seconds):
            response = self._send_to_host(method, path, endpoint, min(self._timeout, seconds), kwargs)
            if response.status == PROXY_AUTHENTICATION and self._proxy:
                self.failed_part = "proxy"
                response.close()
                raise proxy_refuses_credentials(self._proxy)
            self.server_time = response.headers.get("Date", ""), datetime.now(timezone.utc)
            self.vendor_clock.observe(response.headers)
            self.rate_limiter.update(endpoint, response.headers)
            _raise_for_retry(response)
            body = _read_body(response)
        self.rate_limiter.activity.add_body(len(body))
        try:
            body = (
                decompress_body(body, response.headers.get("Content-Encoding") or "")
                if body
                else _check_empty_body(response)
            )
        except InvalidBodyError as error:
            raise RetryableError(str(error), broken=True) from None
        except UnknownEncodingError:
            raise TapError(
                f"{endpoint} used an encoding that was not requested (requested: {', '.join(ENCODINGS)}). Check "
                "for a proxy between this machine and the vendor."
            ) from None
        return Reply(response.status, response.headers, body, datetime.now(timezone.utc))

    def _send_to_host(
        self, method: str, path: str, endpoint: str, timeout: float, kwargs: dict[str, Any]
    ) -> BaseHTTPResponse:
        self.rate_limiter.activity.add_request()
        session, url, timeouts = self._thread_session(), self.api_url + path, (min(timeout, CONNECT_SECONDS), timeout)
        try:
            # A redirect could send the token to another host, or lead to a login page.
            if kwargs.keys() == BASIC_REQUEST_ARGS and not self._public:
                return session.send_to_host(method, url, timeout=timeouts, **kwargs)
            response = session.request(
                method, url, timeout=timeouts, allow_redirects=self._public, stream=True, **kwargs
            )
        except (requests.RequestException, HTTPError, ValueError, OSError) as error:
            failure = describe_failure(error, endpoint, self._proxy)
            self.failed_part = failure.part
            raise failure.error from None
        raw: BaseHTTPResponse = response.raw
        return raw

    @cached_property
    def _proxy(self) -> Proxy | None:
        """The proxy through which requests are sent."""
        return proxy_for(self.api_url)

    def _thread_session(self) -> HostSession:
        session: HostSession | None = getattr(self._local, "session", None)
        if session is None:
            session = HostSession({**self._headers, "Accept-Encoding": ", ".join(ENCODINGS)})
            self._local.session = session
        return session


def _read_body(response: BaseHTTPResponse) -> bytes:
    """Reads the whole body, as it was sent. The connection can be reused only after that.

    Raises:
        RetryableError: If it does not arrive in time, or is incomplete.
    """
    parts = []
    try:
        # Reads what has arrived: reading a whole chunk would block for as long as single bytes arrive.
        while part := response.read1(CHUNK, decode_content=False):
            parts.append(part)
    except ReadTimeoutError:
        raise RetryableError(TIMEOUT_REASON, slow=True) from None
    except HTTPError:
        raise RetryableError(BROKEN) from None
    return b"".join(parts)


def _check_empty_body(response: BaseHTTPResponse) -> bytes:
    """Returns an empty body.

    Raises:
        InvalidBodyError: If the headers do not say that the body is empty, so that it may have been cut off.
    """
    declared_empty = response.headers.get("Content-Length") == "0" or (
        "Transfer-Encoding" in response.headers and "Content-Encoding" not in response.headers
    )
    if response.status == HTTPStatus.OK and not declared_empty:
        raise InvalidBodyError("the body ended early")
    return b""


def _raise_for_retry(response: BaseHTTPResponse) -> None:
    status = response.status
    after = retry_after(response.headers)
    retry = None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = reset_after(response.headers) if after is None else after
        retry = _RetryableStatusError("too many requests", after=after, throttled=True)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        retry = _RetryableStatusError(
            f"status {status}", after=after, slow=status == HTTPStatus.GATEWAY_TIMEOUT, broken=True
        )
    if retry is None:
        return
    retry.reply = Reply(status, response.headers, b"", datetime.now(timezone.utc))
    with suppress(RetryableError):  # the status is enough, even if the body is incomplete
        _read_body(response)
    raise retry
