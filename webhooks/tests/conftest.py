"""A receiver that the tests of a file share, and vendors that are as strict as the real ones about subscriptions."""

from __future__ import annotations

import json
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hr_sandbox.testing import running as running_sandbox
from hr_webhooks import cli
from hr_webhooks.addresses import write_address_keys
from hr_webhooks.journal import Journal
from hr_webhooks.private_files import write_private
from hr_webhooks.testing import running, wait_until, write_config
from singer_rest.testing import ReceivedRequest, Response, host, shorten_waits
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hr_sandbox.testing import Sandbox
    from hr_webhooks.testing import Running

KEY = "k" * 64
TYPES = ("employees/employee/update", "timeoff/leave/create")
WRITABLE = {"url", "description", "status", "auth_type", "token", "custom_headers", "enabled_events"}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_config(tmp_path_factory.mktemp("receiver"))) as started:
        yield started


@dataclass
class Vendor:
    """A vendor's API. Subclasses serve its paths."""

    rows: dict[Any, dict[str, Any]] = field(default_factory=dict)
    may_write: bool = True
    loses: set[str] = field(default_factory=set)
    """Methods whose next request is carried out, but whose response is lost."""
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The requests that changed something: their methods and bodies."""
    url: str = ""

    def respond(self, request: ReceivedRequest) -> Response:
        if request.method != "GET" and not request.path.endswith("/token"):
            if not self.may_write:
                return Response({"error": "forbidden"}, 403)
            self.writes.append((request.method, json.loads(request.body or b"{}")))
        response = self.serve(request)
        if request.method in self.loses:
            self.loses.discard(request.method)
            return Response(response.body, response.status, cut=True)
        return response

    def serve(self, request: ReceivedRequest) -> Response:
        raise NotImplementedError


@dataclass
class Personio(Vendor):
    """Personio's webhooks."""

    is_stubborn: bool = False
    """Whether a new webhook is switched off, even if it should not be."""
    events: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    on_ping: Callable[[], object] = field(default=lambda: None)

    def serve(self, request: ReceivedRequest) -> Response:  # noqa: PLR0911 - one per kind of request
        if request.path == "/v2/auth/token":
            form = parse_qs(request.body.decode())
            is_right = form.get("client_id") == ["id"] and form.get("client_secret") == ["hush"]
            return Response({"access_token": "bearer", "expires_in": 3600}) if is_right else Response(b"", 401)
        if request.headers.get("Authorization") != "Bearer bearer":
            return Response({}, 401)
        _, _, name, *rest = request.path.split("/")
        assert name == "webhooks"
        if not rest:
            return self.create(request) if request.method == "POST" else self.list_page(request, [*self.rows.values()])
        row = self.rows.get(rest[0])
        if row is None:
            return Response({}, 404)
        if rest[1:] in (["events"], ["activity"]):
            return self.list_log(request, rest[1])
        if rest[1:] == ["ping"]:
            assert not request.body
            self.on_ping()
            return Response(b"", 204)
        assert len(rest) == 1
        if request.method == "DELETE":
            del self.rows[rest[0]]
            return Response(b"", 204)
        if request.method == "PATCH":
            body = json.loads(request.body)
            if not body or self.find_error({**row, **body}, body):
                return Response({}, 422)
            row.update(body)
        return Response(row)

    def create(self, request: ReceivedRequest) -> Response:
        body = json.loads(request.body)
        row = {"status": "DISABLED", "auth_type": "TOKEN", **body}
        if not {"url", "description", "enabled_events"} <= body.keys() or self.find_error(row, body):
            return Response({"errors": [{"detail": body.get("token")}]}, 422)
        key = f"wh-{len(self.rows) + 1}"
        self.rows[key] = {"id": key, **row, **({"status": "DISABLED"} if self.is_stubborn else {})}
        return Response({"id": key}, 201)

    @staticmethod
    def find_error(row: dict[str, Any], body: dict[str, Any]) -> bool:
        headers = row.get("custom_headers") or {}
        return not (
            body.keys() <= WRITABLE
            and row["status"] in {"ENABLED", "DISABLED"}
            and row["url"].startswith(("https://", "http://127.0.0.1"))
            and row["enabled_events"]
            and all("." in name for name in row["enabled_events"])
            and (row["auth_type"] == "CUSTOM" if headers else row["auth_type"] == "TOKEN" and row.get("token"))
            and "Content-Type" not in headers
            and len(headers) <= 3
        )

    def list_log(self, request: ReceivedRequest, name: str) -> Response:
        column = "occurred_at" if name == "events" else "completed_at"
        rows = self.events if name == "events" else self.deliveries
        since = request.query[f"{column}.gte"]
        if "is_delivered" in request.query:
            rows = [row for row in rows if row["is_delivered"] is False]
        return self.list_page(request, [row for row in rows if str(row.get(column) or since) >= since])

    def list_page(self, request: ReceivedRequest, rows: list[dict[str, Any]]) -> Response:
        limit, start = int(request.query.get("limit", 10)), int(request.query.get("cursor", 0))
        assert limit <= 200
        links = {"self": {"href": self.url + request.path}}
        if len(rows) > start + limit:
            links["next"] = {"href": f"{self.url}{request.path}?{request.query_text}&cursor={start + limit}"}
        return Response({"_data": rows[start : start + limit], "_meta": {"links": links}})


