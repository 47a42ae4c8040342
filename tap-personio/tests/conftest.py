"""The tap against the sandbox, or against a host that answers as a test says."""

from __future__ import annotations

import io
import json
import os
import sys
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import Sandbox, running
from singer_rest.testing import Answer, Asked, Host, host
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
TOKEN = Answer({"access_token": "papi-secret", "expires_in": 86400, "token_type": "Bearer", "scope": ""})


class Output:
    """The messages that the tap wrote."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.messages = [json.loads(line) for line in raw.splitlines()]

    def of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        return [
            message
            for message in self.messages
            if message["type"] == kind and (stream is None or message["stream"] == stream)
        ]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self.of("RECORD", stream)]

    def counts(self) -> dict[str, int]:
        found: defaultdict[str, int] = defaultdict(int)
        for message in self.of("RECORD"):
            found[message["stream"]] += 1
        return dict(found)

    @property
    def state(self) -> dict[str, Any]:
        return self.of("STATE")[-1]["value"]


@contextmanager
def captured() -> Iterator[io.BytesIO]:
    before, raw = sys.stdout, io.BytesIO()
    sys.stdout = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    try:
        yield raw
    finally:
        sys.stdout.flush()
        sys.stdout.detach()
        sys.stdout = before


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
        tap = TapPersonio(config={"api_url": url, **CREDENTIALS, **config}, state=state)
        tap.first_delay = 0.001  # type: ignore[misc]
        for stream in tap.streams.values():
            stream.selected = not streams or stream.name in streams
        with captured() as raw:
            try:
                tap.sync_all()
            except Exception as error:
                if fails is None:
                    raise
                fails.append(error)
        return Output(raw.getvalue())

    return run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company of 40 whose limits do not slow tests down."""
    with running(employees=40, requests_per_minute=600_000) as started:
        yield started


@pytest.fixture
def personio() -> Iterator[Callable[[Callable[[Asked], Answer]], Host]]:
    """Start a host that gives tokens, and for all else answers as the given function does."""
    contexts = []

    def start(answer: Callable[[Asked], Answer]) -> Host:
        context = host(lambda asked: TOKEN if asked.path == "/v2/auth/token" else answer(asked))
        contexts.append(context)
        return context.__enter__()

    yield start
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the vendor's published bodies."""
    folder = os.environ.get("VENDOR_SAMPLES")
    if not folder:
        pytest.skip("VENDOR_SAMPLES does not name a folder with the vendor's published bodies")
    return Path(folder) / "personio"
