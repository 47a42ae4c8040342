"""Stops the tap, the loader or both with signals and broken pipes, at any point of full and incremental runs.

Reruns from the state that the loader committed must then load every row. A stopped process must report it with its exit
code, and a tap that is not killed outright must leave complete lines.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults import injection
from faults.pipeline import Pipeline, watch_commits
from faults.pipeline_run import Mode, PipelineRun
from faults.results import Outcome
from faults.testbench import TestBench
from faults.trial_environment import LOGIN_HINT, TrialEnvironment
from faults.vendors import VENDORS
from faults.verdict import Verdict, describe_differences, find_warning_lines

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from pathlib import Path

    from faults.injection import InjectionPoint
    from faults.processes import ProcessResult
    from faults.results import Options, ResultLog
    from faults.wire import Proxy

PART = "killer"
TRIALS = {"personio": 55, "factorial": 65, "cornerstone": 55}
STREAMS = 25
"""Maximum number of streams in a run."""

BATCHES = (50, 500, 5000, 100_000)
MAX_RERUNS = 3
"""Reruns until every row must be there. One is enough unless a login was lost."""

LIMIT = 120.0
TOKEN_WRITE_SECONDS = 1.0
PIPE = "broken pipe"
METHODS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, PIPE)
TARGETS = ("tap", "loader", "both")
EXIT_CODES: Mapping[Any, int] = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130, PIPE: 1}


@dataclass(frozen=True)
class Trial:
    """A run whose processes are killed: which of them, how, and when."""

    number: int
    mode: Mode
    target: str
    method: signal.Signals | str
    point: InjectionPoint
    streams: tuple[str, ...]
    batch_size: int
    oauth: bool
    use_loader_output: bool
    """Whether the rerun starts from the last STATE line of the loader instead of the state in the database."""

    def __str__(self) -> str:
        name = self.method if isinstance(self.method, str) else self.method.name
        login = ", with a login" if self.oauth else ""
        return f"{self.mode.value}{login}: {name} of {self.target} {self.point}, batches of {self.batch_size}"


@dataclass
class Killer:
    """Kills the processes of a pipeline once, with a signal or a broken pipe."""

    trial: Trial
    proxy: Proxy
    pipeline: Pipeline | None = None
    may_lose_token: bool = False
    killed: list[str] = field(default_factory=list)
    """Processes that were still running when they were killed."""
    done: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def kill(self) -> None:
        """Kills the trial's target."""
        with self._lock:
            if self.done.is_set() or self.pipeline is None:
                return
            self.done.set()
        requested = self.proxy.last_token_request
        # A token issued within the last second may not have reached the token file.
        self.may_lose_token = requested is not None and time.monotonic() - requested < TOKEN_WRITE_SECONDS
        for name in ("tap", "loader") if self.trial.target == "both" else (self.trial.target,):
            if isinstance(self.trial.method, str):
                self.killed += [name] if self.pipeline.processes[name].poll() is None else []
                self.pipeline.break_pipe(name)
            elif self.pipeline.send_signal(name, self.trial.method):
                self.killed.append(name)


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.choose_trial_numbers(TRIALS[name], PART, name):
                bench.build_references()
                results.add_outcome(run_trial(bench, plan_trial(bench, number, options.make_rng(PART, name, number))))


def plan_trial(bench: TestBench, number: int, rng: random.Random) -> Trial:
    """Chooses a trial at random."""
    method = METHODS[number % len(METHODS)]
    oauth = bench.vendor.name == "factorial" and rng.random() < 1 / 2
    streams = tuple(sorted(rng.sample(sorted(bench.keys), min(STREAMS, len(bench.keys)))))
    mode = rng.choice(list(Mode))
    return Trial(
        number=number,
        mode=mode,
        target=rng.choice(TARGETS[:2] if method == PIPE else TARGETS),
        method=method,
        point=injection.choose_point(rng, tokens=oauth or bench.vendor.name != "factorial"),
        streams=streams,
        batch_size=rng.choice(BATCHES),
        oauth=oauth,
        use_loader_output=rng.random() < 1 / 3,
    )


