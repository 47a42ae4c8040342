"""The ASGI application that vendors call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hr_webhooks.journal import make_entry
from hr_webhooks.server.bodies import (
    BodyError,
    Budget,
    DisconnectedError,
    NoRoomError,
    TooLargeError,
    TooSlowError,
    inflate,
    is_heartbeat,
    read_body,
)
from hr_webhooks.server.exchange import Exchange, Outcome, values_of

if TYPE_CHECKING:
    from hr_webhooks.config import ServerConfig
    from hr_webhooks.heard import Heard
    from hr_webhooks.journal import Entry
    from hr_webhooks.server.commits import Committer
    from hr_webhooks.server.exchange import Headers, Message, Receive, Send
    from hr_webhooks.server.logs import RequestLog
    from hr_webhooks.server.metrics import Metrics
    from hr_webhooks.server.routes import Route, Routes


BUDGET_BYTES = 64 * 1024 * 1024  # for all bodies that are under way
DRAIN_SECONDS = 1.0  # for the rest of a refused body, so that the client reads the answer
MAX_DRAINS = 50  # at the same time
MAX_HEADER_LENGTH = 500  # characters of a header that is kept
REFUSED = range(400, 500)  # statuses
SMALL_BYTES = 64 * 1024  # bodies up to this size are decompressed in the event loop

KEPT_HEADERS = ("content-type", "user-agent", "x-factorial-author-id", "x-factorial-author-type")
"""Headers that the journal keeps. `content-encoding` is kept where the body is still encoded."""


_OUTCOMES: dict[type[BodyError], Outcome] = {
    DisconnectedError: Outcome.DISCONNECTED,
    NoRoomError: Outcome.BUSY,
    TooLargeError: Outcome.TOO_LARGE,
    TooSlowError: Outcome.TOO_SLOW,
}


class Receiver:
    """Receives webhooks.

    Args:
        routes: The addresses. May be replaced while the receiver runs.
        settings: Its limits.
        committer: Writes to the journal.
        heard: Keeps when something last came.
        metrics: What is counted.
        log: Writes a line per request.
    """

    def __init__(
        self,
        routes: Routes,
        settings: ServerConfig,
        *,
        committer: Committer,
        heard: Heard,
        metrics: Metrics,
        log: RequestLog,
    ) -> None:
        self.routes = routes
        self._settings = settings
        self._committer = committer
        self._heard = heard
        self._metrics = metrics
        self._log = log
        self._budget = Budget(BUDGET_BYTES)
        self._under_way = 0
        self._drains = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers a request."""
        begin = time.monotonic()
        exchange = Exchange(scope, receive, send)
        route = None
        outcome = Outcome.FAILED
        try:
            route = self.routes.find(scope["raw_path"])
            outcome = await self._handle(exchange, route)
        except OSError as error:  # the disk, or a time limit
            exchange.error = error.strerror or str(error) or "no answer in time"
        except Exception as error:  # noqa: BLE001 - whatever it is, the vendor must try again; values may be personal
            exchange.error = f"{type(error).__name__} in {_place_of(error)}"
        finally:
            seconds = time.monotonic() - begin
            vendor = route.address.vendor if route else ""
            try:
                if outcome is not Outcome.DISCONNECTED:
                    await self._answer(exchange, outcome)
            finally:
                self._metrics.requests.labels(vendor, outcome.label).inc()
                if route:
                    self._metrics.seconds.labels(vendor).observe(seconds)
                self._log.write(outcome, route.address if route else None, exchange, seconds)

    async def _handle(self, exchange: Exchange, route: Route | None) -> Outcome:
        if route is None:
            return Outcome.UNKNOWN_ADDRESS
        if exchange.method in {"GET", "HEAD"}:
            self._heard.note(route.address, "verification", time.time())
            return Outcome.VERIFICATION
        if refusal := self._find_refusal(exchange, route):
            return refusal
        self._under_way += 1
        self._metrics.in_progress.set(self._under_way)
        try:
            return await self._receive(exchange, route)
        except BodyError as error:
            return _OUTCOMES[type(error)]
        finally:
            self._budget.release(exchange.reserved)
            self._under_way -= 1
            self._metrics.in_progress.set(self._under_way)

    def _find_refusal(self, exchange: Exchange, route: Route) -> Outcome | None:
        """Returns why a request is refused before its body is read, or None."""
        if exchange.method != "POST":
            return Outcome.WRONG_METHOD
        if exchange.length is not None and exchange.length > self._settings.max_body_bytes:
            return Outcome.TOO_LARGE
        if not route.is_authentic(exchange.headers):
            return Outcome.WRONG_SECRET
        return Outcome.BUSY if self._under_way >= self._settings.max_concurrent_requests else None

    async def _receive(self, exchange: Exchange, route: Route) -> Outcome:
        limit = self._settings.max_body_bytes
        self._reserve(exchange, limit if exchange.length is None else exchange.length)
        sent = await read_body(exchange.receive, limit, self._settings.receive_seconds)
        exchange.is_read = True
        inflate_limit = self._settings.max_inflated_bytes
        if len(sent) <= SMALL_BYTES:
            content = inflate(sent, inflate_limit)
        else:
            content = await asyncio.to_thread(inflate, sent, inflate_limit)
        plain = sent if content is None else content
        self._reserve(exchange, len(plain))
        if route.signature and not route.signature.match(exchange.headers, sent, plain):
            return Outcome.WRONG_SIGNATURE
        if not plain.strip():
            self._heard.note(route.address, "verification", time.time())
            return Outcome.VERIFICATION
        if route.address.vendor == "cornerstone" and is_heartbeat(plain):
            self._heard.note(route.address, "heartbeat", time.time())
            return Outcome.HEARTBEAT
        entry = _make_entry(route, exchange.headers, plain, is_encoded=content is None or _is_unknown(exchange.headers))
        exchange.size = len(plain)
        exchange.position = await self._committer.append(entry)
        self._heard.note(route.address, "event", time.time())
        self._metrics.bytes.labels(route.address.vendor).inc(len(plain))
        return Outcome.STORED

    def _reserve(self, exchange: Exchange, size: int) -> None:
        self._budget.reserve(size)
        exchange.reserved += size

    async def _answer(self, exchange: Exchange, outcome: Outcome) -> None:
        headers = [(b"content-length", b"0")]
        if outcome is Outcome.WRONG_METHOD:
            headers.append((b"allow", b"POST, GET, HEAD"))
        rest = not exchange.is_read and exchange.has_body
        if rest or outcome.status in REFUSED:  # who is refused must not occupy an idle connection
            headers.append((b"connection", b"close"))
        await exchange.send({"type": "http.response.start", "status": outcome.status, "headers": headers})
        if rest and self._drains < MAX_DRAINS:
            self._drains += 1
            try:
                await _drain(exchange.receive, self._settings.max_body_bytes)
            finally:
                self._drains -= 1
        await exchange.send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive, limit: int) -> None:
    """Reads the rest of a refused body for a moment. A connection that is closed before loses the answer."""
    try:
        await read_body(receive, limit, DRAIN_SECONDS)
    except BodyError:
        return


def _make_entry(route: Route, headers: Headers, body: bytes, *, is_encoded: bool) -> Entry:
    names = (*KEPT_HEADERS, "content-encoding") if is_encoded else KEPT_HEADERS
    kept = {
        name: values[0].decode("latin-1")[:MAX_HEADER_LENGTH] for name in names if (values := values_of(headers, name))
    }
    address = route.address
    return make_entry(body, tenant=address.tenant, vendor=address.vendor, event_type=address.type, headers=kept)


def _is_unknown(headers: Headers) -> bool:
    """Whether the body has an encoding that the receiver does not remove."""
    encodings = {value.strip().lower() for value in values_of(headers, "content-encoding")}
    return bool(encodings - {b"gzip", b"x-gzip", b"identity", b""})


def _place_of(error: Exception) -> str:
    """Returns where an error was raised, without values."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
