"""Handles each request to a vendor: log, latency, faults, delivery of the response."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from hr_sandbox.http.messages import Request, Response, parse_pairs

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from hr_sandbox.http.faults import Fault, Faults
    from hr_sandbox.http.messages import Json

MAX_LOG_ENTRIES = 500_000
LOGGED_HEADERS = ("user-agent", "x-personio-partner-id", "x-personio-app-id", "prefer", "if-none-match")
# The key of the connection in the ASGI scope's state, so that a fault can close it.
TRANSPORT = "hr_sandbox.transport"


class Site(Protocol):
    """A vendor or another site that is served."""

    @property
    def name(self) -> str:
        """The first segment of its paths."""

    def handle(self, request: Request) -> Response:
        """Handles a request. Errors are responses too."""

    def make_error_response(self, status: int, request: Request) -> Response:
        """Returns the site's response for a failure of the service, such as 429 or 503."""

    def find_template(self, path: str) -> str | None:
        """Returns the declared path that a request's path matches, or None."""


@dataclass(slots=True)
class Log:
    """The log of requests, and how many are in flight."""

    entries: deque[Json] = field(default_factory=lambda: deque(maxlen=MAX_LOG_ENTRIES))
    in_flight: int = 0


class VendorApp:
    """Serves a site as an ASGI application under its prefix, with `latency` seconds of delay."""

    def __init__(self, vendor: Site, faults: Faults, log: Log, latency: float) -> None:
        self._vendor = vendor
        self._faults = faults
        self._log = log
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        request = await _read_request(scope, receive, self._vendor.name)
        full_path = f"/{self._vendor.name}{request.path}"
        template = self._vendor.find_template(request.path)
        query = _collect_query(request)
        self._log.in_flight += 1
        entry: dict[str, Any] = {
            "method": request.method,
            "path": full_path,
            "query": query,
            "status": None,
            "time": time.monotonic(),
            "in_flight": self._log.in_flight,
            "fault": None,
            "headers": {name: request.headers[name] for name in LOGGED_HEADERS if name in request.headers},
        }
        self._log.entries.append(entry)
        try:
            if self._latency:
                await asyncio.sleep(self._latency)
            paths = (full_path, template and f"/{self._vendor.name}{template}")
            fault = self._faults.next_fault(paths, dict(request.query))
            entry["fault"] = fault and fault.kind
            response = self._respond(request, fault)
            if fault and fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            if response and not response.halting:
                await asyncio.sleep(response.seconds)
            entry["status"] = response and response.status
        finally:
            self._log.in_flight -= 1
        if response is None:
            await _close_connection(scope, receive)
        else:
            await _send_response(response, send, whole=not (fault and fault.kind == "truncated"))
            if fault and fault.kind == "truncated":
                await _close_connection(scope, receive)

    def _respond(self, request: Request, fault: Fault | None) -> Response | None:
        """Returns the site's response, changed by a fault if there is one; None to send no response."""
        if fault is None or fault.kind in {"slow", "truncated"}:
            return self._vendor.handle(request)
        if fault.kind == "drop":
            return None
        if fault.kind == "html":
            return Response(200, b"<!doctype html><title>Maintenance</title>", {"content-type": "text/html"})
        response = self._vendor.make_error_response(fault.status or 503, request)
        if fault.kind == "retry-after":
            timestamp = datetime.now(UTC) + timedelta(seconds=fault.seconds)
            in_seconds = fault.form == "seconds"
            response.headers["retry-after"] = (
                str(ceil(fault.seconds)) if in_seconds else format_datetime(timestamp, usegmt=True)
            )
        return response


async def _read_request(scope: Scope, receive: Receive, prefix: str) -> Request:
    headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
    parts = []
    while True:
        message: Message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    host, port = scope.get("server") or ("127.0.0.1", 0)
    return Request(
        method=scope["method"],
        path=scope["path"].removeprefix(f"/{prefix}"),
        query=parse_pairs(scope["query_string"].decode("latin-1")),
        headers=headers,
        body=b"".join(parts),
        root=f"http://{headers.get('host', f'{host}:{port}')}/{prefix}",
    )


def _collect_query(request: Request) -> dict[str, str | list[str]]:
    """Returns the query as an object. A repeated parameter has a list of values."""
    query: dict[str, str | list[str]] = {}
    for name, text in request.query:
        before = query.get(name)
        if before is None:
            query[name] = text
        else:
            query[name] = [*([before] if isinstance(before, str) else before), text]
    return query


async def _send_response(response: Response, send: Send, *, whole: bool) -> None:
    headers = {**response.headers, "content-length": str(len(response.body))}
    raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    half = len(response.body) // 2
    if response.halting and whole:
        await send({"type": "http.response.body", "body": response.body[:half], "more_body": True})
        await asyncio.sleep(response.seconds)
        await send({"type": "http.response.body", "body": response.body[half:]})
        return
    body = response.body if whole else response.body[:half]
    await send({"type": "http.response.body", "body": body, "more_body": not whole})


async def _close_connection(scope: Scope, receive: Receive) -> None:
    """Closes the connection and waits until it is closed, so that the server sends nothing more."""
    scope["state"][TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass
