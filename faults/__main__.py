"""Runs the fault-injection tests: `python -m faults all`, or a single part."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from faults import days, killer, markers, meltano_killer, mutator, pairs, profiles, proxy, report, webhooks
from faults.results import Options, ResultLog, read_results
from faults.vendors import VENDORS

PARTS = {
    "days": days.run,
    "killer": killer.run,
    "markers": markers.run,
    "meltano": meltano_killer.run,
    "mutator": mutator.run,
    "pairs": pairs.run,
    "profiles": profiles.run,
    "proxy": proxy.run,
    webhooks.PART: webhooks.run,
}
LONGEST_FIRST = ("killer", "proxy", "meltano", "profiles", "days", "pairs", "mutator", "markers")
OUTPUT = Path(__file__).parent.parent / "output" / "faults"
SEED = 7
JOBS = 2


def main() -> int:
    """Runs the requested parts. Returns the exit code: 1 if a trial failed."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("part", choices=["all", *PARTS])
    parser.add_argument("--seed", type=int, default=SEED, help="seed of all random choices")
    parser.add_argument(
        "--vendor", choices=VENDORS, action="append", help="run only this vendor's tap; may be repeated"
    )
    parser.add_argument("--trial", type=int, help="run only the trial with this number")
    parser.add_argument("--share", type=float, default=1.0, help="fraction of all trials to run, from 0 to 1")
    parser.add_argument("--results", type=Path, help="file to append one line of JSON per outcome to")
    arguments = parser.parse_args()
    vendors = tuple(arguments.vendor or VENDORS)
    if arguments.part == "all":
        return _run_all(vendors, arguments.seed, arguments.share)
    started = time.monotonic()
    results = ResultLog(arguments.seed, arguments.results)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        PARTS[arguments.part](Options(arguments.seed, vendors, Path(folder), arguments.trial, arguments.share), results)
    if arguments.part == webhooks.PART and arguments.trial is None:
        path = report.write_webhooks(results.outcomes, _make_info(arguments.seed, started))
        _print_progress(f"report written: {path}", started)
    return int(bool(results.failures))


def _make_info(seed: int, started: float) -> report.RunInfo:
    return report.RunInfo(datetime.now(UTC).date().isoformat(), seed, round((time.monotonic() - started) / 60))


def _run_all(vendors: tuple[str, ...], seed: int, share: float) -> int:
    """Runs every part for every vendor, two processes at a time, and writes the report."""
    started = time.monotonic()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    waiting = [f"{part}-{vendor}" for part in LONGEST_FIRST for vendor in vendors]
    for name in waiting:
        _results_file(name).unlink(missing_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    crashed = []
    for name in [*waiting, *[""] * JOBS]:
        while len(running) >= (JOBS if name else 1):
            for other, process in list(running.items()):
                if process.poll() is not None:
                    del running[other]
                    crashed += [other] if process.returncode not in {0, 1} or not _results_file(other).exists() else []
                    _print_progress(f"{other}: {'passed' if process.returncode == 0 else 'FAILED'}", started)
            time.sleep(0.2)
        if name:
            running[name] = _start_part(name, seed, share)
    outcomes = list(read_results([_results_file(name) for name in waiting if _results_file(name).exists()]))
    _print_progress(f"report written: {report.write_report(outcomes, _make_info(seed, started))}", started)
    crashed += _run_webhooks(seed, started)
    failures = [outcome for outcome in outcomes if outcome.failed]
    for outcome in failures[:50]:
        _print_progress(
            f"{outcome.part} {outcome.vendor} {outcome.trial}: {outcome.description}: {outcome.verdict.value}", started
        )
    for name in crashed:
        _print_progress(f"{name} failed: see {OUTPUT / name}.log", started)
    return int(bool(failures or crashed))


def _run_webhooks(seed: int, started: float) -> list[str]:
    """Runs the part about webhooks, alone because it measures times. Returns its name if it crashed or failed."""
    name = f"{webhooks.PART}-{webhooks.VENDOR}"
    code = _start_part(name, seed, 1).wait()
    _print_progress(f"{name}: {'passed' if code == 0 else 'FAILED'}", started)
    return [name] if code else []


def _results_file(name: str) -> Path:
    return OUTPUT / f"{name}.jsonl"


def _start_part(name: str, seed: int, share: float) -> subprocess.Popen[bytes]:
    part, _, vendor = name.partition("-")
    command = [sys.executable, "-m", "faults", part, "--seed", str(seed), "--share", str(share)]
    command += ["--vendor", vendor] if vendor in VENDORS else []
    with (OUTPUT / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--results", str(_results_file(name))],
            cwd=Path(__file__).parent.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _print_progress(text: str, started: float) -> None:
    sys.stdout.write(f"[{(time.monotonic() - started) / 60:4.1f} min] {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
