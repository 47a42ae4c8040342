"""Measures the CPU time that a tap alone takes per record.

    python benchmarks/tap_cpu.py [--records 100000] [--profiler COMMAND] [STREAM ...]

The rows are the sandbox's, repeated under new ids. A process of its own serves the pages, built in advance, without
delay and without a rate limit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shlex
import socketserver
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import msgspec
from hr_sandbox.testing import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

BIN = Path(sys.executable).parent
MONTHS = 73
"""Slices of a list that is read by month: those of five years and of the current one."""
WEEKS = 105
TOKEN = b'{"success":true,"data":{"token":"t"},"access_token":"t","token_type":"Bearer","expires_in":86400}'
HEADERS = (
    "x-ratelimit-replenish-rate: 100000\r\nx-ratelimit-burst-capacity: 100000\r\nx-ratelimit-remaining: 100000\r\n"
)
OBJECTS = "/services/api/x/dataexporter/api/objects"

RUN = "from {module}.tap import {name}; {name}.rates = {{}}; {name}.cli()"
"""Runs a tap without its vendor's rate limit."""
OFFLINE = {"legacy_v1_streams", "objects", "views"}
"""Settings that decide which streams the catalog has."""

Row = dict[str, Any]
Query = dict[str, list[str]]


@dataclass(frozen=True)
class Case:
    """A stream to measure.

    Args:
        tap: The tap.
        path: The path of its list, which also selects the sandbox's rows.
        sample: The query for the sandbox's rows.
        member: The member of a body that holds the rows.
        keys: The fields that get new values.
        slices: Number of slices that serve the same pages.
        page_size: Rows per page. None: a slice is one page.
        page: Returns the body of a page from its rows, its number in the slice, the number of rows and of pages.
        number: Returns the number of the page that a query asks for.
        settings: The tap's settings.
    """

    tap: str
    path: str
    sample: str
    member: str
    keys: tuple[str, ...]
    slices: int
    page_size: int | None
    page: Callable[[list[Row], int, int, int], Row]
    number: Callable[[Query], int]
    settings: dict[str, Any] = field(default_factory=dict)


def _is_whole(query: Query) -> bool:
    """Whether a query asks for the list in one piece, to see whether it has more than one page."""
    days = [query.get(name, [""])[0] for name in ("start_date", "end_date")]
    return days[0] == "1970-01-01" and days[1] > "2030"


CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
CASES = {
    "attendances": Case(
        "personio",
        "/v1/company/attendances",
        "start_date=2026-01-01&end_date=2026-12-31&limit=200&offset=0",
        "data",
        ("id",),
        MONTHS,
        200,
        lambda rows, _, total, pages: {
            "success": True,
            "metadata": {"total_elements": total, "current_page": 0, "total_pages": pages},
            "data": rows,
        },
        lambda query: int(query["offset"][0]) // 200,
        {**CLIENT, "legacy_v1_streams": True},
    ),
    "attendance_periods": Case(
        "personio",
        "/v2/attendance-periods",
        "limit=100",
        "_data",
        ("id",),
        MONTHS,
        100,
        lambda rows, number, _, pages: {
            "_data": rows,
            "_meta": {
                "links": {"next": {"href": f"/v2/attendance-periods?cursor={number + 1}"}} if number + 1 < pages else {}
            },
        },
        lambda query: int(query.get("cursor", ["0"])[0]),
        CLIENT,
    ),
    "attendance_shifts": Case(
        "factorial",
        "/api/2026-10-01/resources/attendance/shifts",
        "start_on=2026-10-01&end_on=2026-10-07",
        "data",
        ("id",),
        WEEKS,
        None,
        lambda rows, _, total, __: {
            "meta": {"has_next_page": False, "end_cursor": None, "limit": None, "total": total},
            "data": rows,
        },
        lambda _: 0,
        {"api_key": "sandbox-api-key", "start_date": "2024-01-01", "end_date": "2025-12-31"},
    ),
    "transcript_core": Case(
        "cornerstone",
        f"{OBJECTS}/transcript_core",
        "",
        "value",
        ("transc_user_id",),
        1,
        1000,
        lambda rows, number, _, pages: {
            "value": rows,
            **({"@odata.nextLink": f"{OBJECTS}/transcript_core?page={number + 1}"} if number + 1 < pages else {}),
        },
        lambda query: int(query.get("page", ["0"])[0]),
        {**CLIENT, "objects": ["transcript_core"], "views": []},
    ),
}


def _fetch(url: str, headers: dict[str, str]) -> bytes:
    with urlopen(Request(url, headers=headers)) as response:  # noqa: S310 - the sandbox's address
        found: bytes = response.read()
        return found


