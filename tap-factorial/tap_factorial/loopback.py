"""A server on this machine that takes the one answer which a login sends through the browser."""

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


def belongs(given: dict[str, str], state: str) -> bool:
    """Whether what the browser brings answers the login that has this state."""
    return hmac.compare_digest(given.get("state", "").encode(), state.encode())


@contextmanager
def listening(redirect_uri: str, state: str) -> Iterator[Callable[[float], dict[str, str]]]:
    """Listen at the address to which the browser will be sent.

    Args:
        redirect_uri: The address.
        state: What the answer must repeat; others are passed over.

    Yields:
        The function that waits so many seconds for the answer, a code or an error, and gives its parameters.

    Raises:
        RunError: If the port is taken; by the function, if no answer comes.
    """
    answers: SimpleQueue[dict[str, str]] = SimpleQueue()
    try:
        server = _Server(redirect_uri, state, answers)
    except OSError:
        raise RunError(
            "The port of the redirect URI cannot be listened at: something else has it. Register another address with "
            "the application in Factorial and name it with --redirect-uri, or log in with --paste."
        ) from None

    def wait(seconds: float) -> dict[str, str]:
        try:
            return answers.get(timeout=seconds)
        except Empty:
            raise RunError(
                "Nobody agreed in time. Run the login again, with a longer --timeout or with --paste where the browser "
                "runs on another machine."
            ) from None

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield wait
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, redirect_uri: str, state: str, answers: SimpleQueue[dict[str, str]]) -> None:
        parts = urlsplit(redirect_uri)
        if parts.hostname == "::1":
            self.address_family = socket.AF_INET6
        self.path = parts.path or "/"
        self.state = state
        self._answers = answers
        self._one = threading.Lock()
        super().__init__(("::1" if parts.hostname == "::1" else "127.0.0.1", parts.port or 80), _Handler)

    def takes(self, path: str, given: dict[str, str]) -> bool:
        """Whether this is the answer, and the first."""
        is_answer = path == self.path and belongs(given, self.state) and bool(given.keys() & {"code", "error"})
        return is_answer and self._one.acquire(blocking=False)

    def hand_on(self, given: dict[str, str]) -> None:
        """Give the answer to who waits for it."""
        self._answers.put(given)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a browser went away."""


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Take the answer; for all else there is nothing here."""
        url = urlsplit(self.path)
        given = dict(parse_qsl(url.query))
        if self.server.takes(url.path, given):
            try:
                self._say(HTTPStatus.OK, "You can close this window and go back to the terminal.")
            finally:
                self.server.hand_on(given)
        else:
            self._say(HTTPStatus.NOT_FOUND, "Nothing here belongs to the login that is under way.")

    def _say(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the address holds the code."""
