"""Sends one request: authenticated, with a time-out, over a connection kept open per worker."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from singer_rest.errors import Retry, RunError, TapError
from singer_rest.pacing import Pacer, reset_after, retry_after
from singer_rest.pages import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest.auth import Authenticator

# What it says at lower levels, and of headers that it cannot read, holds whole addresses: with ids, with cursors.
logging.getLogger("urllib3").setLevel(logging.ERROR)


CHUNK = 256 * 1024
TIMEOUTS_PER_ANSWER = 5
"""Each part of an answer may come in time, and yet the whole of it never."""


class Transport:
    """The tap's way to the vendor's host; safe to use from many threads.

    Args:
        api_url: The host, with scheme and without a slash at its end. Tokens go nowhere else.
        headers: Sent with each request.
        timeout: Seconds to wait for a connection and for each part of an answer; the whole has five times as long.
        pacer: Learns from the answers' headers.
        public: Whether no token is ever sent, so that a redirect may be followed.
    """

    def __init__(
        self, api_url: str, headers: Mapping[str, str], timeout: float, pacer: Pacer, *, public: bool = False
    ) -> None:
        self.api_url = api_url
        self._public = public
        self.pacer = pacer
        self._headers = headers
        self._timeout = timeout
        self._local = threading.local()

    def get(self, request: Request, authenticator: Authenticator | None) -> Reply:
        """Send a request once, and once more with a renewed token where a 401 asks for it.

        Returns:
            The answer, whatever its status below 500 but 429.

        Raises:
            Retry: If it may be sent again.
            RunError: If no token can be had.
        """
        if authenticator is None:
            return self.get_once(request, {})
        token = authenticator.token()
        reply = self.get_once(request, authenticator.headers(token))
        if reply.status in authenticator.refusals and (renewed := authenticator.renew(request.endpoint, token)):
            reply = self.get_once(request, authenticator.headers(renewed))
            if reply.status in authenticator.refusals:
                authenticator.refused_fresh_token(request.endpoint)
        if reply.status < HTTPStatus.BAD_REQUEST:
            authenticator.answered(request.endpoint)
        return reply

    def get_once(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """Send a request once with these headers; a 401 is an answer like another.

        Raises:
            Retry: If it may be sent again.
        """
        headers = {**headers, **dict(request.headers)}
        return self._send("GET", request.path, request.endpoint, params=request.params, headers=headers)

    def post(self, path: str, **kwargs: Any) -> Reply:
        """Send a POST without a token, as token endpoints want it; `kwargs` are those of requests.

        Raises:
            Retry: If it may be sent again.
        """
        return self._send("POST", path, path, **kwargs)

    def _send(self, method: str, path: str, endpoint: str, **kwargs: Any) -> Reply:
        session = self._session()
        deadline = time.monotonic() + TIMEOUTS_PER_ANSWER * self._timeout
        try:
            # A redirect could carry the token to another host, or end at a login page.
            response = session.request(
                method,
                self.api_url + path,
                timeout=self._timeout,
                allow_redirects=self._public,
                stream=True,
                **kwargs,
            )
        except requests.TooManyRedirects:
            raise Retry("it leads from one address to the next") from None
        except requests.exceptions.SSLError:
            raise RunError(
                "The host's certificate cannot be trusted. Check `api_url`, or name your own authority's file in the "
                "environment variable REQUESTS_CA_BUNDLE."
            ) from None
        except requests.Timeout as error:
            raise Retry("no answer in time", slow=not isinstance(error, requests.ConnectTimeout)) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, ValueError):
            raise TapError(
                f"{endpoint} leads to an address that cannot be used. Check the address in the settings."
            ) from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            raise Retry("the connection broke") from None
        except requests.exceptions.ContentDecodingError:
            raise Retry("the body could not be unpacked") from None
        self.pacer.learn(endpoint, response.headers)
        body = _body(response, deadline)
        _raise_for_retry(response)
        return Reply(response.status_code, response.headers, body, datetime.now(timezone.utc))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update(self._headers)
            # A .netrc must not replace the token's header.
            session.auth = _keep_headers
        return session


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _body(response: requests.Response, deadline: float) -> bytes:
    """The whole body, unpacked. Only where it came to its end can the connection be used again.

    Raises:
        Retry: If it is not there in time, or not whole.
    """
    parts = []
    try:
        # What is there is taken as it comes: a read of a whole part would wait for that as long as bytes drip.
        while part := response.raw.read1(CHUNK, decode_content=True):
            parts.append(part)
            if time.monotonic() > deadline:
                response.close()
                raise Retry("no answer in time", slow=True)
    except ReadTimeoutError:
        raise Retry("no answer in time", slow=True) from None
    except DecodeError:
        raise Retry("the body could not be unpacked") from None
    except HTTPError:
        raise Retry("the connection broke") from None
    return b"".join(parts)


def _raise_for_retry(response: requests.Response) -> None:
    status = response.status_code
    after = retry_after(response.headers)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = reset_after(response.headers) if after is None else after
        raise Retry("too many requests", after=after, throttled=True)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        raise Retry(f"status {status}", after=after, slow=status == HTTPStatus.GATEWAY_TIMEOUT)
