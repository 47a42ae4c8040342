"""Stops runs under Meltano: Meltano itself, its whole process group as Ctrl-C does, or one of its plugins.

`meltano run` must then load every row, from the state that Meltano has stored.
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

from faults import injection
from faults.meltano_project import Project, list_running_processes
from faults.pipeline import watch_commits
from faults.pipeline_run import Mode
from faults.results import Outcome
from faults.testbench import TestBench
from faults.vendors import VENDORS
from faults.verdict import SCHEMA, Verdict, describe_differences

if TYPE_CHECKING:
    import random
    import subprocess

    from faults.injection import InjectionPoint
    from faults.results import Options, ResultLog

PART = "meltano"
TRIALS = 9
STREAMS = 25
MAX_RERUNS = 3
LIMIT = 240.0
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("Meltano", "everything", "the tap", "the loader")
UNEXPECTED_TEXTS = ("Please report it with this line", "Unexpected error")


@dataclass(frozen=True)
class Trial:
    """A run of Meltano whose processes are killed: which of them, how, and when."""

    number: int
    mode: Mode
    target: str
    signal_number: signal.Signals
    point: InjectionPoint
    streams: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.mode.value}: {self.signal_number.name} of {self.target} {self.point}"


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.choose_trial_numbers(TRIALS, PART, name):
                bench.build_references()
                results.add_outcome(run_trial(bench, plan_trial(bench, number, options.make_rng(PART, name, number))))


def plan_trial(bench: TestBench, number: int, rng: random.Random) -> Trial:
    """Chooses a trial at random."""
    tokens = bench.vendor.name != "factorial"
    return Trial(
        number=number,
        mode=rng.choice(list(Mode)),
        target=TARGETS[number % len(TARGETS)],
        signal_number=SIGNALS[number % len(SIGNALS)],
        point=injection.choose_point(rng, tokens=tokens, output=False),
        streams=tuple(sorted(rng.sample(sorted(bench.keys), min(STREAMS, len(bench.keys))))),
    )


def run_trial(bench: TestBench, trial: Trial) -> Outcome:
    """Stops a run, then reruns it until every row is loaded."""
    started = time.monotonic()
    project = _make_project(bench, trial.mode)
    select = {
        f"TAP_{bench.vendor.name.upper()}__SELECT": str([f"{name}.*" for name in trial.streams]).replace("'", '"')
    }
    states = project.read_states()
    found, detail = _run_and_kill(bench, trial, project, select)
    if found is Verdict.EXACT:
        state_stored = project.read_states() != states
        found, detail = _recover(bench, trial, project, select, detail, state_stored=state_stored)
    seconds = time.monotonic() - started
    category = f"{trial.signal_number.name}, {trial.target} under Meltano"
    return Outcome(PART, bench.vendor.name, trial.number, category, found, str(trial), detail, seconds=seconds)


def _make_project(bench: TestBench, mode: Mode) -> Project:
    """Returns a new project, with the baseline's rows and state unless this is a first run."""
    first = mode is Mode.FIRST
    template_folder = bench.folder / ("project" if first else f"project-{bench.day}")
    if not template_folder.exists():
        template_folder.mkdir()
        template = Project(template_folder, bench.vendor, bench.proxy.url, SCHEMA)
        template.write_config()
        template.set_state({} if first else bench.state, LIMIT)
        if not first:
            shutil.copyfile(bench.baseline, template.database)
    folder = bench.new_folder()
    shutil.copytree(template_folder, folder, dirs_exist_ok=True)
    return Project(folder, bench.vendor, bench.proxy.url, SCHEMA)


def _run_and_kill(bench: TestBench, trial: Trial, project: Project, select: dict[str, str]) -> tuple[Verdict, str]:
    requests, _ = bench.estimate_run(trial.mode, trial.streams)
    finished, was_killed, running = threading.Event(), threading.Event(), list[int]()

    def kill() -> None:
        if running and not was_killed.is_set() and "target-duckdb" in list_running_processes(running[0]).values():
            was_killed.set()
            _kill_target(trial, bench.vendor.name, running[0])

    def on_start(process: subprocess.Popen[bytes]) -> None:
        running.append(process.pid)

    bench.reset_quotas()
    bench.proxy.reset_counts()
    bench.proxy.interceptor = trial.point.make_interceptor(bench, requests, kill)
    watch = watch_commits(project.database, finished, trial.point.make_commit_callback(kill))
    options = ["--full-refresh"] if trial.mode is Mode.REFRESH else []
    try:
        result = project.run(*options, limit=LIMIT, on_start=on_start, more=select)
    finally:
        finished.set()
        watch.join()
        bench.proxy.interceptor = None
    if result.hung:
        return Verdict.HANG, result.log[-2000:]
    unexpected = [text for text in UNEXPECTED_TEXTS if text in result.log]
    if unexpected:
        return Verdict.VIOLATION, f"the log contains {unexpected}\n{result.log[-2000:]}"
    return Verdict.EXACT, "" if was_killed.is_set() else "already finished"


def _kill_target(trial: Trial, vendor: str, group: int) -> None:
    """Stops the trial's target."""
    names = {"the tap": f"tap-{vendor}", "the loader": "target-duckdb"}
    with suppress(OSError):
        if trial.target == "everything":
            os.killpg(group, trial.signal_number)
        elif trial.target == "Meltano":
            os.kill(group, trial.signal_number)
        else:
            for process, command in list_running_processes(group).items():
                if command == names[trial.target]:
                    os.kill(process, trial.signal_number)


def _recover(
    bench: TestBench, trial: Trial, project: Project, select: dict[str, str], note: str, *, state_stored: bool
) -> tuple[Verdict, str]:
    """Reruns until a run succeeds, then compares every row. Without a stored state, a refresh shows deletions later."""
    mode = trial.mode if trial.mode is not Mode.REFRESH or state_stored else Mode.INCREMENTAL
    logs = []
    for _ in range(MAX_RERUNS):
        bench.reset_quotas()
        # Meltano takes a killed run for a running one for a while.
        result = project.run("--force", limit=LIMIT, more=select)
        logs.append(result.log[-1500:])
        if result.hung:
            return Verdict.HANG, result.log[-2000:]
        if result.code == 0:
            differences = bench.find_differences(project.database, trial.streams, mode)
            if differences:
                return Verdict.NOT_RECOVERED, "\n".join([describe_differences(differences), *logs])
            return Verdict.EXACT, note
    return Verdict.NOT_RECOVERED, "\n".join(logs)
