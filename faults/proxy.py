"""Taps behind a proxy that answers badly.

A run is exact, or it says that it was not: with its exit code, or with a warning that names each stream that fell
short. Whatever it was, the next run without a fault, from the state that the loader committed, makes all rows right.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faults.bench import Bench
from faults.kinds import ALWAYS, KINDS, Kind
from faults.place import LOGIN, Place
from faults.runs import Mode
from faults.trials import Outcome
from faults.vendors import VENDORS
from faults.verdict import FAILURES, Verdict, told

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from faults.trials import Book, Options
    from faults.wire import Asked, Reply, Step

PART = "proxy"
OTHERS = 10
"""Streams that are read beside those that the fault is for."""

LIMIT = 90.0
"""Seconds: what may be waited for is 3 seconds long (`max_wait`), and a request is given up after 5."""

OAUTH = "POST /factorial/oauth/token"


@dataclass
class Meddler:
    """Answers some requests of one endpoint badly.

    Args:
        kind: How.
        endpoint: Which.
        after: How many of its requests pass before.
        times: How many it may hit.
    """

    kind: Kind
    endpoint: str
    after: int
    times: int
    hits: int = 0
    forwarded: bool = False
    _before: dict[str, Reply] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
        """What goes back; None: what the vendor answers."""
        if asked.endpoint != self.endpoint:
            return None
        if self.kind.paged:
            before, self._before[asked.endpoint] = self._before.get(asked.endpoint), ask()
            if before is None:
                return None
            ask = lambda: before  # noqa: E731
        with self._lock:
            if asked.number < self.after or self.hits >= self.times:
                return None
        steps = self.kind.make(asked, lambda: self._asked(ask))
        self.hits += steps is not None
        return steps

    def _asked(self, ask: Callable[[], Reply]) -> Reply:
        self.forwarded = True
        return ask()


@dataclass(frozen=True)
class Trial:
    """A fault, where it hits, and how the run begins."""

    number: int
    kind: Kind
    mode: Mode
    endpoint: str
    after: int
    times: int
    streams: tuple[str, ...]
    oauth: bool = False

    def __str__(self) -> str:
        times = "always" if self.times == ALWAYS else f"{self.times} x"
        login = ", with a login" if self.oauth else ""
        return f"{self.mode.value}{login}: {self.kind.name} ({times}, after {self.after}) at {self.endpoint}"


def run(options: Options, book: Book) -> None:
    """Make the trials."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            bench.prepare()
            if name == "factorial":
                _learn_tokens(bench)
            for number in options.numbers(len(KINDS), PART, name):
                trial = plan(bench, number, options.chance(PART, name, number))
                if trial:
                    bench.prepare()
                    book.add(tried(bench, trial))


def _learn_tokens(bench: Bench) -> None:
    """Let the proxy see how tokens are given."""
    Place(bench, Mode.FIRST, ["teams_teams"], oauth=True).run()


def plan(bench: Bench, number: int, chance: random.Random) -> Trial | None:
    """Choose where a kind of fault hits; None where there is no answer that it could be made of."""
    kind = KINDS[number]
    mode = chance.choice(list(Mode))
    counts: Mapping[str, int] = bench.requests[mode]
    places = [endpoint for endpoint in counts if _fits(bench, kind, endpoint, mode)]
    if kind.tokens or chance.random() < 1 / 12:
        places = [endpoint for endpoint in bench.proxy.samples if _gives_tokens(endpoint)] or places
        places = [endpoint for endpoint in places if _fits(bench, kind, endpoint, mode)]
    if not places:
        return None
    endpoint = chance.choice(sorted(places))
    there = [stream for stream, path in bench.endpoints.items() if path == endpoint]
    others = chance.sample(sorted(bench.keys), min(OTHERS, len(bench.keys)))
    return Trial(
        number=number,
        kind=kind,
        mode=mode,
        endpoint=endpoint,
        after=0 if kind.paged else chance.randrange(counts.get(endpoint, 1)),
        times=chance.choice(kind.times),
        streams=tuple(sorted({*there, *others})),
        oauth=endpoint == OAUTH,
    )


def _gives_tokens(endpoint: str) -> bool:
    return endpoint.startswith("POST ")


def _fits(bench: Bench, kind: Kind, endpoint: str, mode: Mode) -> bool:
    sample = bench.proxy.samples.get(endpoint)
    if sample is None or (kind.tokens and not _gives_tokens(endpoint)):
        return False
    if kind.paged:
        counts, opened = bench.requests[mode], bench.opened[mode]
        return counts.get(endpoint, 0) > 1 and opened.get(endpoint, 0) <= 1
    asked, reply = sample
    return kind.make(asked, lambda: reply) is not None


def tried(bench: Bench, trial: Trial) -> Outcome:
    """Run behind the proxy, then without it."""
    started = time.monotonic()
    place = Place(bench, trial.mode, trial.streams, oauth=trial.oauth, request_timeout=1 if trial.kind.patient else 5)
    meddler = Meddler(trial.kind, trial.endpoint, trial.after, trial.times)
    bench.proxy.meddle = meddler
    try:
        ran = place.run(LIMIT)
    finally:
        bench.proxy.meddle = None
    found, detail = place.judge(ran)
    if trial.kind.harmless and found is not Verdict.EXACT:
        found, detail = Verdict.BROKEN, f"nothing was lost on the way, and yet: {found.value}: {detail}"
    if not meddler.hits:
        detail = "the fault was not met"
    if found not in FAILURES:
        again, wrong = place.repair(ran)
        if trial.oauth and meddler.forwarded and LOGIN in again.log:
            # The vendor gave the next refresh token, and it was lost on its way.
            place.log_in()
            again, wrong = place.repair(ran)
            found = Verdict.LOGIN
        if wrong or not again.succeeded:
            detail = f"first ({found.value}) {ran}\n     then {again}\n     {told(wrong)}"
            found = Verdict.UNREPAIRED
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, trial.number, trial.kind.group, found, str(trial), detail, seconds=seconds)
