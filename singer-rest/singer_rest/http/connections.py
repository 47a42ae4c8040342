"""Connections with a deadline for the whole response, headers and body, and sessions that use them.

A socket's time-out applies to each read, so a response that arrives byte by byte would never time out.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, lru_cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from singer_rest.http.trust import trusted_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence
    from ssl import SSLContext

    from typing_extensions import Buffer
    from urllib3 import BaseHTTPResponse

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def limit_reads(deadline: float) -> Iterator[None]:
    """Sets a deadline, by the monotonic clock, for this thread's reads in the block. Raises `TimeoutError` after it."""
    reset = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(reset)


class Adapter(HTTPAdapter):
    """The transport adapter whose connections obey the deadline, and trust the system's authorities."""

    @cached_property
    def _context(self) -> SSLContext:
        """The context of this adapter. A shared one would let only one thread at a time set up a connection."""
        return trusted_context()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Creates the connection pools."""
        super().init_poolmanager(*args, **kwargs)
        _use_own_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        """Creates the connection pools of a proxy. A SOCKS proxy keeps its own pools, without the deadline."""
        if proxy.lower().startswith("https://"):
            kwargs["proxy_ssl_context"] = self._context
        manager: ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        if type(manager) is ProxyManager:
            _use_own_pools(manager)
        return manager

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: bool | str, *args: Any) -> Any:  # noqa: ANN401, FBT001 - the signature of requests
        """Returns what a pool is looked up by. `verify` is a path if the environment names the only authorities."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, *args)
        if verify is True and host["scheme"] == "https":
            pool["ssl_context"] = self._context
        return host, pool

    def cert_verify(self, conn: HTTPConnectionPool, url: str, verify: bool | str, *args: Any) -> None:  # noqa: FBT001 - the signature of requests
        """Sets the certificates of a pool whose context does not have them."""
        if verify is not True:
            super().cert_verify(conn, url, verify, *args)  # type: ignore[no-untyped-call]


class HostAdapter(Adapter):
    """The adapter for a single host. It looks up the host's pool once, and returns urllib3's responses."""

    def __init__(self) -> None:
        super().__init__()
        self._pool: Any = None
        self._is_verified = False

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a pool of urllib3
        """Returns the pool of the host, or of its proxy."""
        self._pool = self._pool or super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Sets the certificates of the pool."""
        if not self._is_verified:
            super().cert_verify(*args, **kwargs)
            self._is_verified = True

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Returns the request target: the path, or the whole URL if a proxy needs it."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> BaseHTTPResponse:  # type: ignore[override]  # noqa: ARG002
        """Returns urllib3's response."""
        return resp


class HostSession(Session):
    """A session for one host.

    Args:
        headers: Sent with each request.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers.update(headers)
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter())
        # A .netrc must not replace the header with the token.
        self.auth = _add_no_credentials
        self._base_headers = {name: str(value) for name, value in self.headers.items()}
        self._environment: Any = None
        self._host_adapter = HostAdapter()

    def send_to_host(
        self,
        method: str,
        url: str,
        *,
        params: Sequence[tuple[str, str]],
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
    ) -> BaseHTTPResponse:
        """Sends a request as `request` does, in less than half of the time, and follows no redirect.

        `request` looks up the environment's proxies and certificates and their pool each time, merges all settings of
        the session, prepares a redirect and wraps the response.
        """
        settings = self._environment or self.merge_environment_settings(url, {}, True, None, None)  # noqa: FBT003
        self._environment = settings
        request = PreparedRequest()
        request.method = method
        request.headers = CaseInsensitiveDict({**self._base_headers, **headers})
        request.url = _prepare_url(url)
        if params and ("?" in request.url or "#" in request.url):
            request.prepare_url(url, params)
        elif params:
            request.url += f"?{urlencode(params)}"
        if self.cookies:
            request.prepare_cookies(self.cookies)
        request.body = data
        request.prepare_content_length(data)
        response: BaseHTTPResponse = self._host_adapter.send(request, timeout=timeout, **settings)  # type: ignore[assignment]
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(self.cookies, request, response)  # type: ignore[no-untyped-call]
        return response


@lru_cache(maxsize=256)
def _prepare_url(url: str) -> str:
    request = PreparedRequest()
    request.prepare_url(url, None)
    return request.url or ""


def _add_no_credentials(request: PreparedRequest) -> PreparedRequest:
    return request


class _TimedReads(io.RawIOBase):
    """Reads from a socket, each time for at most the time left."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        timeout, deadline = self._sock.gettimeout(), _deadline.get()
        if deadline is None:
            return self._raw.readinto(buffer)
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if timeout is not None and timeout <= left:
            return self._raw.readinto(buffer)
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(timeout)  # the next request reuses the socket

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReads(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _use_own_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
