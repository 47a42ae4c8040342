"""Test helpers: a local host with scripted responses, and the messages that a tap writes."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

from singer_rest import times
from singer_rest.fetch import scheduler
from singer_rest.http import retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pytest

    from singer_rest.stream import RestStream
    from singer_rest.tap import RestTap

T = TypeVar("T")


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the host received."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    query_text: str = ""
    """The query as it stood in the URL."""


@dataclass(frozen=True)
class Response:
    """A response of the host.

    Args:
        body: Bytes as they are, anything else as JSON.
        status: The HTTP status.
        headers: Further headers.
        delay: Seconds to wait before responding.
        cut: Whether the connection ends before the body does.
        stall: Seconds to wait between the headers and the body.
        drip: Seconds to wait after each byte of the body, or of `raw`.
        raw: Bytes to send instead of all this, headers included; then the connection ends.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    stall: float = 0.0
    drip: float = 0.0
    raw: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the default of 5, a connection among many may have to wait for a second


class Host:
    """Responds to requests with a function of the test, and counts concurrent requests."""

    def __init__(self, respond: Callable[[ReceivedRequest], Response]) -> None:
        self.requests: list[ReceivedRequest] = []
        self.most_at_once = 0
        self.connections = 0
        self.respond = respond
        self._under_way = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def queries(self, path: str) -> list[dict[str, str]]:
        """Returns the queries of the requests for a path, in order."""
        return [received_request.query for received_request in self.requests if received_request.path == path]

    def paths(self) -> dict[str, int]:
        """Returns the number of requests by path."""
        counts: defaultdict[str, int] = defaultdict(int)
        for received_request in self.requests:
            counts[received_request.path] += 1
        return dict(counts)

    def serve(self) -> None:
        """Responds to requests until stopped."""
        self._server.serve_forever(poll_interval=0.001)

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, received_request: ReceivedRequest) -> Response:
        with self._lock:
            self.requests.append(received_request)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            response = self.respond(received_request)
            if response.delay:
                time.sleep(response.delay)
            return response
        finally:
            with self._lock:
                self._under_way -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                host.connections += 1
                super().setup()

            def _reply(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                query = dict(parse_qsl(url.query))
                received_request = ReceivedRequest(
                    self.command, url.path, query, dict(self.headers), body, query_text=url.query
                )
                response = host._handle(received_request)
                if response.raw:
                    self.close_connection = True
                    self._write(response.raw, response.drip)
                    return
                content = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + (100 if response.cut else 0)))
                self.end_headers()
                if response.stall:
                    time.sleep(response.stall)
                self._write(content, response.drip)
                self.close_connection = response.cut

            def _write(self, content: bytes, drip: float) -> None:
                with suppress(ConnectionError):  # the client may have given up
                    size = 1 if drip else max(len(content), 1)
                    for start in range(0, len(content), size):
                        self.wfile.write(content[start : start + size])
                        if drip:
                            time.sleep(drip)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815 - names that http.server requires

            def log_message(self, *args: object) -> None:
                """Logs nothing."""

        return Handler


@contextmanager
def host(respond: Callable[[ReceivedRequest], Response]) -> Iterator[Host]:
    """Runs a host on a free port of 127.0.0.1 until the block ends."""
    running = Host(respond)
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()


@contextmanager
def hosts() -> Iterator[Callable[[Callable[[ReceivedRequest], Response]], Host]]:
    """Starts any number of hosts, which run until the block ends."""
    with ExitStack() as stack:
        yield lambda response: stack.enter_context(host(response))


