"""Connections with a deadline for the whole response, headers and body.

A socket's time-out applies to each read, so a response that arrives byte by byte would never time out.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from typing_extensions import Buffer

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def ending_by(deadline: float) -> Iterator[None]:
    """Sets a deadline, by the monotonic clock, for this thread's reads in the block. Raises `TimeoutError` after it."""
    reset = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(reset)


class Adapter(HTTPAdapter):
    """The transport adapter that uses these connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Creates the pools."""
        super().init_poolmanager(*args, **kwargs)
        _use_own_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Creates the pools of a proxy. Those of a SOCKS proxy are unchanged."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        if type(manager) is ProxyManager:
            _use_own_pools(manager)
        return manager


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
        self._sock.settimeout(left if timeout is None else min(timeout, left))
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
