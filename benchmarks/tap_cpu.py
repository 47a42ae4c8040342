"""Measures the CPU time that a tap takes per record, without a loader.

    python -m benchmarks.tap_cpu [--rows 100000] [--privacy PROFILE] [--profiler COMMAND] [DATASET ...]

The start of the tap is measured too. CPU times depend on what else the machine does, so alternate the runs to compare.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys

from benchmarks.cases import OURS, Case
from benchmarks.commands import HOME, Commands
from benchmarks.datasets import DATASETS
from benchmarks.runner import run_server
from benchmarks.usage import Usage, run_and_measure


def run_tap(dataset: str, rows: int, privacy: str, profiler: str) -> Usage:
    """Runs the tap of a data set."""
    case, folder = Case(dataset, rows), HOME / "tap_cpu"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with run_server(case) as url:
        commands = Commands(case, url, folder, privacy=privacy)
        tap, _ = commands.make_pipe(OURS)
        return run_and_measure([[*shlex.split(profiler), *tap]], folder / "tap.log", environment=commands.environment)


def main() -> None:
    """Measures the taps."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("datasets", nargs="*", metavar="DATASET", help=", ".join(DATASETS))
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--privacy", default="everything", help="a privacy profile, such as minimal")
    arguments.add_argument("--profiler", default="", help="a command that runs the tap, such as `py-spy record --`")
    options = arguments.parse_args()
    print(f"{'data set':<20}{'rows':>12}{'CPU s':>9}{'us a row':>10}")
    succeeded = True
    for dataset in options.datasets or DATASETS:
        usage = run_tap(dataset, options.rows, options.privacy, options.profiler)
        succeeded &= usage.succeeded
        print(f"{dataset:<20}{options.rows:>12,}{usage.cpu:>9.2f}{usage.cpu / options.rows * 1e6:>10.1f}", flush=True)
    sys.exit(not succeeded)


if __name__ == "__main__":
    main()
