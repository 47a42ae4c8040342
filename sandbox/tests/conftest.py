"""Clients for vendors in this process, and running sandboxes."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hr_sandbox.company import build_company
from hr_sandbox.company.changes import Changes
from hr_sandbox.cornerstone import Cornerstone
from hr_sandbox.factorial import Factorial
from hr_sandbox.http.messages import Request, Response
from hr_sandbox.options import Options
from hr_sandbox.personio import Personio
from hr_sandbox.testing import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TODAY = date(2026, 6, 17)
ROOT = "http://127.0.0.1:1/personio"
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
}


class PersonioClient:
    """A client for Personio in this process, with a token."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**{"today": TODAY, "employees": 40, "requests_per_minute": 60_000_000, **options})
        self.company = build_company(self.options.employees, self.options.seed, self.options.today)
        self.vendor = Personio(self.company, self.options)
        self.changes = Changes(self.company)
        self.headers: dict[str, str] = {}
        _, body, _ = self.post("/v2/auth/token", CREDENTIALS)
        self.headers = {"authorization": f"Bearer {body['access_token']}"}

    def send(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        answer = self.vendor.handle(replace(request, root=ROOT))
        return answer.status, json.loads(answer.body) if answer.body else None, answer.headers

    def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, Any, dict[str, str]]:
        body = "&".join(f"{name}={text}" for name, text in form.items()).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.send(Request("POST", path, body=body, headers={**kind, **self.headers, **headers}))

    def get(self, path: str, query: Any = (), **headers: str) -> tuple[int, Any, dict[str, str]]:
        pairs = tuple(query.items()) if isinstance(query, dict) else tuple(query)
        return self.send(Request("GET", path, pairs, {**self.headers, **headers}))

    def post_json(self, path: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        return self.send(Request("POST", path, body=json.dumps(body).encode()))

    def pages(self, path: str, **query: str) -> Iterator[Any]:
        while True:
            status, body, _ = self.get(path, query)
            assert status == 200, body
            yield body
            following = ((body.get("_meta") or {}).get("links") or {}).get("next")
            if not following:
                return
            query = dict(parse_qsl(urlsplit(following["href"]).query))

    def read_all(self, path: str, **query: str) -> list[Any]:
        return [row for page in self.pages(path, **query) for row in page["_data"]]


@pytest.fixture(scope="session")
def api() -> PersonioClient:
    """For tests that change nothing."""
    return PersonioClient(employees=130)


@pytest.fixture
def make_api() -> Callable[..., PersonioClient]:
    return PersonioClient


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with running(employees=30, today=TODAY, requests_per_minute=60_000_000) as sandbox:
        yield sandbox


@pytest.fixture
def get_token() -> Callable[[Any], dict[str, str]]:
    """Returns the headers of a client with a token of a running sandbox."""

    def ask(sandbox: Any) -> dict[str, str]:
        import requests  # noqa: PLC0415  only needed by tests with a server

        answer = requests.post(f"{sandbox.url}/personio/v2/auth/token", data=CREDENTIALS, timeout=30)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return ask


class FactorialClient:
    """A client for Factorial in this process, with the company's key."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**{"today": TODAY, "employees": 40, **options})
        self.company = build_company(self.options.employees, self.options.seed, self.options.today)
        self.vendor = Factorial(self.company, self.options)
        self.changes = Changes(self.company)
        self.controls = self.vendor.find_own_controls()
        self.headers = {"x-api-key": "sandbox-api-key"}

    def request(self, path: str, query: Any = (), method: str = "GET", **headers: str) -> Response:
        """Returns the raw response. Header names may have underscores; given headers replace the key."""
        pairs = tuple(query.items()) if isinstance(query, dict) else tuple(query)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.vendor.handle(Request(method, path, pairs, named or self.headers))

    def get(self, name: str, query: Any = (), version: str = "2026-10-01") -> tuple[int, Any]:
        answer = self.request(f"/api/{version}/resources/{name}", query)
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(answer.body) if kind == "application/json" else answer.body.decode()

    def pages(self, name: str, query: Any = (), version: str = "2026-10-01") -> Iterator[Any]:
        pairs = list(query.items()) if isinstance(query, dict) else list(query)
        after: list[tuple[str, str]] = []
        while True:
            status, body = self.get(name, [*pairs, *after], version)
            assert status == 200, (name, pairs, body)
            yield body
            if not body["meta"]["has_next_page"]:
                return
            after = [("after_id", body["meta"]["end_cursor"])]

    def rows(self, name: str, query: Any = (), version: str = "2026-10-01") -> list[Any]:
        return [row for page in self.pages(name, query, version) for row in page["data"]]

    def form(self, path: str, **fields: str) -> tuple[int, Any]:
        body = urlencode(fields).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.vendor.handle(Request("POST", path, (), headers, body))
        return answer.status, json.loads(answer.body)


@pytest.fixture(scope="session")
def factorial() -> FactorialClient:
    """For tests that change nothing."""
    return FactorialClient(employees=130)


@pytest.fixture
def make_factorial() -> Callable[..., FactorialClient]:
    return FactorialClient


OBJECTS, VIEWS = "/services/api/x/dataexporter/api/objects", "/services/api/x/odata/api/views"
JSON = "application/json"


class CornerstoneClient:
    """A client for Cornerstone in this process, with a token."""

    root = "http://127.0.0.1:1/cornerstone"

    def __init__(self, **options: Any) -> None:
        self.options = Options(**{"today": TODAY, "employees": 40, **options})
        self.company = build_company(self.options.employees, self.options.seed, self.options.today)
        self.vendor = Cornerstone(self.company, self.options)
        self.changes = Changes(self.company)
        self.controls = self.vendor.find_own_controls()
        self.vendor.throttle.on = False
        self.headers = {"accept": JSON, "authorization": f"Bearer {self.token()}"}

    def sign_in(self, **members: Any) -> Response:
        given = {
            "clientId": "sandbox-client",
            "clientSecret": "sandbox-secret",
            "grantType": "client_credentials",
            "scope": "all",
            **members,
        }
        body = json.dumps(given).encode()
        return self.vendor.handle(
            Request("POST", "/services/api/oauth2/token", headers={"content-type": JSON}, body=body)
        )

    def token(self, scope: str = "all") -> str:
        return str(json.loads(self.sign_in(scope=scope).body)["access_token"])

    def request(self, path: str, query: Any = (), method: str = "GET", **headers: str) -> Response:
        """Returns the raw response. A name without a path is a view, an object, or a link."""
        if "://" in path:
            parts = urlsplit(path)
            path, query = parts.path.removeprefix("/cornerstone"), parse_qsl(parts.query)
        elif not path.startswith("/"):
            path, _, text = path.partition("?")
            query = parse_qsl(text) if text else query
            path = f"{VIEWS if path.startswith('vw_') else OBJECTS}/{path}"
        pairs = tuple(query.items()) if isinstance(query, dict) else tuple(query)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.vendor.handle(Request(method, path, pairs, {**self.headers, **named}, root=self.root))

    def get(self, path: str, query: Any = (), **headers: str) -> tuple[int, Any]:
        answer = self.request(path, query, **headers)
        is_json = answer.headers.get("content-type", "").startswith(JSON)
        return answer.status, json.loads(answer.body) if is_json else answer.body.decode()

    def pages(self, path: str, query: Any = (), **headers: str) -> Iterator[Any]:
        while True:
            status, body = self.get(path, query, **headers)
            assert status == 200, (path, body)
            yield body
            if "@odata.nextLink" not in body:
                return
            path, query = body["@odata.nextLink"], ()

    def rows(self, path: str, query: Any = (), **headers: str) -> list[Any]:
        return [row for page in self.pages(path, query, **headers) for row in page["value"]]


@pytest.fixture(scope="session")
def cornerstone() -> CornerstoneClient:
    """For tests that change nothing."""
    return CornerstoneClient(employees=130)


@pytest.fixture
def make_cornerstone() -> Callable[..., CornerstoneClient]:
    return CornerstoneClient


class Receiver:
    """An HTTP server that keeps the requests that it gets.

    Attributes:
        url: its base URL.
        requests: the path, headers (in lower case) and body of each request. Compressed ones are inflated.
        raw: the bodies as they were received.
        answer: returns the status for the nth request (from 1) and its path; None to close the connection.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.raw: list[bytes] = []
        self.answer: Callable[[int, str], int | None] = lambda _number, _path: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): text for name, text in self.headers.items()}
                plain = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
                receiver.raw.append(raw)
                receiver.requests.append((self.path, headers, json.loads(plain)))
                status = receiver.answer(len(receiver.requests), self.path)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-length", "0")
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.request_queue_size = 256
        self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops. May be called again."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self, path: str = "/") -> list[Any]:
        """Returns the bodies of the requests to a path or to those below it."""
        return [body for seen, _, body in self.requests if seen.startswith(path)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def pushing() -> Iterator[Any]:
    """A sandbox whose webhooks may have the addresses of a receiver."""
    with running(employees=12, today=TODAY, requests_per_minute=60_000_000, http_webhooks=True) as sandbox:
        yield sandbox


@pytest.fixture
def settle() -> Callable[..., dict[str, int]]:
    """Returns a function that waits until nothing is pending, and some have been sent."""

    def wait(sandbox: Any, least: int = 1) -> dict[str, int]:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            counts = sandbox.control("push-counts")
            sent = sum(counts[state] for state in ("delivered", "given_up", "dropped", "missing", "skipped"))
            if not counts["pending"] and sent >= least:
                return dict(counts)
            time.sleep(0.02)
        raise AssertionError(counts)

    return wait
