"""Measures the webhook receiver: bursts of events at the start of each second, as vendors send after an import.

    python -m benchmarks.webhooks [--events 10000] [--rate 500] [--connections 50]

Each event's time is from the moment at which it was due to its answer. Every event that was answered with 200 is looked
up in the journal. The exit code is 1 if one is missing, or was answered with anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hr_webhooks.testing import HEADERS, SECRETS, running, write_config

if TYPE_CHECKING:
    from hr_webhooks.testing import Running

KINDS = ("personio", "personio", "factorial", "cornerstone")


class Event(NamedTuple):
    """A request, and when it is due in seconds from the start."""

    request: bytes
    content: bytes
    due: float


class Sender:
    """Sends events at the moment at which they are due, or as soon as a connection is free.

    Args:
        port: The receiver's port.
        connections: The number of connections.
    """

    def __init__(self, port: int, connections: int) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self._port = port
        self._connections = connections

    async def send(self, events: list[Event]) -> None:
        """Sends all events."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        start = time.monotonic() + 0.2
        workers = [asyncio.create_task(self._work(queue, start)) for _ in range(self._connections)]
        for event in events:
            if (wait := start + event.due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            queue.put_nowait(event)
        await queue.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, queue: asyncio.Queue[Event], start: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                event = await queue.get()
                writer.write(event.request)
                answer = await reader.readuntil(b"\r\n\r\n")
                self.seconds.append(time.monotonic() - start - event.due)
                self.refused += not answer.startswith(b"HTTP/1.1 200 ")
                queue.task_done()
        finally:
            writer.close()


def make_events(receiver: Running, number: int, rate: int) -> list[Event]:
    """Returns events of all vendors, of which a number is due at the start of each second."""
    paths = {vendor: receiver.path(vendor) for vendor in SECRETS}
    return [_make_event(paths, each, float(each // rate)) for each in range(number)]


def _make_event(paths: dict[str, str], number: int, due: float) -> Event:
    vendor = KINDS[number % len(KINDS)]
    if vendor == "personio":
        event = {"company_id": "1", "event_name": "person.updated", "payload": {"person": {"id": str(number)}}}
        content = json.dumps(event).encode()
    elif vendor == "factorial":
        content = json.dumps(
            {"id": number, **{f"field_{each}": f"value {number}-{each}" for each in range(60)}}
        ).encode()
    else:
        data = {f"field{each}": f"value {number}-{each}" for each in range(20)}
        records = [{"offset": each, "value": {"trainingCompleted": {"data": data}}} for each in range(10)]
        content = json.dumps({"subscriptionId": str(number), "records": records}).encode()
    body = gzip.compress(content) if vendor == "cornerstone" else content
    lines = [
        f"POST {paths[vendor]} HTTP/1.1",
        "Host: hooks.example.com",
        "Content-Type: application/json",
        f"{HEADERS[vendor]}: {SECRETS[vendor]}",
        f"Content-Length: {len(body)}",
        *(["Content-Encoding: gzip"] if vendor == "cornerstone" else []),
    ]
    return Event("\r\n".join([*lines, "", ""]).encode() + body, content, due)


def cpu_seconds(process: int) -> float:
    """Returns the processor time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500, help="events at the start of each second (default: 500)")
    parser.add_argument("--connections", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder, running(write_config(Path(folder)), "--quiet") as receiver:
        events = make_events(receiver, options.events, options.rate)
        sender = Sender(int(receiver.url.rpartition(":")[2]), options.connections)
        cpu, begin = cpu_seconds(receiver.process.pid), time.monotonic()
        asyncio.run(sender.send(events))
        wall = time.monotonic() - begin
        cpu = cpu_seconds(receiver.process.pid) - cpu
        journal = receiver.journal
        stored = {entry.read_body() for entry in journal.read(0)}
        size = journal.size()
    missing = sum(event.content not in stored for event in events)
    times = sorted(1000 * seconds for seconds in sender.seconds)
    sys.stdout.write(
        f"{len(events)} events in {wall:.1f} s, {sender.refused} refused, {missing} missing in the journal\n"
        f"answers: median {statistics.median(times):.0f} ms, 99 of 100 within {times[len(times) * 99 // 100]:.0f} ms, "
        f"slowest {times[-1]:.0f} ms\n"
        f"processor: {cpu:.1f} s, {cpu / len(events) * 1000:.2f} ms per event, {cpu / wall:.0%} of a core\n"
        f"journal: {size / len(events):.0f} bytes per event\n"
    )
    sys.exit(bool(missing or sender.refused))


if __name__ == "__main__":
    main()
