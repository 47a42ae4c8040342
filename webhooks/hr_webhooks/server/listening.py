"""Sockets, TLS and the HTTP server: uvicorn, with the limits that it lacks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hr_webhooks.errors import ConfigError
from hr_webhooks.private_files import refuse_exposed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

BACKLOG = 1024
HANDSHAKE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75  # longer than reverse proxies keep an idle connection, so that they do not lose a request
MAX_CONNECTIONS = 800  # below the usual limit of 1024 open files
MAX_HEADER_BYTES = 16 * 1024
MAX_CHUNKS = 1000  # of a body, besides one for each MIN_CHUNK_BYTES
MIN_CHUNK_BYTES = 64
PIECE_BYTES = 4096  # of headers, parsed at a time
SHUTDOWN_SECONDS = 15  # for requests that are under way
TICK_SECONDS = 1.0
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _Connection(h11.Connection):
    """A connection whose bodies may not have arbitrarily many chunks: parsing one takes as long as parsing 10 KB."""

    _chunks = 0
    _bytes = 0

    def next_event(self) -> Any:  # noqa: ANN401 - as the base class
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._chunks += 1
            self._bytes += len(event.data)
            if self._chunks > MAX_CHUNKS + self._bytes // MIN_CHUNK_BYTES:
                raise h11.RemoteProtocolError("The body has too many chunks.")
        elif isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        return event


class _Protocol(H11Protocol):
    """HTTP/1.1 with limits of connections and chunks and a deadline for headers, none of which uvicorn has."""

    def __init__(self, *args: Any, seconds: float, on_refused: Callable[[], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Connection(h11.SERVER, MAX_HEADER_BYTES)
        self._seconds = seconds  # from the first byte of a request, or the connection, to the end of the headers
        self._on_refused = on_refused
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._on_refused()
            transport.write(_BUSY)
            transport.close()
            return
        # Without it an answer may wait 40 ms for an acknowledgement: headers and body are two writes.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._deadline = self.loop.call_later(self._seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        try:
            # h11 compares with the limit only what is incomplete.
            while self.conn.their_state is h11.IDLE and len(data) > PIECE_BYTES:
                super().data_received(data[:PIECE_BYTES])
                data = data[PIECE_BYTES:]
            if not self.transport.is_closing():
                super().data_received(data)
        except h11.LocalProtocolError:  # bytes that are no HTTP, after an answer has begun
            self.transport.abort()
        if self.conn.their_state is not h11.IDLE:
            self._cancel_deadline()
        elif self._deadline is None and self.conn.trailing_data[0]:
            self._deadline = self.loop.call_later(self._seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """Serves an application on a socket until `stop` is called.

    Args:
        app: The ASGI application.
        listener: The socket.
        context: TLS; None: HTTP without encryption.
        seconds: The time to receive the headers of a request.
        on_refused: Called for each connection beyond the limit.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - the types of ASGI differ between libraries
        listener: socket.socket,
        context: ssl.SSLContext | None = None,
        *,
        seconds: float = HANDSHAKE_SECONDS,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        super().__init__(config)
        self._protocol = partial(_Protocol, seconds=seconds, on_refused=on_refused)
        self._listener = listener
        self._context = context
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - as the base class
        """Starts to listen, which the base class does without a deadline for the TLS handshake."""
        await self.lifespan.startup()
        create = partial(self._protocol, self.config, self.server_state, {})
        server = await asyncio.get_running_loop().create_server(
            create,
            sock=self._listener,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._context else None,
            backlog=BACKLOG,
        )
        self.servers = [server]
        self.started = True
        self.ready.set()

    async def main_loop(self) -> None:
        """Waits until `stop` is called."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK_SECONDS)

    def stop(self) -> None:
        """Stops after the requests that are under way."""
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Does not handle signals, which `run` does for both servers."""
        yield


def parse_listen(text: str) -> tuple[str, int]:
    """Returns the host and port of a setting such as `127.0.0.1:8080` or `[::1]:8080`.

    Raises:
        ConfigError: If it is not of this form.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise ConfigError(f"{text!r} is not a host and a port such as 127.0.0.1:8080.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def open_socket(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        ConfigError: If the address cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host} port {port}: {error.strerror or 'unknown host'}.") from None


def url_of(listener: socket.socket, scheme: str) -> str:
    """Returns the URL of a socket, such as `http://127.0.0.1:8080`."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Certificate:
    """A certificate that is loaded again when its file changes, as renewals do.

    Args:
        certificate: The chain in PEM format.
        key: The private key.

    Raises:
        ConfigError: If they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._look()
        self._load()

    def reload(self) -> bool:
        """Loads the files again if they have changed, for new connections.

        Returns:
            Whether they have changed.

        Raises:
            ConfigError: If they cannot be used. The former certificate remains.
        """
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(trial)  # a certificate without its key would break the context that is in use
        self._load()
        return True

    def _look(self) -> list[tuple[int, int, int]]:
        found = []
        for path in (self._certificate, self._key):
            with contextlib.suppress(OSError):
                status = os.stat(path)  # noqa: PTH116 - each second
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return found

    def _load(self, context: ssl.SSLContext | None = None) -> None:
        try:
            refuse_exposed(self._key, self._key.stat())
            (context or self.context).load_cert_chain(self._certificate, self._key, password="")
        except ssl.SSLError as error:
            reason = error.reason or "unknown format"
            raise ConfigError(
                f"{self._certificate} and {self._key} are not a certificate and its key: {reason}."
            ) from None
        except OSError as error:
            raise ConfigError(f"The certificate or its key cannot be read: {error.strerror}.") from None
