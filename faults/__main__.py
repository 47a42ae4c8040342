"""Trials of the whole: `python -m faults all`, or one part of it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from faults import days, killer, markers, mutator, orchestrated, pairs, proxy, report, trials
from faults.trials import Book, Options
from faults.vendors import VENDORS

PARTS = {
    "days": days.run,
    "killer": killer.run,
    "markers": markers.run,
    "meltano": orchestrated.run,
    "mutator": mutator.run,
    "pairs": pairs.run,
    "proxy": proxy.run,
}
LONGEST_FIRST = ("killer", "proxy", "meltano", "days", "pairs", "mutator", "markers")
OUTPUT = Path(__file__).parent.parent / "output" / "faults"
SEED = 7
JOBS = 2


def main() -> int:
    """Make trials; the exit code says whether each held."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("part", choices=["all", *PARTS])
    parser.add_argument("--seed", type=int, default=SEED, help="of all choices")
    parser.add_argument("--vendor", choices=VENDORS, action="append", help="only this one's tap; may be repeated")
    parser.add_argument("--trial", type=int, help="only this one")
    parser.add_argument("--share", type=float, default=1.0, help="about which part of all trials, from 0 to 1")
    parser.add_argument("--results", type=Path, help="a file that takes a line of JSON for each outcome")
    given = parser.parse_args()
    vendors = tuple(given.vendor or VENDORS)
    if given.part == "all":
        return _all(vendors, given.seed, given.share)
    book = Book(given.seed, given.results)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        PARTS[given.part](Options(given.seed, vendors, Path(folder), given.trial, given.share), book)
    return int(bool(book.failures))


def _all(vendors: tuple[str, ...], seed: int, share: float) -> int:
    """Make all parts, two at a time, and write the page of figures; vendor by vendor, each in a process of its own."""
    started = time.monotonic()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    waiting = [f"{part}-{vendor}" for part in LONGEST_FIRST for vendor in vendors]
    for name in waiting:
        _results(name).unlink(missing_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    broken = []
    for name in [*waiting, *[""] * JOBS]:
        while len(running) >= (JOBS if name else 1):
            for other, process in list(running.items()):
                if process.poll() is not None:
                    del running[other]
                    broken += [other] if process.returncode not in {0, 1} or not _results(other).exists() else []
                    _say(f"{other}: {'held' if process.returncode == 0 else 'FAILED'}", started)
            time.sleep(0.2)
        if name:
            running[name] = _start(name, seed, share)
    outcomes = list(trials.read([_results(name) for name in waiting if _results(name).exists()]))
    minutes = round((time.monotonic() - started) / 60)
    made = report.Made(datetime.now(UTC).date().isoformat(), seed, minutes)
    _say(f"written: {report.write(outcomes, made)}", started)
    failures = [outcome for outcome in outcomes if outcome.failed]
    for outcome in failures[:50]:
        _say(f"{outcome.part} {outcome.vendor} {outcome.trial}: {outcome.what}: {outcome.verdict.value}", started)
    for name in broken:
        _say(f"{name} broke off: see {OUTPUT / name}.log", started)
    return int(bool(failures or broken))


def _results(name: str) -> Path:
    return OUTPUT / f"{name}.jsonl"


def _start(name: str, seed: int, share: float) -> subprocess.Popen[bytes]:
    part, _, vendor = name.partition("-")
    command = [sys.executable, "-m", "faults", part, "--vendor", vendor, "--seed", str(seed), "--share", str(share)]
    with (OUTPUT / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--results", str(_results(name))],
            cwd=Path(__file__).parent.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _say(text: str, started: float) -> None:
    sys.stdout.write(f"[{(time.monotonic() - started) / 60:4.1f} min] {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
