"""Runs that are stopped: by signals and broken pipes, at any moment, full and incremental, the tap, the loader or both.

After it, runs from the state that the loader committed make all rows right. What was stopped says so with its exit
code, and a tap that could still do something leaves whole lines.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults import moments
from faults.bench import Bench
from faults.pipes import Pipeline, watch_commits
from faults.place import LOGIN, Place
from faults.runs import Mode, Run
from faults.trials import Outcome
from faults.vendors import VENDORS
from faults.verdict import Verdict, loud_lines, told

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from pathlib import Path

    from faults.moments import Moment
    from faults.processes import Ended
    from faults.trials import Book, Options
    from faults.wire import Proxy

PART = "killer"
TRIALS = {"personio": 55, "factorial": 65, "cornerstone": 55}
STREAMS = 25
"""At most, in one run."""

BATCHES = (50, 500, 5000, 100_000)
REPAIRS = 3
"""Runs after which all must be right; one is enough, but for a login that was lost."""

LIMIT = 120.0
FRESH = 1.0
PIPE = "broken pipe"
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, PIPE)
WHOM = ("tap", "loader", "both")
CODES: Mapping[Any, int] = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130, PIPE: 1}


@dataclass(frozen=True)
class Trial:
    """Who is stopped, how, and when."""

    number: int
    mode: Mode
    whom: str
    way: signal.Signals | str
    moment: Moment
    streams: tuple[str, ...]
    batch: int
    oauth: bool
    from_output: bool
    """Whether the next run begins with the last STATE that the loader wrote, not with what is in the file."""

    def __str__(self) -> str:
        way = self.way if isinstance(self.way, str) else self.way.name
        login = ", with a login" if self.oauth else ""
        return f"{self.mode.value}{login}: {way} of {self.whom} {self.moment}, batches of {self.batch}"


@dataclass
class Shot:
    """Stops processes of a pipeline, once."""

    trial: Trial
    proxy: Proxy
    pipeline: Pipeline | None = None
    meets_a_token: bool = False
    met: list[str] = field(default_factory=list)
    """Who was there to be stopped."""
    done: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fire(self) -> None:
        """Stop whom the trial says."""
        with self._lock:
            if self.done.is_set() or self.pipeline is None:
                return
            self.done.set()
        token = self.proxy.token_at
        # One that the vendor gave in the last second, or gives just now, may never have been written.
        self.meets_a_token = token is not None and time.monotonic() - token < FRESH
        for name in ("tap", "loader") if self.trial.whom == "both" else (self.trial.whom,):
            if isinstance(self.trial.way, str):
                self.met += [name] if self.pipeline.processes[name].poll() is None else []
                self.pipeline.break_pipe(name)
            elif self.pipeline.send(name, self.trial.way):
                self.met.append(name)


def run(options: Options, book: Book) -> None:
    """Make the trials."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.numbers(TRIALS[name], PART, name):
                bench.prepare()
                book.add(tried(bench, plan(bench, number, options.chance(PART, name, number))))


def plan(bench: Bench, number: int, chance: random.Random) -> Trial:
    """Choose a trial."""
    way = WAYS[number % len(WAYS)]
    oauth = bench.vendor.name == "factorial" and chance.random() < 1 / 2
    streams = tuple(sorted(chance.sample(sorted(bench.keys), min(STREAMS, len(bench.keys)))))
    mode = chance.choice(list(Mode))
    return Trial(
        number=number,
        mode=mode,
        whom=chance.choice(WHOM[:2] if way == PIPE else WHOM),
        way=way,
        moment=moments.choose(chance, tokens=oauth or bench.vendor.name != "factorial"),
        streams=streams,
        batch=chance.choice(BATCHES),
        oauth=oauth,
        from_output=chance.random() < 1 / 3,
    )