@dataclass
class Factorial(Vendor):
    """Factorial's subscriptions, in a version with text ids or one with numbers."""

    version: str = "2026-10-01"
    company: Any = "55"
    hides_others: bool = False
    """Whether a subscription is left out of the list, although its type is taken."""

    def serve(self, request: ReceivedRequest) -> Response:  # noqa: PLR0911 - as above
        if {name.lower(): value for name, value in request.headers.items()}.get("x-api-key") != "hush":
            return Response({}, 401)
        prefix, _, name = request.path.partition("/api_public/")
        assert prefix == f"/api/{self.version}/resources"
        if name == "credentials":
            return self.list_rows([{"id": "access-0", "company_id": self.company}])
        if name == "webhook_subscriptions":
            if request.method == "POST":
                return self.create(json.loads(request.body))
            return self.list_rows([] if self.hides_others else [*self.rows.values()])
        key: Any = name.removeprefix("webhook_subscriptions/")
        key = type(self.company)(key)
        if key not in self.rows:
            return Response({}, 404)
        if request.method == "DELETE":
            del self.rows[key]
            return Response(b"", 204)
        body = json.loads(request.body)
        allowed = {"id", "target_url", "name", "challenge", "enabled", "api_version"}
        if request.method != "PUT" or body.get("id") != key or not body.keys() <= allowed:
            return Response({"errors": body}, 422)
        self.rows[key].update(body)
        return Response(self.rows[key])

    def create(self, body: dict[str, Any]) -> Response:
        required = {"subscription_type", "target_url", "company_id"}
        allowed = required | {"name", "challenge", "enabled", "api_version"}
        kind = body.get("subscription_type")
        if not required <= body.keys() <= allowed or body["company_id"] != self.company or "nonsense" in str(kind):
            return Response({"errors": body}, 422)
        if any(row["type"] == kind for row in self.rows.values()):
            return Response({"errors": {"subscription_type": ["has already been taken"]}}, 422)
        key = type(self.company)(len(self.rows) + 900)
        row = {name: value for name, value in body.items() if name != "subscription_type"}
        self.rows[key] = {"id": key, "type": kind, "enabled": True, **row}
        return Response(self.rows[key], 201)

    @staticmethod
    def list_rows(rows: list[dict[str, Any]]) -> Response:
        meta = {"has_next_page": False, "end_cursor": None, "total": len(rows), "limit": 100}
        return Response({"data": rows, "meta": meta})


@pytest.fixture
def personio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Personio]:
    """Runs Personio, whose credentials are in the environment."""
    vendor = Personio()
    shorten_waits(monkeypatch, TapPersonio)
    with host(vendor.respond) as api:
        vendor.url = api.url
        for name, value in {"API_URL": api.url, "CLIENT_ID": "id", "CLIENT_SECRET": "hush"}.items():
            monkeypatch.setenv(f"TAP_PERSONIO_{name}", value)
        yield vendor


@pytest.fixture
def factorial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Factorial]:
    """Runs Factorial, whose credentials are in the environment."""
    vendor = Factorial()
    shorten_waits(monkeypatch, TapFactorial)
    with host(vendor.respond) as api:
        vendor.url = api.url
        monkeypatch.setenv("TAP_FACTORIAL_API_URL", api.url)
        monkeypatch.setenv("TAP_FACTORIAL_API_KEY", "hush")
        yield vendor


