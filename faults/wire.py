"""A proxy on loopback between a tap and the sandbox, which may answer in the vendor's place, or badly."""

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
PAGE = re.compile(
    r"[?&](cursor|page|offset|after_id|\$?skiptoken|page_?token|page_?number)=(?!0&|1&|0$|1$)", re.IGNORECASE
)
"""In a query: another page than the first."""

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
Headers = tuple[tuple[str, str], ...]


class End(Enum):
    """How a connection ends."""

    CLOSED = "closed"
    RESET = "reset"


Step = bytes | float | End
"""What goes back: bytes as they are, seconds to wait, an end of the connection."""


@dataclass(frozen=True)
class Asked:
    """A request that passes.

    Args:
        method: Such as GET.
        target: Path and query, as they were sent.
        headers: As they were sent.
        body: As it was sent.
        endpoint: Method and path, without identifiers.
        number: How many of this endpoint came before it.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    endpoint: str
    number: int = 0

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """An answer, of the vendor's or instead of it."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = "X"

    def header(self, name: str) -> str:
        """A header's text; empty where there is none."""
        return next((text for key, text in self.headers if key.lower() == name), "")

    def having(self, **changed: str) -> Reply:
        """The same with other headers; underscores stand for hyphens."""
        names = {name.replace("_", "-"): text for name, text in changed.items()}
        kept = tuple((name, text) for name, text in self.headers if name.lower() not in names)
        return replace(self, headers=(*kept, *names.items()))

    def head(self, *more: str, length: int | None = -1) -> bytes:
        """The status line and headers, with the blank line behind them.

        Args:
            more: Further lines, as they are.
            length: What `Content-Length` says; None: there is none; -1: the truth.
        """
        told = len(self.body) if length == -1 else length
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {text}" for name, text in self.headers if name.lower() not in HOP_BY_HOP]
        lines += [] if told is None else [f"Content-Length: {told}"]
        return "\r\n".join([*lines, *more, "", ""]).encode("latin-1", "replace")

    def whole(self) -> bytes:
        """All of it."""
        return self.head() + self.body


Meddle = Callable[[Asked, Callable[[], Reply]], "Iterable[Step] | None"]
"""Says what goes back for a request, and may ask the vendor for its answer; None: that answer, as it is."""


def endpoint_of(method: str, target: str) -> str:
    """Method and path without what names a record."""
    parts = target.partition("?")[0].split("/")
    found = "/".join("{}" if IDENTIFIER.fullmatch(part) else re.sub(r"\(.*\)$", "()", part) for part in parts)
    return f"{method} {found}"


class Proxy:
    """A proxy on a free port; a context manager.

    Args:
        upstream: The sandbox's address.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.meddle: Meddle | None = None
        self.stopped = threading.Event()
        self.token_at: float | None = None
        """When a token was last asked for (`time.monotonic`)."""
        self.samples: dict[str, tuple[Asked, Reply]] = {}
        """By endpoint: the request whose answer was the largest so far, and that answer."""
        self._seen: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()
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

    def clear(self) -> None:
        """Count requests from here on."""
        with self._lock:
            self._seen.clear()
            self._opened.clear()

    def asked(self) -> dict[str, int]:
        """Requests by endpoint."""
        with self._lock:
            return dict(self._seen)

    def opened(self) -> dict[str, int]:
        """Requests by endpoint that ask for no further page."""
        with self._lock:
            return dict(self._opened)

    def noted(self, asked: Asked, reply: Reply) -> Reply:
        """Keep an answer as a sample of what its endpoint answers."""
        with self._lock:
            known = self.samples.get(asked.endpoint)
            if known is None or len(known[1].body) < len(reply.body):
                self.samples[asked.endpoint] = (asked, reply)
        return reply

    def counted(self, asked: Asked) -> Asked:
        """A request with its number."""
        with self._lock:
            number = self._seen[asked.endpoint]
            if asked.method == "POST":
                self.token_at = time.monotonic()
            self._seen[asked.endpoint] += 1
            self._opened[asked.endpoint] += not PAGE.search(asked.target)
        return replace(asked, number=number)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone: that is what taps that are killed do."""


@dataclass
class _Upstream:
    """The connection to the sandbox, kept open."""

    netloc: str
    connection: http.client.HTTPConnection | None = field(default=None)

    def ask(self, asked: Asked) -> Reply:
        for fresh in (False, True):
            connection = self.connection
            if connection is None or fresh:
                connection = self.connection = http.client.HTTPConnection(self.netloc)
            try:
                connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
                for name, text in asked.headers:
                    if name.lower() not in HOP_BY_HOP:
                        connection.putheader(name, text)
                if asked.body:
                    connection.putheader("Content-Length", str(len(asked.body)))
                connection.endheaders(asked.body or None)
                answer = connection.getresponse()
                return Reply(answer.status, tuple(answer.getheaders()), answer.read(), answer.reason)
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
                while self._one(upstream):
                    pass
        finally:
            upstream.close()

    def _one(self, upstream: _Upstream) -> bool:
        """Answer one request; whether another may follow."""
        asked = self._read()
        if asked is None:
            return False
        proxy = self.server.proxy
        if asked.target.startswith("/_control/"):
            self.connection.sendall(upstream.ask(asked).whole())
            return True
        asked = proxy.counted(asked)
        ask = functools.cache(lambda: proxy.noted(asked, upstream.ask(asked)))
        steps = proxy.meddle(asked, ask) if proxy.meddle else None
        for step in [ask().whole()] if steps is None else steps:
            if isinstance(step, bytes):
                self.connection.sendall(step)
            elif isinstance(step, float):
                proxy.stopped.wait(step)
            else:
                if step is End.RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        return not proxy.stopped.is_set()

    def _read(self) -> Asked | None:
        line = self.rfile.readline().decode("latin-1").split()
        if len(line) != 3:  # noqa: PLR2004 - method, target, version
            return None
        headers = []
        while text := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = self.rfile.read(length)
        return Asked(line[0], line[1], tuple(headers), body, endpoint_of(line[0], line[1]))
