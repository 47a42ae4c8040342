"""Runs all benchmarks and writes `docs/performance.md`.

    python -m benchmarks [--quick] [--rows 1000000] [--repeat 3] [--repeat table=5 ...] [--report]

`--repeat` names a group of cases (table, vendors, rows, in_flight, latency, limits, start), or is for all other groups.
0 leaves a group out. It goes on where an earlier run was interrupted; remove `output/bench/*.json*` to measure anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import runner, start
from benchmarks.cases import GROUPS, make_plan
from benchmarks.commands import HOME
from benchmarks.report import Report

START = "start"


def repeat(text: str) -> tuple[str, int]:
    """Parses a number of runs. Returns the group, empty for all others, and the number.

    Raises:
        ArgumentTypeError: If it is none, or there is no such group.
    """
    group, _, number = text.rpartition("=")
    if group not in {"", START, *GROUPS} or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"give a number, or one of {', '.join(GROUPS)}, {START} and a number: rows=1")
    return group, int(number)


def main() -> None:
    """Runs the benchmarks."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, help="rows of the large cases (1,000,000, or 50,000 with --quick)")
    arguments.add_argument(
        "--repeat",
        action="append",
        default=[],
        type=repeat,
        metavar="[GROUP=]NUMBER",
        help="runs of the fast peers, whose median counts (3, or 1 with --quick; 15 starts)",
    )
    arguments.add_argument("--quick", action="store_true", help="a few minutes, for a look")
    arguments.add_argument("--report", action="store_true", help="only write the page from the results so far")
    options = arguments.parse_args()
    given = dict(options.repeat)
    usual = given.pop("", 1 if options.quick else 3)
    repeats = {**dict.fromkeys(GROUPS, usual), START: 1 if options.quick else 15, **given}
    chosen = make_plan(options.rows or (50_000 if options.quick else 1_000_000), repeats, quick=options.quick)
    file = HOME / ("quick.jsonl" if options.quick else "runs.jsonl")
    # A quick run says little, and must not replace the page.
    page = HOME / "performance.md" if options.quick else Path("docs/performance.md")
    starts = file.with_name(f"{file.stem}-start.json")
    is_same = True
    if not options.report:
        if repeats[START]:
            start.measure_start(starts, repeats[START])
        is_same = runner.run_plan(chosen, file)
    begin = json.loads(starts.read_text()) if starts.exists() else {}
    Report(chosen, runner.read_results(file), begin, page).write_page()
    print(f"{page} is written.")
    sys.exit(not is_same)


if __name__ == "__main__":
    main()
