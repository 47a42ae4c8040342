"""The server around the application: one socket, one event loop, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hr_sandbox.http.traffic import TRANSPORT
from hr_sandbox.options import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import ASGIApp

    from hr_sandbox.options import Options

BACKLOG = 512
LOGGER = logging.getLogger("uvicorn.error")
KEEP_ALIVE = 75  # seconds; longer than clients keep a connection
PATIENCE = 1  # seconds that requests under way have at the end


class _Protocol(H11Protocol):
    """HTTP that hands its connection to the application, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Else every answer waits 40 ms for the client's acknowledgement: headers and body are two writes.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class Server(uvicorn.Server):
    """A sandbox that listens."""

    def __init__(self, app: ASGIApp, options: Options, on_ready: Callable[[str], None]) -> None:
        """Open the port.

        Args:
            app: what to serve.
            options: where to listen.
            on_ready: called with the address as soon as requests are answered.

        Raises:
            OptionError: the address cannot be listened on.
        """
        try:
            family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
            self._socket = socket.create_server((options.host, options.port), family=family, backlog=BACKLOG)
        except OSError as error:
            reason = error.strerror or "unknown host"
            raise OptionError(f"Cannot listen on {options.host} port {options.port}: {reason}.") from error
        host = f"[{options.host}]" if ":" in options.host else options.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._on_ready = on_ready
        config = uvicorn.Config(
            app,
            http=_Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=PATIENCE,
        )
        super().__init__(config)
        LOGGER.disabled = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._on_ready(self.url)

    def stop(self) -> None:
        """Stop soon; may be called from any thread."""
        LOGGER.disabled = True  # requests that are cut off now would be logged with tracebacks
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: the server's own way raises them again, and the exit code would not be 0."""
        yield

    def serve_until_stopped(self) -> None:
        """Serve in this thread until `stop`."""
        asyncio.run(self.serve(sockets=[self._socket]))

    def serve_until_signal(self) -> None:
        """Serve in the main thread until SIGINT or SIGTERM."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop)
            await self.serve(sockets=[self._socket])

        asyncio.run(main())
