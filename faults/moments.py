"""When something is stopped: at a request, while a token is renewed, after so many bytes, while rows are committed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from faults.bench import Bench
    from faults.wire import Asked, Meddle, Reply, Step

REQUEST = "request"
TOKEN = "token"  # noqa: S105 - a moment
BYTES = "bytes"
COMMIT = "commit"
BEFORE = "before the vendor gets it"
ANSWERED = "when the vendor has answered"
AFTER = "after the answer"


@dataclass(frozen=True)
class Moment:
    """A moment of a run.

    Args:
        what: One of the above.
        share: Where in the run, from 0 to 1.
        stage: Of a request.
        nth: Which commit.
        delay: Seconds after it.
    """

    what: str
    share: float
    stage: str
    nth: int
    delay: float

    def __str__(self) -> str:
        match self.what:
            case "commit":
                return f"{1000 * self.delay:.1f} ms into commit {self.nth}"
            case "bytes":
                return f"at {self.share:.0%} of its output"
            case "token":
                return f"at a new token, from {self.share:.0%} of its requests on, {self.stage}"
            case _:
                return f"at {self.share:.0%} of its requests, {self.stage}"

    def meddle(self, bench: Bench, count: int, fire: Callable[[], None]) -> Meddle:
        """What the proxy does at that moment.

        Args:
            bench: Whose proxy.
            count: About how many requests the run makes.
            fire: Stops whom it is to stop.
        """
        begin = int(self.share * count)
        seen = 0
        expired = False

        def meddle(asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
            nonlocal seen, expired
            seen += 1
            if self.what == TOKEN:
                if not expired and seen > begin and not asked.endpoint.startswith("POST"):
                    expired = True
                    bench.sandbox.control("expire-tokens", vendor=bench.vendor.name)
                if not (expired and asked.endpoint.startswith("POST")):
                    return None
            elif self.what != REQUEST or seen <= begin:
                return None
            return self._stages(ask, fire)

        return meddle

    def _stages(self, ask: Callable[[], Reply], fire: Callable[[], None]) -> Iterable[Step]:
        if self.stage == BEFORE:
            fire()
        reply = ask()
        if self.stage == ANSWERED:
            fire()
        yield reply.whole()
        if self.stage == AFTER:
            time.sleep(self.delay)
            fire()

    def on_bytes(self, total: int, fire: Callable[[], None]) -> Callable[[int], None]:
        """What is called with the bytes that have passed.

        Args:
            total: About how many there will be.
            fire: Stops whom it is to stop.
        """
        return lambda passed: fire() if self.what == BYTES and passed >= self.share * total else None

    def on_commit(self, fire: Callable[[], None]) -> Callable[[], None]:
        """What is called each time that a commit is being written."""
        left = self.nth

        def committing() -> None:
            nonlocal left
            left -= 1
            if self.what == COMMIT and left <= 0:
                time.sleep(self.delay)
                fire()

        return committing


def choose(chance: random.Random, *, tokens: bool, bytes_pass: bool = True) -> Moment:
    """Choose a moment.

    Args:
        chance: Chooses.
        tokens: Whether the tap gets tokens at all.
        bytes_pass: Whether somebody counts what the tap writes.
    """
    whats = [REQUEST, REQUEST, COMMIT, COMMIT, *[BYTES] * bytes_pass, *[TOKEN, TOKEN] * tokens]
    return Moment(
        what=chance.choice(whats),
        share=chance.random(),
        stage=chance.choice((BEFORE, ANSWERED, AFTER)),
        nth=chance.randint(1, 6),
        delay=chance.choice((0.0, 0.0, 0.001, 0.003, 0.01, 0.03)),
    )