@dataclass
class Installation:
    """A receiver's configuration, and its command line."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    settings: dict[str, Any]

    def write(self, **changes: Any) -> None:
        """Writes the configuration, with some settings changed."""
        self.settings |= changes
        (self.folder / "webhooks.yml").write_text(json.dumps(self.settings))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Runs a sub-command. Returns the exit code, what it printed, and its errors."""
        name, *others = arguments
        code = cli.main([name, "--config", str(self.folder / "webhooks.yml"), *others])
        printed = self.capture.readouterr()
        for text in ("hush", *self.secrets("personio"), *self.secrets("factorial")):
            assert text not in printed.out + printed.err
        return code, printed.out, printed.err

    def secrets(self, vendor: str) -> list[str]:
        """Returns the secrets of a vendor, the newest first."""
        path = self.folder / vendor
        return path.read_text().split() if path.exists() else []

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.folder / "journal", create=True)


@pytest.fixture
def installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Installation:
    """Returns the configuration of a tenant with Personio and Factorial."""
    write_address_keys(tmp_path / "key", [KEY])
    vendors = {
        "personio": {"secret_files": ["personio"]},
        "factorial": {"secret_files": ["factorial"], "types": TYPES},
        "cornerstone": {"secret_files": ["cornerstone"]},
    }
    settings = {
        "journal": "journal",
        "public_url": "https://hooks.example.com",
        "address_key_file": "key",
        "tenants": {"acme": vendors},
    }
    found = Installation(tmp_path, capsys, settings)
    found.write()
    return found


@dataclass
class Connected:
    """A configuration whose vendors are those of a sandbox, which has fewer limits than the vendors."""

    installation: Installation
    sandbox: Sandbox
    listen: str

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.installation.folder / "webhooks.yml"

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.installation.journal

    def subscribe(self) -> None:
        """Subscribes to all vendors, of which Cornerstone's needs a running receiver."""
        for vendor in ("personio", "factorial"):
            code, _, errors = self.installation.run("subscribe", "--vendor", vendor)
            assert (code, errors) == (0, "")
        lines = [line.split("\t") for line in self.installation.run("addresses")[1].splitlines()]
        (url,) = [line[3] for line in lines if line[1] == "cornerstone"]
        key = (self.installation.folder / "cornerstone").read_text().strip()
        endpoint = self.sandbox.control("cornerstone/endpoint", url=url, x_api_key=key)
        assert endpoint["verified"]
        self.sandbox.control("cornerstone/webhook", endpoint=endpoint["id"], events=["EmployeeCreated"])

    def wait_until_delivered(self) -> None:
        """Waits until nothing is under way."""
        wait_until(lambda: not self.sandbox.control("push-counts")["pending"])

    def repeat_all(self) -> None:
        """Lets the vendors send whatever they still send again."""
        for _ in range(7 * 24):
            if not self.sandbox.control("push-counts")["pending"]:
                return
            self.sandbox.control("push-clock", seconds=3600)
            time.sleep(0.05)
        raise AssertionError("The vendors still have something to send after a week.")


@pytest.fixture
def connected(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connected]:
    """Runs a sandbox to whose vendors a receiver may subscribe."""
    with running_sandbox(employees=30, http_webhooks=True, requests_per_minute=600_000) as sandbox:
        for name, value in {
            "PERSONIO_API_URL": f"{sandbox.url}/personio",
            "PERSONIO_CLIENT_ID": "sandbox-client",
            "PERSONIO_CLIENT_SECRET": "sandbox-secret",
            "FACTORIAL_API_URL": f"{sandbox.url}/factorial",
            "FACTORIAL_API_KEY": "sandbox-api-key",
        }.items():
            monkeypatch.setenv(f"TAP_{name}", value)
        with socket.create_server(("127.0.0.1", 0)) as server:
            listen = f"127.0.0.1:{server.getsockname()[1]}"
        for vendor in ("personio", "factorial", "cornerstone"):  # a receiver starts with secrets only
            write_private(installation.folder / vendor, f"{secrets.token_urlsafe(32)}\n")
        installation.settings["tenants"]["acme"]["factorial"]["types"] = ["employees/employee/create_with_contract"]
        installation.write(public_url=f"http://{listen}")
        yield Connected(installation, sandbox, listen)
