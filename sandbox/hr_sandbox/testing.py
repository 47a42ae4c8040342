"""Runs a sandbox inside a test's process."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from hr_sandbox.app import make_app
from hr_sandbox.http.server import Server
from hr_sandbox.options import Options
from hr_sandbox.replay import make_replay, read_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette

READY_SECONDS = 60
READS = frozenset({"counts", "permissions", "push-counts", "pushes", "records", "requests"})


class Sandbox:
    """A client for the controls of a running sandbox.

    Attributes:
        url: its base URL, such as `http://127.0.0.1:41234`.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, path: str, /, *, method: str | None = None, **body: Any) -> Any:  # noqa: ANN401  JSON
        """Calls a control.

        Args:
            path: the control, such as `hire` or `counts?start_date=2024-01-01`.
            method: the HTTP method; by default GET for controls that only read, else POST.
            body: the members of the JSON body.

        Returns:
            The JSON of the response.

        Raises:
            ValueError: the control failed; the message is its error.
        """
        reads = path.partition("?")[0] in READS
        request = Request(  # noqa: S310  always http
            f"{self.url}/_control/{path}",
            data=None if reads or method == "DELETE" else json.dumps(body).encode(),
            method=method or ("GET" if reads else "POST"),
        )
        try:
            with urlopen(request) as response:  # noqa: S310  always http
                return json.load(response)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from error

    def requests(self) -> list[dict[str, Any]]:
        """Returns the log of requests, oldest first."""
        return list(self.control("requests")["requests"])

    def clear_requests(self) -> None:
        """Clears the log of requests."""
        self.control("requests", method="DELETE")

    def counts(self, vendor: str) -> dict[str, int]:
        """Returns how many rows a full read of each of the vendor's streams yields."""
        return dict(self.control(f"counts?vendor={vendor}")[vendor])

    def records(self, vendor: str, stream: str) -> list[dict[str, Any]]:
        """Returns the rows of a stream, with all permissions."""
        return list(self.control(f"records?vendor={vendor}&stream={stream}")["records"])


@contextmanager
def running(**options: Any) -> Iterator[Sandbox]:
    """Runs a sandbox on a free port in a thread of this process.

    Args:
        options: those of `hr_sandbox.options.Options`, such as `employees=50`.

    Yields:
        A client for the sandbox, which stops when the context ends.
    """
    chosen = Options(**options)
    with _serve_in_thread(make_app(chosen), chosen) as url:
        yield Sandbox(url)


@contextmanager
def replaying(folder: Path) -> Iterator[str]:
    """Serves a recording on a free port in a thread of this process.

    Args:
        folder: the recording, as a tap wrote it.

    Yields:
        The base URL of the server, which stops when the context ends.
    """
    with _serve_in_thread(make_replay(read_recording(folder)), Options()) as url:
        yield url


@contextmanager
def _serve_in_thread(app: Starlette, options: Options) -> Iterator[str]:
    ready = threading.Event()
    server = Server(app, options, lambda _url: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped, name="hr-sandbox", daemon=True)
    thread.start()
    try:
        if not ready.wait(READY_SECONDS):
            raise RuntimeError("The sandbox did not start.")
        yield server.url
    finally:
        server.stop()
        thread.join()
