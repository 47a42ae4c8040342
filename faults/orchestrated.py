"""Runs under Meltano that are stopped: Meltano alone, all of it as Ctrl-C does, or one of its plugins.

After it, `meltano run` makes all rows right, from the state that Meltano kept.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults import moments
from faults.bench import Bench
from faults.meltano import Project, members
from faults.pipes import watch_commits
from faults.runs import Mode
from faults.trials import Outcome
from faults.vendors import VENDORS
from faults.verdict import SCHEMA, Verdict, told

if TYPE_CHECKING:
    import random
    import subprocess

    from faults.moments import Moment
    from faults.trials import Book, Options

PART = "meltano"
TRIALS = 9
STREAMS = 25
REPAIRS = 3
LIMIT = 240.0
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WHOM = ("Meltano", "everything", "the tap", "the loader")
NEVER = ("unforeseen", "Unexpected error")


@dataclass(frozen=True)
class Trial:
    """Who is stopped, how, and when."""

    number: int
    mode: Mode
    whom: str
    way: signal.Signals
    moment: Moment
    streams: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.mode.value}: {self.way.name} of {self.whom} {self.moment}"


def run(options: Options, book: Book) -> None:
    """Make the trials."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.numbers(TRIALS, PART, name):
                bench.prepare()
                book.add(tried(bench, plan(bench, number, options.chance(PART, name, number))))


def plan(bench: Bench, number: int, chance: random.Random) -> Trial:
    """Choose a trial."""
    tokens = bench.vendor.name != "factorial"
    return Trial(
        number=number,
        mode=chance.choice(list(Mode)),
        whom=WHOM[number % len(WHOM)],
        way=WAYS[number % len(WAYS)],
        moment=moments.choose(chance, tokens=tokens, bytes_pass=False),
        streams=tuple(sorted(chance.sample(sorted(bench.keys), min(STREAMS, len(bench.keys))))),
    )


def tried(bench: Bench, trial: Trial) -> Outcome:
    """Stop a run, then run until all is right."""
    started = time.monotonic()
    project = _project(bench, trial.mode)
    select = {
        f"TAP_{bench.vendor.name.upper()}__SELECT": str([f"{name}.*" for name in trial.streams]).replace("'", '"')
    }
    before = project.states()
    found, detail = _stopped(bench, trial, project, select)
    if found is Verdict.EXACT:
        kept = project.states() != before
        found, detail = _repaired(bench, trial, project, select, detail, kept=kept)
    seconds = time.monotonic() - started
    kind = f"{trial.way.name}, {trial.whom} under Meltano"
    return Outcome(PART, bench.vendor.name, trial.number, kind, found, str(trial), detail, seconds=seconds)


def _project(bench: Bench, mode: Mode) -> Project:
    """A project of the trial's own, with the rows and the state of A unless it begins anew."""
    first = mode is Mode.FIRST
    begun = bench.folder / ("project" if first else f"project-{bench.day}")
    if not begun.exists():
        begun.mkdir()
        template = Project(begun, bench.vendor, bench.proxy.url, SCHEMA)
        template.write()
        template.set_state({} if first else bench.state, LIMIT)
        if not first:
            shutil.copyfile(bench.begin, template.database)
    folder = bench.new_folder()
    shutil.copytree(begun, folder, dirs_exist_ok=True)
    return Project(folder, bench.vendor, bench.proxy.url, SCHEMA)


def _stopped(bench: Bench, trial: Trial, project: Project, select: dict[str, str]) -> tuple[Verdict, str]:
    requests, _ = bench.expected(trial.mode, trial.streams)
    over, fired, running = threading.Event(), threading.Event(), list[int]()

    def fire() -> None:
        if running and not fired.is_set() and "target-duckdb" in members(running[0]).values():
            fired.set()
            _send(trial, bench.vendor.name, running[0])

    def begun(process: subprocess.Popen[bytes]) -> None:
        running.append(process.pid)

    bench.reset()
    bench.proxy.clear()
    bench.proxy.meddle = trial.moment.meddle(bench, requests, fire)
    watch = watch_commits(project.database, over, trial.moment.on_commit(fire))
    options = ["--full-refresh"] if trial.mode is Mode.REFRESH else []
    try:
        ended = project.run(*options, limit=LIMIT, whom=begun, more=select)
    finally:
        over.set()
        watch.join()
        bench.proxy.meddle = None
    if ended.hung:
        return Verdict.HANG, ended.log[-2000:]
    odd = [text for text in NEVER if text in ended.log]
    if odd:
        return Verdict.BROKEN, f"the log holds {odd}\n{ended.log[-2000:]}"
    return Verdict.EXACT, "" if fired.is_set() else "it had ended before"


def _send(trial: Trial, vendor: str, group: int) -> None:
    """Stop whom the trial says."""
    names = {"the tap": f"tap-{vendor}", "the loader": "target-duckdb"}
    with suppress(OSError):
        if trial.whom == "everything":
            os.killpg(group, trial.way)
        elif trial.whom == "Meltano":
            os.kill(group, trial.way)
        else:
            for process, command in members(group).items():
                if command == names[trial.whom]:
                    os.kill(process, trial.way)


def _repaired(
    bench: Bench, trial: Trial, project: Project, select: dict[str, str], note: str, *, kept: bool
) -> tuple[Verdict, str]:
    """Run until a run succeeds; then all rows are right. A refresh of which nothing was kept shows deletions later."""
    mode = trial.mode if trial.mode is not Mode.REFRESH or kept else Mode.INCREMENTAL
    logs = []
    for _ in range(REPAIRS):
        bench.reset()
        # A run that was killed seems to be under way for a while.
        ended = project.run("--force", limit=LIMIT, more=select)
        logs.append(ended.log[-1500:])
        if ended.hung:
            return Verdict.HANG, ended.log[-2000:]
        if ended.code == 0:
            wrong = bench.wrong(project.database, trial.streams, mode)
            return (Verdict.UNREPAIRED, told(wrong) + "\n" + "\n".join(logs)) if wrong else (Verdict.EXACT, note)
    return Verdict.UNREPAIRED, "\n".join(logs)
