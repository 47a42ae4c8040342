"""Sends POST requests over HTTP/1.1. Connections are kept for a short time; redirects are not followed."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

import h11

from hr_sandbox.options import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

Origin = tuple[str, int, bool]  # host, port, whether it uses TLS
PORTS = {"http": 80, "https": 443}
IDLE_SECONDS = 2  # less than servers keep idle connections, so that none closes in the middle of a request
CHUNK = 65_536
MAX_RESPONSE = 1_000_000
IN_PATHS = "/%:@!$&'()*+,;=~-._"
SIMULATED = ".example"  # addresses that cannot exist
HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


def split_address(url: object) -> SplitResult | None:
    """Returns the parts of an absolute http or https URL, or None for anything else."""
    if not isinstance(url, str) or any(letter.isspace() for letter in url):
        return None
    try:
        parts = urlsplit(url)
        valid = parts.scheme in PORTS and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if valid else None


def is_simulated(url: str) -> bool:
    """Returns whether requests to an address are only simulated."""
    parts = split_address(url)
    return parts is not None and (parts.hostname or "").endswith(SIMULATED)


def is_local(url: str) -> bool:
    """Returns whether an address is on this machine."""
    parts = split_address(url)
    return parts is not None and is_loopback(parts.hostname or "")


@cache
def _make_tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection = field(default_factory=lambda: h11.Connection(our_role=h11.CLIENT))
    idle_since: float = 0

    @property
    def is_usable(self) -> bool:
        return not self.reader.at_eof() and time.monotonic() - self.idle_since < IDLE_SECONDS


class Client:
    """Sends requests. Belongs to one event loop."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, list[_Connection]] = defaultdict(list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Sends a request and reads the whole response.

        Returns:
            The status.

        Raises:
            OSError: there was no connection.
            h11.RemoteProtocolError: the response was no HTTP, or ended early.
        """
        parts = urlsplit(url)
        origin = (parts.hostname or "", parts.port or PORTS[parts.scheme], parts.scheme == "https")
        connection = await self._connect(origin)
        try:
            target = quote(parts.path or "/", IN_PATHS) + (
                f"?{quote(parts.query, IN_PATHS + '?')}" if parts.query else ""
            )
            pairs = {"host": parts.netloc.rpartition("@")[2], **headers, "content-length": str(len(body))}
            await self._send(connection, h11.Request(method="POST", target=target, headers=list(pairs.items())), body)
            status = await self._read_status(connection)
        except BaseException:
            connection.writer.close()
            raise
        self._release(origin, connection)
        return status

    async def _connect(self, origin: Origin) -> _Connection:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                return connection
            connection.writer.close()
        host, port, secure = origin
        context = _make_tls_context() if secure else None
        return _Connection(*await asyncio.open_connection(host, port, ssl=context))

    @staticmethod
    async def _send(connection: _Connection, request: h11.Request, body: bytes) -> None:
        parts = (connection.state.send(part) for part in (request, h11.Data(data=body), h11.EndOfMessage()))
        connection.writer.write(b"".join(part for part in parts if part))
        await connection.writer.drain()

    @staticmethod
    async def _read_status(connection: _Connection) -> int:
        status = size = 0
        while True:
            event = connection.state.next_event()
            if event is h11.NEED_DATA:
                data = await connection.reader.read(CHUNK)
                size += len(data)
                if size > MAX_RESPONSE:
                    raise OSError("The response is too long.")
                connection.state.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.EndOfMessage):
                return status
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise OSError("The connection was closed.")

    def _release(self, origin: Origin, connection: _Connection) -> None:
        if connection.state.our_state is h11.DONE and connection.state.their_state is h11.DONE:
            connection.state.start_next_cycle()
            connection.idle_since = time.monotonic()
            self._idle[origin].append(connection)
        else:
            connection.writer.close()

    def close(self) -> None:
        """Closes all idle connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.writer.close()
        self._idle.clear()
