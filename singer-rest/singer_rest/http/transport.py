"""Sends one request: authenticated, with a time-out, over a connection kept open per worker."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from singer_rest.errors import RetryableError, RunError, TapError
from singer_rest.http.connections import Adapter, ending_by
from singer_rest.http.headers import _check_headers
from singer_rest.http.rate_limits import MAX_WAIT, RateLimiter, reset_after, retry_after
from singer_rest.http.request import Reply, Request
from singer_rest.http.retries import remaining_budget
from singer_rest.http.unpacking import ENCODINGS, BrokenBody, UnknownEncoding, decompress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest.http.auth import Authenticator

# What it says at lower levels, and of headers that it cannot read, holds whole addresses: with ids, with cursors.
logging.getLogger("urllib3").setLevel(logging.ERROR)


CHUNK = 256 * 1024
TIMEOUTS_PER_ANSWER = 5
"""Each part of an answer may come in time, and yet the whole of it never."""
CONNECT_SECONDS = 60.0
"""Seconds to wait for a connection at most; a host may have several addresses."""
LATE = "no answer in time"
ODD_ANSWERS = (
    (requests.TooManyRedirects, "it leads from one address to the next"),
    (requests.exceptions.InvalidHeader, "the answer's headers contradict each other"),  # those sent are checked before
    (requests.exceptions.ContentDecodingError, "the body could not be decompressed"),
)


class Transport:
    """The tap's way to the vendor's host; safe to use from many threads.

    Args:
        api_url: The host, with scheme and without a slash at its end. Tokens go nowhere else.
        headers: Sent with each request.
        timeout: Seconds to wait for a connection and for each part of an answer; the whole has five times as long.
        pacer: Learns from the answers' headers.
        public: Whether no token is ever sent, so that a redirect may be followed.
        max_wait: Seconds for which a limit may hold back requests that no scheduler repeats.
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
    ) -> None:
        self.api_url = api_url
        self._public = public
        self.rate_limiter = rate_limiter
        self.max_wait = max_wait
        self._headers = headers
        self._timeout = timeout
        self._local = threading.local()

    def send(self, request: Request, authenticator: Authenticator | None) -> Reply:
        """Send a request once, and once more with a renewed token where a 401 asks for it.

        Returns:
            The answer, whatever its status below 500 but 429.

        Raises:
            Retry: If it may be sent again.
            TapError: If it cannot be sent, or its answer cannot be read.
            RunError: If no token can be had.
        """
        if authenticator is None:
            return self.send_once(request, {})
        token = authenticator.token()
        reply = self.send_once(request, authenticator.headers(token))
        if reply.status in authenticator.refusals and (renewed := authenticator.renew(request.endpoint, token)):
            reply = self.send_once(request, authenticator.headers(renewed))
            if reply.status in authenticator.refusals:
                authenticator.refused_fresh_token(request.endpoint)
        if reply.status < HTTPStatus.BAD_REQUEST:
            authenticator.answered(request.endpoint)
        return reply

    def send_once(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """Send a request once with these headers; a 401 is an answer like another.

        Raises:
            Retry: If it may be sent again.
            TapError: If it cannot be sent, or its answer cannot be read.
        """
        content_type = {} if request.body is None else {"Content-Type": "application/json"}
        return self._send(
            request.method,
            request.path,
            request.endpoint,
            params=request.params,
            data=request.body,
            headers={**headers, **content_type, **dict(request.headers)},
        )

    def post(self, path: str, **kwargs: Any) -> Reply:
        """Send a POST without a token, as token endpoints want it; `kwargs` are those of requests.

        Raises:
            Retry: If it may be sent again.
            TapError: If it cannot be sent, or its answer cannot be read.
        """
        return self._send("POST", path, path, **kwargs)

    def _send(self, method: str, path: str, endpoint: str, **kwargs: Any) -> Reply:
        _check_headers({**self._headers, **kwargs.get("headers", {})}, endpoint)
        seconds = min(TIMEOUTS_PER_ANSWER * self._timeout, remaining_budget())
        if seconds <= 0:
            raise RetryableError(LATE, slow=True)
        with ending_by(time.monotonic() + seconds):
            response = self._answer(method, path, endpoint, min(self._timeout, seconds), kwargs)
            self.rate_limiter.update(endpoint, response.headers)
            _raise_for_retry(response)
            body = _body(response)
        try:
            body = decompress(body, response.headers.get("Content-Encoding") or "") if body else _empty(response)
        except BrokenBody as error:
            raise RetryableError(str(error), broken=True) from None
        except UnknownEncoding:
            raise TapError(
                f"{endpoint} answered in an encoding that was not asked for (asked for: {', '.join(ENCODINGS)}). Check "
                "what stands between this machine and the vendor, such as a proxy."
            ) from None
        return Reply(response.status_code, response.headers, body, datetime.now(timezone.utc))

    def _answer(
        self, method: str, path: str, endpoint: str, timeout: float, kwargs: dict[str, Any]
    ) -> requests.Response:
        try:
            # A redirect could carry the token to another host, or end at a login page.
            return self._session().request(
                method,
                self.api_url + path,
                timeout=(min(timeout, CONNECT_SECONDS), timeout),
                allow_redirects=self._public,
                stream=True,
                **kwargs,
            )
        except (requests.RequestException, HTTPError, ValueError, OSError) as error:
            raise _explained(error, endpoint) from None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update({**self._headers, "Accept-Encoding": ", ".join(ENCODINGS)})
            for scheme in ("http://", "https://"):
                session.mount(scheme, Adapter())
            # A .netrc must not replace the token's header.
            session.auth = _keep_headers
        return session


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _explained(error: Exception, endpoint: str) -> Exception:
    """What to raise where a request had no answer."""
    if isinstance(error, requests.exceptions.SSLError):
        return RunError(
            "The host's certificate cannot be trusted. Check `api_url`, or name your own authority's file in the "
            "environment variable REQUESTS_CA_BUNDLE."
        )
    if isinstance(error, requests.Timeout):
        return RetryableError(LATE, slow=not isinstance(error, requests.ConnectTimeout))
    if reason := next((reason for kind, reason in ODD_ANSWERS if isinstance(error, kind)), None):
        return RetryableError(reason)
    if isinstance(error, ValueError):
        return TapError(f"{endpoint} leads to an address that cannot be used. Check the address in the settings.")
    if isinstance(error, (requests.RequestException, HTTPError)):
        return RetryableError("the connection broke")
    return RunError(
        "The certificates that hosts are checked by cannot be read. Check the environment variables "
        "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
    )


def _body(response: requests.Response) -> bytes:
    """The whole body, as it was sent. Only where it came to its end can the connection be used again.

    Raises:
        Retry: If it is not there in time, or not whole.
    """
    parts = []
    try:
        # What is there is taken as it comes: a read of a whole part would wait for that as long as bytes drip.
        while part := response.raw.read1(CHUNK, decode_content=False):
            parts.append(part)
    except ReadTimeoutError:
        raise RetryableError(LATE, slow=True) from None
    except HTTPError:
        raise RetryableError("the connection broke") from None
    return b"".join(parts)


def _empty(response: requests.Response) -> bytes:
    """The body where nothing came.

    Raises:
        BrokenBody: If the headers do not tell that there is none: even they may have been cut off.
    """
    told = response.headers.get("Content-Length") == "0" or (
        "Transfer-Encoding" in response.headers and "Content-Encoding" not in response.headers
    )
    if response.status_code == HTTPStatus.OK and not told:
        raise BrokenBody("the body ended early")
    return b""


def _raise_for_retry(response: requests.Response) -> None:
    status = response.status_code
    after = retry_after(response.headers)
    retry = None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = reset_after(response.headers) if after is None else after
        retry = RetryableError("too many requests", after=after, throttled=True)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        retry = RetryableError(f"status {status}", after=after, slow=status == HTTPStatus.GATEWAY_TIMEOUT, broken=True)
    if retry is None:
        return
    with suppress(RetryableError):  # its status says enough, however it ends
        _body(response)
    raise retry
