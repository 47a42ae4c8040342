"""The tap against the sandbox, or against a host whose responses a test defines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest.testing import (
    Host,
    Output,
    ReceivedRequest,
    Response,
    capture_output,
    hosts,
    select_streams,
    shorten_waits,
)
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TOKEN = Response({"access_token": "ZWRnZQ:s3cr3t", "expires_in": 3600, "token_type": "Bearer", "scope": "all"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what the portal offers is kept: a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tap-cornerstone"


LIMITS = TapCornerstone.rates


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, TapCornerstone)
    monkeypatch.setattr(TapCornerstone, "rates", {})  # a host of the test's has no limits; the sandbox tells its own


@pytest.fixture
def documented_limits(_no_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tap begin with the limits that the vendor documents."""
    monkeypatch.setattr(TapCornerstone, "rates", LIMITS)


@pytest.fixture
def run() -> Callable[..., Output]:
    """Run the tap against a URL; `fails` takes the error instead of raising it."""

    def run(
        url: str,
        *streams: str,
        state: dict[str, Any] | None = None,
        catalog: dict[str, Any] | None = None,
        fails: list[Exception] | None = None,
        **config: Any,
    ) -> Output:
        credentials = {} if "access_token" in config else CREDENTIALS

        def run_tap() -> None:
            tap = TapCornerstone(config={"api_url": url, **credentials, **config}, state=state, catalog=catalog)
            if catalog is None:
                select_streams(tap, *streams)
            tap.sync_all()

        return capture_output(run_tap, fails)  # to discover may fail too

    return run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company of 20 whose limits do not slow tests down."""
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture
def url(sandbox: Sandbox) -> str:
    """Where the sandbox's Cornerstone is."""
    return f"{sandbox.url}/cornerstone"


@pytest.fixture
def portal() -> Iterator[Callable[[Callable[[ReceivedRequest], Response]], Host]]:
    """Start a host that issues tokens. The given function returns its other responses."""
    with hosts() as start:
        yield lambda respond: start(lambda request: TOKEN if request.method == "POST" else respond(request))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the vendor's published bodies."""
    folder = os.environ.get("VENDOR_SAMPLES")
    if not folder:
        pytest.skip("VENDOR_SAMPLES does not name a folder with the vendor's published bodies")
    return Path(folder) / "cornerstone"
