"""`/health` and `/metrics`, on a port of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from hr_webhooks.private_files import PRIVATE_FILE
from hr_webhooks.server.exchange import values_of
from hr_webhooks.server.secret_files import match_any

if TYPE_CHECKING:
    from hr_webhooks.journal import Journal
    from hr_webhooks.server.exchange import Message, Receive, Send
    from hr_webhooks.server.metrics import Metrics

MIN_FREE_BYTES = 64 * 1024 * 1024
PROBE_FILE = "health.probe"
PROBE_SECONDS = 2.0


class StatusPages:
    """The ASGI application of the status port.

    Args:
        journal: The journal.
        metrics: What is counted.
        token: What `/metrics` requires as a bearer token. None: nothing.
    """

    def __init__(self, journal: Journal, metrics: Metrics, token: str | None) -> None:
        self._journal = journal
        self._metrics = metrics
        self._token = token
        self._probing: asyncio.Task[str | None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answers a request."""
        kind = b"text/plain; charset=utf-8"
        if scope["method"] not in {"GET", "HEAD"} or scope["path"] not in {"/health", "/metrics"}:
            status, body = 404, b""
        elif scope["path"] == "/health":
            problem = await self._find_problem()
            status, body = (503, f"{problem}\n".encode()) if problem else (200, b"ok\n")
        elif not self._is_allowed(scope):
            status, body = 401, b""
        else:
            status, body = 200, await asyncio.to_thread(generate_latest, self._metrics.registry)
            kind = CONTENT_TYPE_LATEST.encode()
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _is_allowed(self, scope: Message) -> bool:
        if self._token is None:
            return True
        expected = b"Bearer " + self._token.encode()
        return match_any(values_of(scope["headers"], "authorization"), [expected])

    async def _find_problem(self) -> str | None:
        """Returns why events cannot be stored, or None."""
        if self._probing is None or self._probing.done():  # while the disk does not answer, one thread waits for it
            self._probing = asyncio.create_task(asyncio.to_thread(self._probe))
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await asyncio.shield(self._probing)
        except TimeoutError:
            return "The disk does not answer."
        except OSError as error:
            return f"The journal cannot be written: {error.strerror or error}."

    def _probe(self) -> str | None:
        descriptor = os.open(self._journal.folder / PROBE_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        try:
            os.write(descriptor, b"\0")
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if shutil.disk_usage(self._journal.folder).free < MIN_FREE_BYTES:
            return f"The journal's disk has less than {MIN_FREE_BYTES >> 20} MB of free space."
        self._journal.append([])  # takes the lock, and repairs the end
        return None
