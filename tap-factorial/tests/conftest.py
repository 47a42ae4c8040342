"""The tap against the sandbox, or against a host whose responses a test defines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest.testing import Host, Output, ReceivedRequest, Response, hosts, shorten_waits, sync_streams
from tap_factorial.tap import TapFactorial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "sandbox-api-key"
LISTS = "/api/2026-10-01/resources/"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, TapFactorial)


@pytest.fixture
def run() -> Callable[..., Output]:
    """Run the tap against a URL; `fails` takes the error instead of raising it."""

    def run(
        url: str,
        *streams: str,
        state: dict[str, Any] | None = None,
        fails: list[Exception] | None = None,
        **config: Any,
    ) -> Output:
        credentials = {} if {"access_token", "client_id"} & config.keys() else {"api_key": KEY}
        tap = TapFactorial(config={"api_url": url, **credentials, **config}, state=state)
        return sync_streams(tap, *streams, fails=fails)

    return run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company of 20 whose limits do not slow tests down."""
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture
def url(sandbox: Sandbox) -> str:
    """Where the sandbox's Factorial is."""
    return f"{sandbox.url}/factorial"


@pytest.fixture
def factorial() -> Iterator[Callable[[Callable[[ReceivedRequest], Response]], Host]]:
    """Start a host that accepts any credential. The given function returns its other responses."""
    credentials = Response({"data": [{"id": "access-0", "company_id": "1"}], "meta": {"has_next_page": False}})
    path = "/api_public/credentials"
    with hosts() as start:
        yield lambda respond: start(lambda request: credentials if request.path.endswith(path) else respond(request))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the vendor's published bodies."""
    folder = os.environ.get("VENDOR_SAMPLES")
    if not folder:
        pytest.skip("VENDOR_SAMPLES does not name a folder with the vendor's published bodies")
    return Path(folder) / "factorial"
