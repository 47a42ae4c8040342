"""Serves the pages of a data set, on one thread and from memory.

    python -m benchmarks.server DATASET ROWS [--latency-ms 0] [--limit REQUESTS_PER_SECOND] [--attached]
        [--folder output/bench/data]

It writes its port to the standard output. `GET /-/stats` returns what it counted since the last time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.answers import APIS, TOKENS, UNLIMITED, Api
from benchmarks.datasets import DATASETS

STATS = "/-/stats"
REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests"}


class Counts:
    """The numbers that the server counts.

    Args:
        latency: Seconds between a request and its response.
        limit: Requests per second and burst; 0 for no limit.
    """

    def __init__(self, latency: float, limit: float) -> None:
        self.latency = latency
        self.limit = limit
        self.in_flight = 0
        self.reset_counts()

    def reset_counts(self) -> None:
        """Resets all counts and refills the token bucket."""
        self.statuses: Counter[int] = Counter()
        self.max_in_flight = self.in_flight
        self.pages = self.bytes = 0
        self.tokens, self.filled_at = self.limit, time.monotonic()
        self.first: float | None = None
        self.first_page: float | None = None
        self.last_page: float | None = None
        self._cpu = time.process_time()

    def count_request(self, *, is_page: bool) -> bool:
        """Counts a request. Returns whether the limit allows it."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        now = time.time()
        self.first = self.first or now
        if not is_page:
            return True
        self.pages += 1
        self.first_page, self.last_page = self.first_page or now, now
        if not self.limit:
            return True
        passed = time.monotonic()
        self.tokens = min(self.limit, self.tokens + (passed - self.filled_at) * self.limit)
        self.filled_at = passed
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def make_stats(self) -> dict[str, Any]:
        """Returns the counts: times in seconds since the epoch, CPU time in seconds."""
        return {
            "requests": sum(self.statuses.values()),
            "pages": self.pages,
            "rejected": self.statuses[429],
            "not_found": self.statuses[404],
            "max_in_flight": self.max_in_flight,
            "bytes": self.bytes,
            "first": self.first,
            "first_page": self.first_page,
            "last_page": self.last_page,
            "cpu": time.process_time() - self._cpu,
        }


class Connection(asyncio.Protocol):
    """A connection that is kept alive.

    Args:
        api: The endpoints.
        counts: The counts of the server.
    """

    def __init__(self, api: Api, counts: Counts) -> None:
        self._api = api
        self._counts = counts
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a server
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forgets the transport."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Responds to each complete request."""
        self._received += data
        while True:
            head, blank, rest = self._received.partition(b"\r\n\r\n")
            if not blank:
                return
            lower = head.lower()
            place = lower.find(b"\r\ncontent-length:")
            length = int(lower[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(rest) < length:
                return
            self._received = rest[length:]
            self._respond(head)

    def _respond(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        counts = self._counts
        if target == STATS:
            body = json.dumps(counts.make_stats()).encode()
            counts.reset_counts()
            self._write_response(200, b"", (body,))
            return
        is_page = target.partition("?")[0] not in TOKENS
        if counts.count_request(is_page=is_page):
            status, parts = self._api.respond(target, head)
        else:
            status, parts = 429, (b"{}",)
        remaining = int(counts.tokens) if counts.limit else UNLIMITED
        headers = self._api.make_limit_headers(counts.limit or UNLIMITED, remaining) if is_page else b""
        asyncio.get_running_loop().call_later(counts.latency, self._send_later, status, headers, parts)

    def _send_later(self, status: int, headers: bytes, parts: Any) -> None:  # noqa: ANN401 - the parts of a body
        counts = self._counts
        counts.in_flight -= 1
        counts.statuses[status] += 1
        counts.bytes += sum(map(len, parts))
        self._write_response(status, headers, parts)

    def _write_response(self, status: int, headers: bytes, parts: Any) -> None:  # noqa: ANN401
        if self._transport is None:
            return
        beginning = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (
            status,
            REASONS[status],
            headers,
            sum(map(len, parts)),
        )
        self._transport.write(b"".join((beginning, *parts)))


async def serve(api: Api, counts: Counts) -> None:
    """Serves until it is stopped."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(api, counts), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Runs the server."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dataset", choices=DATASETS)
    arguments.add_argument("rows", type=int)
    arguments.add_argument("--latency-ms", type=float, default=0)
    arguments.add_argument("--limit", type=float, default=0)
    arguments.add_argument("--attached", action="store_true", help="end when the standard input does")
    arguments.add_argument("--folder", type=Path, default=Path("output/bench/data"))
    options = arguments.parse_args()
    dataset = DATASETS[options.dataset]
    api = APIS[options.dataset](dataset, dataset.build_rows(options.folder, options.rows))
    if options.attached:
        threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(serve(api, Counts(options.latency_ms / 1000, options.limit)))


if __name__ == "__main__":
    main()