def run_trial(bench: TestBench, trial: Trial) -> Outcome:
    """Stops a run, then reruns it until every row is loaded."""
    started = time.monotonic()
    env = TrialEnvironment(bench, trial.mode, trial.streams, oauth=trial.oauth)
    killer = Killer(trial, bench.proxy)
    found, detail = _assess_kill(trial, killer, _run_and_kill(env, killer), env.folder)
    if found is Verdict.EXACT:
        found, detail = _recover(env, killer)
    note = "" if killer.killed else " (already finished)"
    return Outcome(
        PART,
        bench.vendor.name,
        trial.number,
        _name_category(trial),
        found,
        f"{trial}{note}",
        detail,
        seconds=time.monotonic() - started,
    )


def _name_category(trial: Trial) -> str:
    name = trial.method if isinstance(trial.method, str) else trial.method.name
    return f"{name}, {trial.target}"


def _run_and_kill(env: TrialEnvironment, killer: Killer) -> dict[str, ProcessResult]:
    """Runs the pipeline, stops it at the injection point and waits for both processes."""
    bench, trial = env.bench, killer.trial
    arguments = bench.make_tap_arguments(env.folder, trial.streams, env.state, **env.config)
    loader = bench.write_loader_config(env.folder, env.database, batch_size_rows=trial.batch_size)
    requests, size = bench.estimate_run(trial.mode, trial.streams)
    finished = threading.Event()
    bench.reset_quotas()
    bench.proxy.reset_counts()
    bench.proxy.interceptor = trial.point.make_interceptor(bench, requests, killer.kill)
    watch = watch_commits(env.database, finished, trial.point.make_commit_callback(killer.kill))
    try:
        killer.pipeline = Pipeline(
            env.folder,
            [bench.vendor.tap, *arguments],
            ["target-duckdb", "--config", str(loader)],
            trial.point.make_bytes_callback(size, killer.kill),
        )
        return killer.pipeline.wait(LIMIT)
    finally:
        finished.set()
        watch.join()
        bench.proxy.interceptor = None


def _assess_kill(trial: Trial, killer: Killer, exits: dict[str, ProcessResult], folder: Path) -> tuple[Verdict, str]:
    """Checks exit codes, logs and output of the stopped run."""
    # Output may end mid-line if the loader stopped reading or the tap was killed.
    truncated = trial.target != "tap" or trial.method in {signal.SIGKILL, PIPE}
    result = PipelineRun(exits["tap"], exits["loader"], folder / "tap.out", may_be_truncated=truncated)
    if result.hung:
        return Verdict.HANG, str(result)
    if result.violation:
        return Verdict.VIOLATION, f"{result.violation}: {result}"
    for name, end in exits.items():
        expected = {EXIT_CODES[trial.method], 0} if name in killer.killed else {0, 1}
        if name in killer.killed and trial.method is signal.SIGKILL:
            expected = {-9, 0}  # it may just have finished
        if name == "tap" and "loader" in killer.killed:
            expected |= {1}  # it may see the closed pipe before the signal
        if end.code not in expected:
            return Verdict.VIOLATION, f"the {name} has exit code {end.code}: {result}"
        if end.code == 1 and not find_warning_lines(end.log):
            return Verdict.VIOLATION, f"the {name} has exit code 1 and logged no error"
    return Verdict.EXACT, ""


def _recover(env: TrialEnvironment, killer: Killer) -> tuple[Verdict, str]:
    """Reruns until a run succeeds, then compares every row."""
    state = _read_last_state(env.folder) if killer.trial.use_loader_output else None
    found, log = Verdict.EXACT, ""
    for _ in range(MAX_RERUNS):
        rerun, differences = env.rerun_without_faults(state=state)
        log += f"\n     {rerun}"
        if rerun.succeeded:
            if differences:
                return Verdict.NOT_RECOVERED, describe_differences(differences) + log
            leftovers = sorted(path.name for path in (env.folder / "tmp").iterdir())
            return (Verdict.VIOLATION, f"leftover files: {leftovers}") if leftovers else (found, "")
        if killer.trial.oauth and killer.may_lose_token and LOGIN_HINT in rerun.log:
            found = Verdict.LOGIN_NEEDED
            env.log_in_again()
        state = None
    return Verdict.NOT_RECOVERED, log


def _read_last_state(folder: Path) -> dict[str, Any] | None:
    # A killed loader may leave an incomplete last line, which is ignored.
    lines = [line for line in (folder / "states.out").read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return dict(json.loads(lines[-1])) if lines else None
