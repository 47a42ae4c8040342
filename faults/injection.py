"""Injection points: at a request, at a token renewal, after a number of output bytes, or during a commit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from faults.testbench import TestBench
    from faults.wire import Interceptor, Request, Response, Step

REQUEST = "request"
TOKEN = "token"  # noqa: S105 - not a password
BYTES = "bytes"
COMMIT = "commit"
BEFORE_REQUEST = "before the vendor receives it"
BEFORE_RESPONSE = "after the vendor has responded"
AFTER_RESPONSE = "after the response"


@dataclass(frozen=True)
class InjectionPoint:
    """A point in a run at which a fault is injected.

    Args:
        event: `REQUEST`, `TOKEN`, `BYTES` or `COMMIT`.
        fraction: Progress of the run, from 0 to 1.
        stage: Stage of the request.
        nth: Number of the commit.
        delay: Seconds to wait after the event.
    """

    event: str
    fraction: float
    stage: str
    nth: int
    delay: float

    def __str__(self) -> str:
        match self.event:
            case "commit":
                return f"{1000 * self.delay:.1f} ms into commit {self.nth}"
            case "bytes":
                return f"at {self.fraction:.0%} of its output"
            case "token":
                return f"at a token renewal after {self.fraction:.0%} of its requests, {self.stage}"
            case _:
                return f"at {self.fraction:.0%} of its requests, {self.stage}"

    def make_interceptor(self, bench: TestBench, count: int, stop: Callable[[], None]) -> Interceptor:
        """Returns an interceptor for the proxy that stops the target at this point.

        Args:
            bench: The test bench with the proxy.
            count: Estimated number of requests of the run.
            stop: Stops the target.
        """
        begin = int(self.fraction * count)
        seen = 0
        expired = False

        def intercept(request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
            nonlocal seen, expired
            seen += 1
            if self.event == TOKEN:
                if not expired and seen > begin and not request.endpoint.startswith("POST"):
                    expired = True
                    bench.sandbox.control("expire-tokens", vendor=bench.vendor.name)
                if not (expired and request.endpoint.startswith("POST")):
                    return None
            elif self.event != REQUEST or seen <= begin:
                return None
            return self._respond_and_stop(forward, stop)

        return intercept

    def _respond_and_stop(self, forward: Callable[[], Response], stop: Callable[[], None]) -> Iterable[Step]:
        if self.stage == BEFORE_REQUEST:
            stop()
        response = forward()
        if self.stage == BEFORE_RESPONSE:
            stop()
        yield response.to_bytes()
        if self.stage == AFTER_RESPONSE:
            time.sleep(self.delay)
            stop()

    def make_bytes_callback(self, total: int, stop: Callable[[], None]) -> Callable[[int], None]:
        """Returns a callback for the number of bytes that the tap has written.

        Args:
            total: Estimated total.
            stop: Stops the target.
        """
        return lambda written: stop() if self.event == BYTES and written >= self.fraction * total else None

    def make_commit_callback(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Returns a callback for commits in progress."""
        remaining = self.nth

        def on_commit() -> None:
            nonlocal remaining
            remaining -= 1
            if self.event == COMMIT and remaining <= 0:
                time.sleep(self.delay)
                stop()

        return on_commit


def choose_point(rng: random.Random, *, tokens: bool, output: bool = True) -> InjectionPoint:
    """Chooses an injection point at random.

    Args:
        rng: Source of random choices.
        tokens: Whether the tap uses tokens.
        output: Whether the tap's output is counted.
    """
    events = [REQUEST, REQUEST, COMMIT, COMMIT, *[BYTES] * output, *[TOKEN, TOKEN] * tokens]
    return InjectionPoint(
        event=rng.choice(events),
        fraction=rng.random(),
        stage=rng.choice((BEFORE_REQUEST, BEFORE_RESPONSE, AFTER_RESPONSE)),
        nth=rng.randint(1, 6),
        delay=rng.choice((0.0, 0.0, 0.001, 0.003, 0.01, 0.03)),
    )