def _token(url: str, case: Case) -> str:
    """Returns a token of the sandbox."""
    version = case.path[1:3]
    path, form, content_type = {
        "v1": ("/v1/auth", json.dumps(CLIENT), "application/json"),
        "v2": (
            "/v2/auth/token",
            "client_id=sandbox-client&client_secret=sandbox-secret&grant_type=client_credentials",
            "application/x-www-form-urlencoded",
        ),
        "se": (
            "/services/api/oauth2/token",
            '{"clientId":"sandbox-client","clientSecret":"sandbox-secret","grantType":"client_credentials","scope":"all"}',
            "application/json",
        ),
    }[version]
    request = Request(f"{url}{path}", data=form.encode(), headers={"Content-Type": content_type})  # noqa: S310
    with urlopen(request) as response:  # noqa: S310
        body = json.load(response)
    found: str = body.get("access_token") or body["data"]["token"]
    return found


def build(case: Case, records: int) -> tuple[list[bytes], bytes, int]:
    """Builds the pages of a slice. Returns them, the metadata of the service, and the number of records of a run."""
    with running(employees=60) as sandbox:
        url = f"{sandbox.url}/{case.tap}"
        if case.tap == "factorial":
            headers = {"x-api-key": "sandbox-api-key"}
        else:
            headers = {"Authorization": f"Bearer {_token(url, case)}"}
        rows = json.loads(_fetch(f"{url}{case.path}?{case.sample}", headers))[case.member]
        metadata = _fetch(f"{url}{OBJECTS}/$metadata", headers) if case.tap == "cornerstone" else b""
    size = case.page_size or max(records // case.slices, 1)
    pages = max(round(records / case.slices / size), 1)
    counter = itertools.count(1)
    bodies = []
    for number in range(pages):
        page = []
        for row, place in zip(itertools.cycle(rows), range(size), strict=False):
            one = next(counter)
            page.append(
                {**row, **{name: one if isinstance(row[name], int) else f"{place}-{one}" for name in case.keys}}
            )
        bodies.append(msgspec.json.encode(case.page(page, number, pages * size, pages)))
    return bodies, metadata, pages * size * case.slices


def serve(name: str, records: int, pipe: Connection) -> None:
    """Serves a stream until the process ends."""
    case = CASES[name]
    bodies, metadata, expected = build(case, records)

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                self.rfile.read(length)
                body = self._body(line.split()[1].decode())
                self.wfile.write(
                    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                    f"{HEADERS}\r\n".encode()
                    + body
                )

        def _body(self, target: str) -> bytes:
            url = urlsplit(target)
            query = parse_qs(url.query)
            if url.path.endswith("$metadata"):
                return metadata
            if url.path != case.path:
                return TOKEN
            page = case.number(query)
            if page >= len(bodies):
                page_rows: list[Row] = []
                return msgspec.json.encode(case.page(page_rows, page, len(bodies), len(bodies)))
            return bodies[page]

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send((f"http://127.0.0.1:{server.server_address[1]}", expected))
    pipe.recv()


def measure(name: str, records: int, *, profiler: str | None) -> None:
    """Runs the tap and prints its CPU time."""
    case = CASES[name]
    context = get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=serve, args=(name, records, other), daemon=True)
    process.start()
    url, expected = pipe.recv()
    with tempfile.TemporaryDirectory() as folder:
        config, catalog = Path(folder) / "config.json", Path(folder) / "catalog.json"
        config.write_text(json.dumps({"api_url": url, **case.settings}))
        offline = Path(folder) / "offline.json"
        offline.write_text(json.dumps({name: value for name, value in case.settings.items() if name in OFFLINE}))
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        environment[f"TAP_{case.tap.upper()}_LOGLEVEL"] = "WARNING"
        command = [sys.executable, "-c", RUN.format(module=f"tap_{case.tap}", name=f"Tap{case.tap.title()}")]
        discovery = subprocess.run(
            [*command, "--config", str(offline), "--discover"], env=environment, stdout=subprocess.PIPE, check=True
        )
        found = json.loads(discovery.stdout)
        command += ["--config", str(config)]
        found["streams"] = [stream for stream in found["streams"] if stream["tap_stream_id"] == name]
        for stream in found["streams"]:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = True
        catalog.write_text(json.dumps(found))
        if profiler:
            command[:0] = shlex.split(profiler)
        output = Path(folder) / "output.jsonl"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with output.open("wb") as file:
            subprocess.run([*command, "--catalog", str(catalog)], env=environment, stdout=file, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with output.open("rb") as lines:
            count = sum(line.startswith(b'{"type":"RECORD"') for line in lines)
    pipe.send(None)
    process.join()
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(f"{name:>20}{count:>12,}{user:>9.2f}{system:>9.2f}{(user + system) / count * 1e6:>12.1f}", flush=True)
    if count != expected:
        print(f"{'':>20}expected {expected:,} records")


def main() -> None:
    """Measures the streams."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("streams", nargs="*", help=", ".join(CASES))
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--profiler", help="a command to run the tap under, such as `py-spy record -o tap.svg --`")
    options = arguments.parse_args()
    print(f"{'stream':>20}{'records':>12}{'user s':>9}{'sys s':>9}{'us/record':>12}")
    for name in options.streams or CASES:
        measure(name, options.records, profiler=options.profiler)


if __name__ == "__main__":
    main()
