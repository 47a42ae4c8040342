"""Concurrent runs that share a database or a token file.

Each run must be exact or report a failure, existing rows must stay live, and the next run must load every row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults import verdict
from faults.injection import AFTER_RESPONSE, TOKEN, InjectionPoint
from faults.pipeline import Pipeline
from faults.pipeline_run import Mode, PipelineRun
from faults.results import Outcome
from faults.testbench import TestBench
from faults.trial_environment import LOGIN_HINT, TrialEnvironment
from faults.vendors import VENDORS
from faults.verdict import SCHEMA, Verdict, describe_differences, find_warning_lines

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from faults.results import Options, ResultLog

PART = "pairs"
LIMIT = 180.0
STREAMS = 30
SECOND_SCHEMA = "other"
"""The second run's schema if the runs use different ones."""


@dataclass(frozen=True)
class Scenario:
    """Two concurrent runs, and the resources that they share.

    Args:
        name: Name in the report.
        modes: Mode of each run.
        separate_schemas: Whether the runs use different schemas.
        shared_tokens: Whether the runs share a token file and use different databases.
    """

    name: str
    modes: tuple[Mode, Mode]
    separate_schemas: bool = False
    shared_tokens: bool = False


SHARED_DATABASE = (
    Scenario("two first runs into one schema", (Mode.FIRST, Mode.FIRST)),
    Scenario("two full refreshes of one schema", (Mode.REFRESH, Mode.REFRESH)),
    Scenario("a full refresh and an incremental run", (Mode.REFRESH, Mode.INCREMENTAL)),
    Scenario("two schemas of one database", (Mode.REFRESH, Mode.FIRST), separate_schemas=True),
)
SHARED_TOKENS = Scenario("one token file", (Mode.FIRST, Mode.FIRST), shared_tokens=True)
TRIALS: dict[str, tuple[Scenario, ...]] = {
    "personio": SHARED_DATABASE * 2,
    "factorial": (*SHARED_DATABASE, *[SHARED_TOKENS] * 6),
    "cornerstone": SHARED_DATABASE * 2,
}


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            for number in options.choose_trial_numbers(len(TRIALS[name]), PART, name):
                bench.build_references()
                results.add_outcome(
                    run_trial(bench, number, TRIALS[name][number], options.make_rng(PART, name, number))
                )


def run_trial(bench: TestBench, number: int, scenario: Scenario, rng: random.Random) -> Outcome:
    """Runs two pipelines concurrently, then a third one."""
    started = time.monotonic()
    delay = rng.choice((0.0, 0.2, 0.6, 1.2))
    streams = rng.sample(sorted(bench.keys), min(STREAMS, len(bench.keys)))
    env = TrialEnvironment(bench, scenario.modes[0], streams, oauth=scenario.shared_tokens)
    runs = _run_both(env, scenario, delay, InjectionPoint(TOKEN, rng.random(), AFTER_RESPONSE, 0, 0.0))
    found, detail = _assess_runs(env, scenario, runs)
    if found not in verdict.FAILURES:
        rerun, differences = env.rerun_without_faults()
        if differences or not rerun.succeeded:
            log = "\n     ".join(map(str, (*runs, rerun)))
            found, detail = Verdict.NOT_RECOVERED, f"{describe_differences(differences)}\n     {log}"
    description = f"{scenario.name}, started {delay} s apart"
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, number, scenario.name, found, description, detail, seconds=seconds)


def _run_both(
    env: TrialEnvironment, scenario: Scenario, delay: float, point: InjectionPoint
) -> tuple[PipelineRun, PipelineRun]:
    """Runs both pipelines concurrently."""
    bench = env.bench
    bench.reset_quotas()
    bench.proxy.reset_counts()
    if scenario.shared_tokens:
        requests, _ = bench.estimate_run(env.mode, env.streams)
        bench.proxy.interceptor = point.make_interceptor(bench, 2 * requests, lambda: None)
    pipelines = []
    try:
        for index, mode in enumerate(scenario.modes):
            time.sleep(index * delay)
            pipelines.append(_start_pipeline(env, scenario, index, bench.state if mode is Mode.INCREMENTAL else None))
        exits = [pipeline.wait(LIMIT) for pipeline in pipelines]
    finally:
        bench.proxy.interceptor = None
    first, second = (
        PipelineRun(both["tap"], both["loader"], pipeline.folder / "tap.out")
        for pipeline, both in zip(pipelines, exits, strict=True)
    )
    return first, second


def _start_pipeline(env: TrialEnvironment, scenario: Scenario, index: int, state: dict[str, Any] | None) -> Pipeline:
    folder = env.folder / f"run-{index}"
    folder.mkdir()
    tap = env.bench.make_tap_arguments(folder, env.streams, state, **env.config)
    schema = SECOND_SCHEMA if scenario.separate_schemas and index else SCHEMA
    loader = env.bench.write_loader_config(folder, _choose_database(env, scenario, index), default_target_schema=schema)
    return Pipeline(
        folder,
        [env.bench.vendor.tap, *tap],
        ["target-duckdb", "--config", str(loader)],
    )


def _choose_database(env: TrialEnvironment, scenario: Scenario, index: int) -> Path:
    return env.folder / "second.duckdb" if scenario.shared_tokens and index else env.database


def _assess_runs(
    env: TrialEnvironment, scenario: Scenario, runs: tuple[PipelineRun, PipelineRun]
) -> tuple[Verdict, str]:
    log = "\n     ".join(map(str, runs))
    if any(run.hung for run in runs):
        return Verdict.HANG, log
    silent_failure = any(not run.succeeded and not find_warning_lines(run.log) for run in runs)
    login_lost = scenario.shared_tokens and any(LOGIN_HINT in run.log for run in runs)
    if silent_failure or login_lost or any(run.violation for run in runs):
        reasons = {"a run failed and logged no error": silent_failure, "the login was lost": login_lost}
        reason = next((text for text, applies in reasons.items() if applies), "broken output or log")
        return Verdict.VIOLATION, f"{reason}: {log}"
    # The run that read everything decides; if both did, the last one.
    failed = any(not run.succeeded for run in runs)
    differences = env.bench.find_differences(
        env.database, env.streams, Mode.INCREMENTAL if failed else scenario.modes[0]
    )
    unexpected = {stream: difference for stream, difference in differences.items() if difference.deleted or not failed}
    if not failed and (scenario.shared_tokens or scenario.separate_schemas):
        expected = verdict.read_fingerprints(env.bench.full_reference)
        actual = verdict.read_fingerprints(
            _choose_database(env, scenario, 1), SECOND_SCHEMA if scenario.separate_schemas else SCHEMA
        )
        differing = [stream for stream in env.streams if expected.get(stream) != actual.get(stream)]
        unexpected |= {f"{stream} of the second run": verdict.Difference() for stream in differing}
    if unexpected:
        return Verdict.SILENTLY_WRONG, f"{describe_differences(unexpected)}\n     {log}"
    return (Verdict.REPORTED_FAILURE if failed else Verdict.EXACT), ""
