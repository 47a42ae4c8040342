"""Two runs at once: into one file, and with one file of tokens.

Each is exact or says that it failed; rows that are there stay live; the run after them makes all right.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults import verdict
from faults.bench import Bench
from faults.moments import AFTER, TOKEN, Moment
from faults.pipes import Pipeline
from faults.place import LOGIN, Place
from faults.runs import Mode, Run
from faults.trials import Outcome
from faults.vendors import VENDORS
from faults.verdict import SCHEMA, Verdict, loud_lines, told

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from faults.trials import Book, Options

PART = "pairs"
LIMIT = 180.0
STREAMS = 30
OTHER = "other"
"""The schema of the second run, where they have one each."""


@dataclass(frozen=True)
class Kind:
    """How two runs meet.

    Args:
        name: In the report.
        modes: How they begin.
        schemas: Whether each has a schema of its own.
        tokens: Whether they share a login, and a file each for their rows.
    """

    name: str
    modes: tuple[Mode, Mode]
    schemas: bool = False
    tokens: bool = False


TABLES = (
    Kind("two first runs into one schema", (Mode.FIRST, Mode.FIRST)),
    Kind("two full refreshes of one schema", (Mode.REFRESH, Mode.REFRESH)),
    Kind("a full refresh and an incremental run", (Mode.REFRESH, Mode.INCREMENTAL)),
    Kind("two schemas of one file", (Mode.REFRESH, Mode.FIRST), schemas=True),
)
TOKENS = Kind("one file of tokens", (Mode.FIRST, Mode.FIRST), tokens=True)
TRIALS: dict[str, tuple[Kind, ...]] = {
    "personio": TABLES * 2,
    "factorial": (*TABLES, *[TOKENS] * 6),
    "cornerstone": TABLES * 2,
}


def run(options: Options, book: Book) -> None:
    """Make the trials."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.numbers(len(TRIALS[name]), PART, name):
                bench.prepare()
                book.add(tried(bench, number, TRIALS[name][number], options.chance(PART, name, number)))


def tried(bench: Bench, number: int, kind: Kind, chance: random.Random) -> Outcome:
    """Run two pipelines at once, then one more."""
    started = time.monotonic()
    delay = chance.choice((0.0, 0.2, 0.6, 1.2))
    streams = chance.sample(sorted(bench.keys), min(STREAMS, len(bench.keys)))
    place = Place(bench, kind.modes[0], streams, oauth=kind.tokens)
    runs = _both(place, kind, delay, Moment(TOKEN, chance.random(), AFTER, 0, 0.0))
    found, detail = _judge(place, kind, runs)
    if found not in verdict.FAILURES:
        again, wrong = place.repair()
        if wrong or not again.succeeded:
            seen = "\n     ".join(map(str, (*runs, again)))
            found, detail = Verdict.UNREPAIRED, f"{told(wrong)}\n     {seen}"
    what = f"{kind.name}, {delay} s apart"
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, number, kind.name, found, what, detail, seconds=seconds)


def _both(place: Place, kind: Kind, delay: float, moment: Moment) -> tuple[Run, Run]:
    """How two runs ended that were under way together."""
    bench = place.bench
    bench.reset()
    bench.proxy.clear()
    if kind.tokens:
        requests, _ = bench.expected(place.mode, place.streams)
        bench.proxy.meddle = moment.meddle(bench, 2 * requests, lambda: None)
    pipelines = []
    try:
        for index, mode in enumerate(kind.modes):
            time.sleep(index * delay)
            pipelines.append(_started(place, kind, index, bench.state if mode is Mode.INCREMENTAL else None))
        ended = [pipeline.wait(LIMIT) for pipeline in pipelines]
    finally:
        bench.proxy.meddle = None
    first, second = (
        Run(both["tap"], both["loader"], pipeline.folder / "tap.out")
        for pipeline, both in zip(pipelines, ended, strict=True)
    )
    return first, second


def _started(place: Place, kind: Kind, index: int, state: dict[str, Any] | None) -> Pipeline:
    folder = place.folder / f"run-{index}"
    folder.mkdir()
    tap = place.bench.arguments(folder, place.streams, state, **place.config)
    schema = OTHER if kind.schemas and index else SCHEMA
    loader = place.bench.loader_config(folder, _database(place, kind, index), default_target_schema=schema)
    return Pipeline(
        folder,
        [place.bench.vendor.tap, *tap],
        ["target-duckdb", "--config", str(loader)],
    )


def _database(place: Place, kind: Kind, index: int) -> Path:
    return place.folder / "second.duckdb" if kind.tokens and index else place.database


def _judge(place: Place, kind: Kind, runs: tuple[Run, Run]) -> tuple[Verdict, str]:
    seen = "\n     ".join(map(str, runs))
    if any(run.hung for run in runs):
        return Verdict.HANG, seen
    mute = any(not run.succeeded and not loud_lines(run.log) for run in runs)
    lost = kind.tokens and any(LOGIN in run.log for run in runs)
    if mute or lost or any(run.broken for run in runs):
        why = "a run failed and said nothing" if mute else "the login was lost" if lost else "a run broke off"
        return Verdict.BROKEN, f"{why}: {seen}"
    # Whoever read everything decides; where both did, whoever came last.
    lenient = any(not run.succeeded for run in runs)
    wrong = place.bench.wrong(place.database, place.streams, Mode.INCREMENTAL if lenient else kind.modes[0])
    silent = {stream: difference for stream, difference in wrong.items() if difference.deleted or not lenient}
    if not lenient and (kind.tokens or kind.schemas):
        wanted = verdict.prints(place.bench.right)
        got = verdict.prints(_database(place, kind, 1), OTHER if kind.schemas else SCHEMA)
        differing = [stream for stream in place.streams if wanted.get(stream) != got.get(stream)]
        silent |= {f"{stream} of the second run": verdict.Difference() for stream in differing}
    if silent:
        return Verdict.SILENT, f"{told(silent)}\n     {seen}"
    return (Verdict.ALOUD if lenient else Verdict.EXACT), ""
