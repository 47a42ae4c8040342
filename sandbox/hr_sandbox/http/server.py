"""The HTTP server: one socket, one event loop, a clean shutdown."""

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
KEEP_ALIVE_SECONDS = 75  # seconds; longer than clients keep an idle connection
TICK_SECONDS = 1  # between updates of the Date header
SHUTDOWN_SECONDS = 1  # seconds that open requests get at shutdown


class _Protocol(H11Protocol):
    """HTTP/1.1 that exposes its connection to the application, so that a fault can close it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Without it each response waits 40 ms for an acknowledgement: headers and body are two writes.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class Server(uvicorn.Server):
    """Serves the application on one port."""

    def __init__(self, app: ASGIApp, options: Options, on_ready: Callable[[str], None]) -> None:
        """Opens the port, or raises OptionError. `on_ready` gets the address as soon as requests are answered."""
        try:
            family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
            self._socket = socket.create_server((options.host, options.port), family=family, backlog=BACKLOG)
        except OSError as error:
            reason = error.strerror or "unknown host"
            raise OptionError(f"Cannot listen on {options.host} port {options.port}: {reason}.") from error
        host = f"[{options.host}]" if ":" in options.host else options.host
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            app,
            http=_Protocol,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        super().__init__(config)
        LOGGER.disabled = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen, then calls `on_ready`."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self._on_ready(self.url)

    async def main_loop(self) -> None:
        """Waits until `stop` is called. The base class only looks ten times a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes idle connections. Only if there are others, waits for them as the base class does."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
        else:
            await self.lifespan.shutdown()
        for opened in sockets or ():
            opened.close()

    def stop(self) -> None:
        """Stops soon. May be called from any thread."""
        LOGGER.disabled = True  # requests that are cut off would be logged with tracebacks
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has stopped already
                self._loop.call_soon_threadsafe(self._stopping.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do not handle signals here: uvicorn would raise them again, and the exit code would not be 0."""
        yield

    def serve_until_stopped(self) -> None:
        """Serves in this thread until `stop` is called."""
        asyncio.run(self.serve(sockets=[self._socket]))

    def serve_until_signal(self) -> None:
        """Serves in the main thread until SIGINT or SIGTERM."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop)
            await self.serve(sockets=[self._socket])

        asyncio.run(main())