def tried(bench: Bench, trial: Trial) -> Outcome:
    """Stop a run, then run until all is right."""
    started = time.monotonic()
    place = Place(bench, trial.mode, trial.streams, oauth=trial.oauth)
    shot = Shot(trial, bench.proxy)
    found, detail = _judge(trial, shot, _stopped(place, shot), place.folder)
    if found is Verdict.EXACT:
        found, detail = _repaired(place, shot)
    met = "" if shot.met else " (it had ended before)"
    return Outcome(
        PART,
        bench.vendor.name,
        trial.number,
        _kind(trial),
        found,
        f"{trial}{met}",
        detail,
        seconds=time.monotonic() - started,
    )


def _kind(trial: Trial) -> str:
    way = trial.way if isinstance(trial.way, str) else trial.way.name
    return f"{way}, {trial.whom}"


def _stopped(place: Place, shot: Shot) -> dict[str, Ended]:
    """Run until the moment comes, and to the end of both."""
    bench, trial = place.bench, shot.trial
    arguments = bench.arguments(place.folder, trial.streams, place.state, **place.config)
    loader = bench.loader_config(place.folder, place.database, batch_size_rows=trial.batch)
    requests, size = bench.expected(trial.mode, trial.streams)
    over = threading.Event()
    bench.reset()
    bench.proxy.clear()
    bench.proxy.meddle = trial.moment.meddle(bench, requests, shot.fire)
    watch = watch_commits(place.database, over, trial.moment.on_commit(shot.fire))
    try:
        shot.pipeline = Pipeline(
            place.folder,
            [bench.vendor.tap, *arguments],
            ["target-duckdb", "--config", str(loader)],
            trial.moment.on_bytes(size, shot.fire),
        )
        return shot.pipeline.wait(LIMIT)
    finally:
        over.set()
        watch.join()
        bench.proxy.meddle = None


def _judge(trial: Trial, shot: Shot, ended: dict[str, Ended], folder: Path) -> tuple[Verdict, str]:
    """Whether both ended as they should."""
    # What the loader no longer took, or a tap had no time to write, is cut anywhere.
    cut = trial.whom != "tap" or trial.way in {signal.SIGKILL, PIPE}
    ran = Run(ended["tap"], ended["loader"], folder / "tap.out", may_be_cut=cut)
    if ran.hung:
        return Verdict.HANG, str(ran)
    if ran.broken:
        return Verdict.BROKEN, f"{ran.broken}: {ran}"
    for name, end in ended.items():
        expected = {CODES[trial.way], 0} if name in shot.met else {0, 1}
        if name in shot.met and trial.way is signal.SIGKILL:
            expected = {-9, 0}  # it may have been about to end
        if name == "tap" and "loader" in shot.met:
            expected |= {1}  # the closed pipe may reach it before the signal
        if end.code not in expected:
            return Verdict.BROKEN, f"the {name} ended with {end.code}: {ran}"
        if end.code == 1 and not loud_lines(end.log):
            return Verdict.BROKEN, f"the {name} ended with 1 and said nothing"
    return Verdict.EXACT, ""


def _repaired(place: Place, shot: Shot) -> tuple[Verdict, str]:
    """Run until a run succeeds; then all rows are right."""
    state = _last_state(place.folder) if shot.trial.from_output else None
    found, seen = Verdict.EXACT, ""
    for _ in range(REPAIRS):
        again, wrong = place.repair(state=state)
        seen += f"\n     {again}"
        if again.succeeded:
            if wrong:
                return Verdict.UNREPAIRED, told(wrong) + seen
            left = sorted(path.name for path in (place.folder / "tmp").iterdir())
            return (Verdict.BROKEN, f"left behind: {left}") if left else (found, "")
        if shot.trial.oauth and shot.meets_a_token and LOGIN in again.log:
            found = Verdict.LOGIN
            place.log_in()
        state = None
    return Verdict.UNREPAIRED, seen


def _last_state(folder: Path) -> dict[str, Any] | None:
    # A loader that is killed may leave a last line that is not whole; whoever keeps the state passes over it.
    lines = [line for line in (folder / "states.out").read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return dict(json.loads(lines[-1])) if lines else None
