"""A sandbox inside a test's own process."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 60


class Sandbox:
    """A sandbox that runs.

    Attributes:
        url: its root, such as `http://127.0.0.1:41234`.
    """

    def __init__(self, url: str) -> None:
        """Speak to the sandbox at this address."""
        self.url = url

    def control(self, path: str, /, *, method: str | None = None, **body: Any) -> Any:  # noqa: ANN401  JSON
        """Call a control.

        Args:
            path: such as `hire`, or `counts?start_date=2024-01-01`.
            method: POST where a body is given or the control has no other method, unless said.
            body: the members of the JSON body.

        Returns:
            The answer's JSON.

        Raises:
            ValueError: the control refused; the message is its sentence.
        """
        reads = path.partition("?")[0] in {"counts", "records", "requests", "permissions"}
        request = Request(  # noqa: S310  always http
            f"{self.url}/_control/{path}",
            data=None if reads or method == "DELETE" else json.dumps(body).encode(),
            method=method or ("GET" if reads else "POST"),
        )
        try:
            with urlopen(request) as answer:  # noqa: S310  always http
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from error

    def requests(self) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        return list(self.control("requests")["requests"])

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self.control("requests", method="DELETE")

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows each vendor's streams give without a bookmark."""
        return dict(self.control("counts"))

    def records(self, vendor: str, stream: str) -> list[dict[str, Any]]:
        """The rows of a stream, as the vendor shows them when everything is allowed."""
        return list(self.control(f"records?vendor={vendor}&stream={stream}")["records"])


@contextmanager
def running(**options: Any) -> Iterator[Sandbox]:
    """Run a sandbox on a free port in a thread of this process.

    Args:
        options: those of `hr_sandbox.options.Options`, such as `employees=50`.

    Yields:
        The sandbox; it has stopped when the context ends.
    """
    ready = threading.Event()
    chosen = Options(**options)
    server = Server(make_app(chosen), chosen, lambda _url: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped, name="hr-sandbox", daemon=True)
    thread.start()
    try:
        if not ready.wait(READY_SECONDS):
            raise RuntimeError("The sandbox did not start.")
        yield Sandbox(server.url)
    finally:
        server.stop()
        thread.join()
