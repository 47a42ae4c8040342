"""A local server that receives the response to a login through the browser."""

from __future__ import annotations

import hmac
import socket
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from singer_rest import RunError
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
IDLE_SECONDS = 10
"""Browsers open connections that they may never use."""


def can_serve(redirect_uri: str) -> bool:
    """Whether the address leads to this machine, without TLS."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in HOSTS


def has_state(params: dict[str, str], state: str) -> bool:
    """Whether the parameters of a response belong to the login with this state."""
    return hmac.compare_digest(params.get("state", "").encode(), state.encode())


@contextmanager
def listen_for_redirect(redirect_uri: str, state: str) -> Iterator[Callable[[float], dict[str, str]]]:
    """Listens at the address to which the browser will be redirected.

    Args:
        redirect_uri: The address.
        state: The state that the response must repeat; other responses are ignored.

    Yields:
        A function that waits a number of seconds for the response, a code or an error, and returns its parameters.

    Raises:
        RunError: If the port is in use. The function raises it if there is no response.
    """
    redirects: SimpleQueue[dict[str, str]] = SimpleQueue()
    try:
        server = _Server(redirect_uri, state, redirects)
    except OSError:
        raise RunError(
            "The port of the redirect URI is in use. Register another address with the application in "
            "Factorial and pass it as --redirect-uri, or log in with --paste."
        ) from None

    def wait_for_redirect(seconds: float) -> dict[str, str]:
        try:
            return redirects.get(timeout=seconds)
        except Empty:
            raise RunError(
                "Nobody agreed in time. Run the login again, with a longer --timeout, or with --paste if the browser "
                "runs on another machine."
            ) from None

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield wait_for_redirect
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, redirect_uri: str, state: str, redirects: SimpleQueue[dict[str, str]]) -> None:
        parts = urlsplit(redirect_uri)
        if parts.hostname == "::1":
            self.address_family = socket.AF_INET6
        self.path = parts.path or "/"
        self.state = state
        self._redirects = redirects
        self._one = threading.Lock()
        super().__init__(("::1" if parts.hostname == "::1" else "127.0.0.1", parts.port or 80), _Handler)

    def is_response(self, path: str, params: dict[str, str]) -> bool:
        """Whether this is the first response of the login."""
        is_answer = path == self.path and has_state(params, self.state) and bool(params.keys() & {"code", "error"})
        return is_answer and self._one.acquire(blocking=False)

    def deliver(self, params: dict[str, str]) -> None:
        """Passes the parameters of the redirect to the waiting thread."""
        self._redirects.put(params)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores closed connections."""


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Handles the redirect, and responds with 404 to all other requests."""
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        if self.server.is_response(url.path, params):
            try:
                self._respond(HTTPStatus.OK, "You can close this window and go back to the terminal.")
            finally:
                self.server.deliver(params)
        else:
            self._respond(HTTPStatus.NOT_FOUND, "This does not belong to the current login.")

    def _respond(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the address holds the code."""
