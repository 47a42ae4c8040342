"""A loopback proxy between a tap and the sandbox that can modify or replace responses."""

from __future__ import annotations

import functools
import http.client
import re
import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

IDENTIFIER = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LATER_PAGE = re.compile(
    r"[?&](cursor|page|offset|after_id|\$?skiptoken|page_?token|page_?number)=(?!0&|1&|0$|1$)", re.IGNORECASE
)
"""Query parameters that request a later page."""

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
Headers = tuple[tuple[str, str], ...]


class ConnectionEnd(Enum):
    """Ways to end a connection."""

    CLOSED = "closed"
    RESET = "reset"


Step = bytes | float | ConnectionEnd
"""A step of sending a response: raw bytes, a delay in seconds, or the end of the connection."""


@dataclass(frozen=True)
class Request:
    """A request to the proxy.

    Args:
        method: The HTTP method.
        target: Path and query as sent.
        headers: Headers as sent.
        body: Body as sent.
        endpoint: Method and path, without identifiers.
        number: Number of earlier requests to this endpoint.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    endpoint: str
    number: int = 0

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Response:
    """A response, from the vendor or in place of it."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = "X"

    def find_header(self, name: str) -> str:
        """Returns a header's value. Empty if it is missing."""
        return next((text for key, text in self.headers if key.lower() == name), "")

    def with_headers(self, **changed: str) -> Response:
        """Returns a copy with changed headers. Underscores in names become hyphens."""
        names = {name.replace("_", "-"): text for name, text in changed.items()}
        kept = tuple((name, text) for name, text in self.headers if name.lower() not in names)
        return replace(self, headers=(*kept, *names.items()))

    def make_head(self, *more: str, length: int | None = -1) -> bytes:
        """Returns the status line, headers and blank line.

        Args:
            more: Additional raw header lines.
            length: Value of `Content-Length`. None: no such header; -1: the actual length.
        """
        content_length = len(self.body) if length == -1 else length
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {text}" for name, text in self.headers if name.lower() not in HOP_BY_HOP]
        lines += [] if content_length is None else [f"Content-Length: {content_length}"]
        return "\r\n".join([*lines, *more, "", ""]).encode("latin-1", "replace")

    def to_bytes(self) -> bytes:
        """Returns the complete response."""
        return self.make_head() + self.body


Interceptor = Callable[[Request, Callable[[], Response]], "Iterable[Step] | None"]
"""Returns the steps of the response, and may forward the request to the vendor. None: the vendor responds as usual."""


def endpoint_of(method: str, target: str) -> str:
    """Returns the method and the path of a request, without record identifiers."""
    parts = target.partition("?")[0].split("/")
    found = "/".join("{}" if IDENTIFIER.fullmatch(part) else re.sub(r"\(.*\)$", "()", part) for part in parts)
    return f"{method} {found}"


class Proxy:
    """A proxy on a free port. A context manager.

    Args:
        upstream: URL of the sandbox.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.interceptor: Interceptor | None = None
        self.stopped = threading.Event()
        self.last_token_request: float | None = None
        """Time of the last token request (`time.monotonic`)."""
        self.samples: dict[str, tuple[Request, Response]] = {}
        """By endpoint: the largest response so far and its request."""
        self._counts: Counter[str] = Counter()
        self._first_pages: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset_counts(self) -> None:
        """Resets the request counts."""
        with self._lock:
            self._counts.clear()
            self._first_pages.clear()

    def request_counts(self) -> dict[str, int]:
        """Returns the number of requests by endpoint."""
        with self._lock:
            return dict(self._counts)

    def first_page_counts(self) -> dict[str, int]:
        """Returns the number of requests for a first page by endpoint."""
        with self._lock:
            return dict(self._first_pages)

    def record_sample(self, request: Request, response: Response) -> Response:
        """Keeps a response as the sample of its endpoint if it is the largest so far."""
        with self._lock:
            known = self.samples.get(request.endpoint)
            if known is None or len(known[1].body) < len(response.body):
                self.samples[request.endpoint] = (request, response)
        return response

    def count_request(self, request: Request) -> Request:
        """Counts a request. Returns it with its number."""
        with self._lock:
            number = self._counts[request.endpoint]
            if request.method == "POST":
                self.last_token_request = time.monotonic()
            self._counts[request.endpoint] += 1
            self._first_pages[request.endpoint] += not LATER_PAGE.search(request.target)
        return replace(request, number=number)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores closed connections of killed taps."""


@dataclass
class _Upstream:
    """A persistent connection to the sandbox."""

    netloc: str
    connection: http.client.HTTPConnection | None = field(default=None)

    def send(self, request: Request) -> Response:
        for fresh in (False, True):
            connection = self.connection
            if connection is None or fresh:
                connection = self.connection = http.client.HTTPConnection(self.netloc)
            try:
                connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
                for name, text in request.headers:
                    if name.lower() not in HOP_BY_HOP:
                        connection.putheader(name, text)
                if request.body:
                    connection.putheader("Content-Length", str(len(request.body)))
                connection.endheaders(request.body or None)
                response = connection.getresponse()
                return Response(response.status, tuple(response.getheaders()), response.read(), response.reason)
            except (http.client.HTTPException, OSError):
                connection.close()
                self.connection = None
                if fresh:
                    raise
        raise AssertionError

    def close(self) -> None:
        if self.connection:
            self.connection.close()


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        upstream = _Upstream(self.server.proxy.upstream)
        try:
            with suppress(OSError):
                while self._handle_request(upstream):
                    pass
        finally:
            upstream.close()

    def _handle_request(self, upstream: _Upstream) -> bool:
        """Handles one request. Returns whether the connection stays open."""
        request = self._read_request()
        if request is None:
            return False
        proxy = self.server.proxy
        if request.target.startswith("/_control/"):
            self.connection.sendall(upstream.send(request).to_bytes())
            return True
        request = proxy.count_request(request)
        forward = functools.cache(lambda: proxy.record_sample(request, upstream.send(request)))
        steps = proxy.interceptor(request, forward) if proxy.interceptor else None
        for step in [forward().to_bytes()] if steps is None else steps:
            if isinstance(step, bytes):
                self.connection.sendall(step)
            elif isinstance(step, float):
                proxy.stopped.wait(step)
            else:
                if step is ConnectionEnd.RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        return not proxy.stopped.is_set()

    def _read_request(self) -> Request | None:
        line = self.rfile.readline().decode("latin-1").split()
        if len(line) != 3:  # noqa: PLR2004 - method, target, version
            return None
        headers = []
        while text := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = self.rfile.read(length)
        return Request(line[0], line[1], tuple(headers), body, endpoint_of(line[0], line[1]))