class Output:
    """The messages that a tap wrote."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.messages: list[dict[str, Any]] = [json.loads(line) for line in raw.splitlines()]

    def messages_of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        """Returns the messages of a type, of one stream or of all."""
        return list(self._of[kind, stream])

    @cached_property
    def _of(self) -> defaultdict[tuple[str, str | None], list[dict[str, Any]]]:
        found: defaultdict[tuple[str, str | None], list[dict[str, Any]]] = defaultdict(list)
        for message in self.messages:
            found[message["type"], None].append(message)
            if "stream" in message:
                found[message["type"], message["stream"]].append(message)
        return found

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Returns a stream's records, in order."""
        return [message["record"] for message in self.messages_of("RECORD", stream)]

    def ids(self) -> dict[str, list[str]]:
        """Returns the records' ids by stream, in order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for message in self.messages_of("RECORD"):
            found[message["stream"]].append(message["record"]["id"])
        return dict(found)

    def counts(self) -> dict[str, int]:
        """Returns the number of records by stream."""
        return dict(Counter(message["stream"] for message in self.messages_of("RECORD")))

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        states = self.messages_of("STATE")
        return dict(states[-1]["value"]) if states else {}


@contextmanager
def capture_stdout() -> Iterator[io.BytesIO]:
    """Captures the bytes written to standard output."""
    before, raw = sys.stdout, io.BytesIO()
    sys.stdout = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    try:
        yield raw
    finally:
        sys.stdout.flush()
        sys.stdout.detach()
        sys.stdout = before


def capture_output(run: Callable[[], object], fails: list[Exception] | None = None) -> Output:
    """Returns the output of a tap.

    Args:
        run: Runs the tap.
        fails: Receives the error that ends the run. None: the error is raised.
    """
    with capture_stdout() as raw:
        try:
            run()
        except Exception as error:
            if fails is None:
                raise
            fails.append(error)
    return Output(raw.getvalue())


def run_with_timeout(run: Callable[[], T], seconds: float = 60.0) -> T:
    """Runs a function in a thread with a time limit. Returns or raises what the function returns or raises.

    Args:
        run: The run.
        seconds: Its maximum duration.

    Raises:
        AssertionError: If it takes longer.
        RuntimeError: If it ends with a BaseException that is no Exception.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def call_run() -> None:
        try:
            given.append(run())
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=call_run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise AssertionError(f"The run does not end within {seconds:.0f} s.")
    if raised:
        raise raised[0] if isinstance(raised[0], Exception) else RuntimeError(type(raised[0]).__name__)
    return given[0]


def shorten_waits(monkeypatch: pytest.MonkeyPatch, tap: type[RestTap]) -> None:
    """Shortens a tap's waits until a test ends: before retries, and for unusable responses at its end."""
    monkeypatch.setattr(tap, "first_delay", 0.001)
    monkeypatch.setattr(retries, "THROTTLED_DELAY", 0.01)
    monkeypatch.setattr(scheduler, "CLOSING_SECONDS", 0.05)


def select_streams(tap: RestTap, *streams: str) -> None:
    """Selects some streams of a tap, or all."""
    for stream in tap.streams.values():
        stream.selected = not streams or stream.name in streams


def sync_streams(tap: RestTap, *streams: str, fails: list[Exception] | None = None) -> Output:
    """Returns the output of a tap for some streams, or for all."""
    select_streams(tap, *streams)
    return capture_output(tap.sync_all, fails)


def requests_by_stream(tap: RestTap, requests: Iterable[Mapping[str, Any]], root: str) -> Counter[str]:
    """Counts requests by stream. If several streams' paths match, the path with the fewest placeholders wins.

    Args:
        tap: The tap.
        requests: The requests, each with its path.
        root: The prefix of the streams' paths.
    """
    patterns = [
        (stream.path.count("{"), name, re.compile(root + re.sub(r"\\{.*?\\}", "[^/]+", re.escape(stream.path))))
        for name, stream in cast("Mapping[str, RestStream]", tap.streams).items()
    ]
    found = Counter[str]()
    for request in requests:
        names = [name for _, name, pattern in sorted(patterns) if pattern.fullmatch(request["path"])]
        found.update(names[:1])
    return found


def compare_with_plan(planned: Iterable[Mapping[str, Any]], sent: Counter[str]) -> tuple[set[str], int, int]:
    """Compares what `--plan` estimated with the requests of a run.

    Args:
        planned: The streams of a run in the report.
        sent: The requests of the run, by stream.

    Returns:
        The streams that sent fewer requests than their lower bound, and the planned and sent requests of those whose
        number was estimated.
    """
    requests = Counter[str]()
    bounds = set()
    for line in planned:
        requests[line["stream"]] += line["requests"]
        if line["accuracy"] == "at_least":
            bounds.add(line["stream"])
    known = requests.keys() - bounds
    below = {stream for stream in bounds if sent[stream] < requests[stream]}
    return below, sum(requests[stream] for stream in known), sum(sent[stream] for stream in known)


NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def differing_fields(row: Mapping[str, Any], record: Mapping[str, Any]) -> set[str]:
    """Returns the names of the fields that differ from the vendor's row.

    Args:
        row: The vendor's row, with the record's field names.
        record: The record, from the tap or from the loader.
    """
    found = {**record, **(record.get("_extra") or {})}
    return {
        name
        for name, value in row.items()
        # Most values are texts, and equal.
        if not (isinstance(value, str) and value == found.get(name))
        and canonical_value(value) != canonical_value(found.get(name))
    }


def canonical_value(value: Any) -> Any:  # noqa: ANN401
    """Returns a value in a form that can be compared: numbers, booleans and timestamps as text."""
    if isinstance(value, dict):
        return {name: canonical_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [canonical_value(inner) for inner in value]
    text = value.isoformat() if isinstance(value, date) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    if NUMBER.fullmatch(text):
        return f"{Decimal(text).normalize():f}"
    return times.format_utc(times.parse(text)).removesuffix("T00:00:00Z") if TIMESTAMP.fullmatch(text) else text
