"""The tap against the sandbox, or against a host whose responses a test defines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest.testing import Host, Output, ReceivedRequest, Response, hosts, shorten_waits, sync_streams
from singer_sdk.singerlib import Catalog
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TOKENS = {
    "/v1/auth": Response({"success": True, "data": {"token": "eyJ-secret", "expires_in": 86400, "scope": ""}}),
    "/v2/auth/token": Response(
        {"access_token": "papi-secret", "expires_in": 86400, "token_type": "Bearer", "scope": ""}
    ),
}


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_waits(monkeypatch, TapPersonio)


def _catalog(config: dict[str, Any], streams: Collection[str]) -> dict[str, Any]:
    """Returns a catalog of the given streams, or of all, as discovered without credentials."""
    discovered = TapPersonio(config=config, validate_config=False).streams.values()
    return Catalog(
        (one.tap_stream_id, one._singer_catalog_entry) for one in discovered if not streams or one.name in streams
    ).to_dict()


@pytest.fixture
def run() -> Callable[..., Output]:
    """Run the tap against a URL; `fails` takes the error instead of raising it.

    The catalog is discovered without credentials, unless `discover` says that the company's own is read.
    """

    def run(
        url: str,
        *streams: str,
        state: dict[str, Any] | None = None,
        fails: list[Exception] | None = None,
        discover: bool = False,
        **config: Any,
    ) -> Output:
        config = {"api_url": url, **config}
        catalog = None if discover else _catalog(config, streams)
        tap = TapPersonio(config={**CREDENTIALS, **config}, state=state, catalog=catalog)
        tap.rates = {}  # a host of the test's has no limits; the sandbox tells its own
        return sync_streams(tap, *streams, fails=fails)

    return run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company of 20 whose limits do not slow tests down."""
    with running(employees=20, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture
def personio() -> Iterator[Callable[[Callable[[ReceivedRequest], Response]], Host]]:
    """Start a host that issues tokens. The given function returns its other responses."""
    with hosts() as start:
        yield lambda respond: start(lambda request: TOKENS.get(request.path) or respond(request))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the vendor's published bodies."""
    folder = os.environ.get("VENDOR_SAMPLES")
    if not folder:
        pytest.skip("VENDOR_SAMPLES does not name a folder with the vendor's published bodies")
    return Path(folder) / "personio"
