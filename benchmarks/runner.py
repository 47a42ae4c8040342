"""Runs the cases, with the peers in turn. Each result is appended to a file, so that an interrupted run can go on."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.cases import OURS, PEERS
from benchmarks.commands import HOME, Commands, set_up
from benchmarks.datasets import DATASETS
from benchmarks.usage import run_and_measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.cases import Case, Plan

DATA = HOME / "data"
MAX_FAILURES = 2
Result = dict[str, Any]


def read_results(path: Path) -> list[Result]:
    """Returns all results so far."""
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def append_result(path: Path, result: Result) -> None:
    """Appends a result to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(result) + "\n")


@contextmanager
def run_server(case: Case) -> Iterator[str]:
    """Runs the server of a case. Yields its URL."""
    options = [case.dataset, str(case.rows), f"--latency-ms={case.latency_ms:g}", f"--limit={case.limit:g}"]
    command = [sys.executable, "-m", "benchmarks.server", *options, f"--folder={DATA}", "--attached"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def fetch_stats(url: str) -> Result:
    """Returns the server's counts since the last call."""
    with urllib.request.urlopen(f"{url}/-/stats") as reply:  # noqa: S310 - our own server
        counted: Result = json.load(reply)
    return counted


def run_plan(plan: Plan, file: Path) -> bool:
    """Runs what is missing in a file of results. Returns whether our tap always loaded exactly the server's rows."""
    failed = set_up(dict.fromkeys(peer for case in plan.cases for peer in case.peers))
    append_result(HOME / "peers.jsonl", {"unavailable": failed, "machine": describe_machine()})
    is_same = True
    for case in plan.cases:
        of_case = [result for result in read_results(file) if result["case"] == case.key]
        # What failed is tried again, but not for ever.
        failures = Counter(result["peer"] for result in of_case if result["error"])
        done = [result["peer"] for result in of_case if not result["error"] or failures[result["peer"]] >= MAX_FAILURES]
        left = {peer: plan.count_repeats(case, peer) - done.count(peer) for peer in case.peers if peer not in failed}
        if max(left.values()) <= 0:
            continue
        folder = HOME / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with run_server(case) as url:
            commands = Commands(case, url, folder)
            for turn in range(max(left.values())):
                for peer in (peer for peer, runs in left.items() if turn < runs):
                    result = run_one(case, peer, commands)
                    is_same &= peer != OURS or result["same"] is True
                    append_result(file, result)
                    print(format_result(case, result), flush=True)
    shutil.rmtree(HOME / "run", ignore_errors=True)
    return is_same


def run_one(case: Case, peer: str, commands: Commands) -> Result:
    """Runs one peer, into a new database or into a database that already holds the rows."""
    database = commands.database_path(peer)
    shutil.rmtree(commands.folder / peer, ignore_errors=True)  # dlt's own state
    for path in (database, database.with_name(f"{database.name}.wal")):
        path.unlink(missing_ok=True)
    log, pipe = commands.folder / f"{peer}.log", commands.make_pipe(peer)
    if case.again:
        run_and_measure(pipe, log, environment=commands.environment)
    fetch_stats(commands.url)
    usage = run_and_measure(pipe, log, environment=commands.environment)
    served = fetch_stats(commands.url)
    shutil.rmtree(commands.folder / "batches", ignore_errors=True)
    comparison: Result | None = None
    if usage.succeeded:
        records = DATASETS[case.dataset].records_path(DATA, case.rows)
        command = [sys.executable, "-m", "benchmarks.compare", case.dataset, str(database), str(records)]
        process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        comparison = json.loads(process.stdout)
    return {
        "case": case.key,
        "peer": peer,
        **asdict(usage),
        "server": served,
        "comparison": comparison,
        "same": not any(comparison["only"]) if comparison else None,
        "error": None if usage.succeeded else _last_line(log),
        "at": time.time(),
    }


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no message"


def format_result(case: Case, result: Result) -> str:
    """Returns a result as a line of text."""
    outcome = {True: "same rows", False: "DIFFERENT ROWS", None: f"FAILED: {result['error']}"}[result["same"]]
    if result["comparison"] and result["comparison"]["missing"]:
        outcome += f", without {', '.join(result['comparison']['missing'])}"
    served = result["server"]
    return (
        f"{case.title:<76}{PEERS[result['peer']]:<46}{result['seconds']:>8.1f} s{result['cpu']:>8.1f} CPU s"
        f"{result['peak_memory_mb']:>7.0f} MB{served['requests']:>7} requests, "
        f"server {served['cpu'] / result['seconds']:>4.0%}  "
        f"{outcome}"
    )


def describe_machine() -> dict[str, Any]:
    """Describes the machine."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
