"""Measures what a first run takes by the number of people, and writes `docs/scaling.md`.

    python -m benchmarks.scaling [--people 1000 10000 100000] [--report]

The sandbox serves companies of several sizes without rate limits; the requests are counted there. What the vendors'
limits make of them is computed from the limits that the taps keep. It goes on where an earlier run was interrupted;
remove `output/bench/scaling.json` to measure anew.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from hr_sandbox.testing import running
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio

from benchmarks.commands import BIN
from benchmarks.scaling_page import write_page
from benchmarks.start import make_settings
from benchmarks.usage import run_and_measure

if TYPE_CHECKING:
    from hr_sandbox.testing import Sandbox

    from benchmarks.usage import Usage

HOME = Path("output/bench/scaling")
RESULTS = Path("output/bench/scaling.json")
PAGE = Path("docs/scaling.md")
TAPS: dict[str, Any] = {"personio": TapPersonio, "factorial": TapFactorial, "cornerstone": TapCornerstone}
NO_LIMIT = 1_000_000_000
"""Requests per minute that the sandbox allows."""
MAX_SECONDS = 5 * 3600
ID = re.compile(r"(?<=/)(\d+|[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)")
MOST_READ = 5
"""Number of endpoints whose requests are kept."""
STREAM_LINE = re.compile(r"\| (\w+): (\d+) rows in (\d+) requests")
SUM_LINE = re.compile(r"(\d+) streams: .*?(\d+) rows, (\d+) requests")


def measure_vendor(vendor: str, sandbox: Sandbox, people: int) -> dict[str, Any]:
    """Loads everything that is on by default. Returns what the run took.

    Raises:
        RuntimeError: If the run failed.
    """
    sandbox.clear_requests()
    file, config, loader = (HOME / f"{vendor}{suffix}" for suffix in (".duckdb", ".json", "-loader.json"))
    file.unlink(missing_ok=True)
    config.write_text(json.dumps(make_settings(f"tap-{vendor}", sandbox.url)))
    loader.write_text(json.dumps({"path": str(file)}))
    log = HOME / f"{vendor}.log"
    pipe = [[str(BIN / f"tap-{vendor}"), f"--config={config}"], [str(BIN / "target-duckdb"), f"--config={loader}"]]
    usage, lines, summed = _run(pipe, log)
    limits, file_mb = _seconds_at_limits(vendor, sandbox), _checkpointed_size(file)
    sandbox.clear_requests()
    state = HOME / f"{vendor}-state.json"
    with state.open("wb") as opened:
        subprocess.run([*pipe[1], "--committed-state"], stdout=opened, check=True)
    again, _, summed_again = _run([[*pipe[0], f"--state={state}"], pipe[1]], log.with_suffix(".again.log"))
    streams = sorted(STREAM_LINE.findall(lines), key=lambda found: -int(found[2]))
    return {
        "vendor": vendor,
        "people": people,
        "streams": int(summed[1]),
        "rows": int(summed[2]),
        "requests": int(summed[3]),
        "cpu": usage.cpu,
        "seconds": usage.seconds,
        "memory_mb": usage.peak_memory_mb,
        "file_mb": file_mb,
        "most_requests": [(name, int(requests)) for name, _, requests in streams[:MOST_READ]],
        "limits": limits,
        "again": {
            "rows": int(summed_again[2]),
            "requests": int(summed_again[3]),
            "cpu": again.cpu,
            "limits": _seconds_at_limits(vendor, sandbox),
        },
    }


def _run(pipe: list[list[str]], log: Path) -> tuple[Usage, str, re.Match[str]]:
    """Runs the tap and the loader. Returns what they used, what they wrote, and the tap's last line."""
    usage = run_and_measure(pipe, log, timeout=MAX_SECONDS)
    lines = log.read_text(errors="replace")
    summed = SUM_LINE.search(lines)
    if not usage.succeeded or not summed:
        raise RuntimeError(f"a run failed; see {log}")
    return usage, lines, summed


def _checkpointed_size(file: Path) -> float:
    with duckdb.connect(file) as connection:
        connection.execute("CHECKPOINT")
    return file.stat().st_size / 1e6


def _seconds_at_limits(vendor: str, sandbox: Sandbox) -> list[tuple[str, int, float]]:
    """Returns the endpoints that limits delay most: the endpoint, its requests, and the seconds that they take."""
    rates = TAPS[vendor].rates
    named = {name: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(name))) for name in rates if "{" in name}
    root = f"/{vendor}"
    counts: Counter[str] = Counter()
    for row in sandbox.requests():
        if row["path"].startswith(f"{root}/"):
            path = row["path"].removeprefix(root)
            found = next((name for name, pattern in named.items() if pattern.fullmatch(path)), None)
            counts[found or ID.sub("{id}", path)] += 1
    delays = []
    for endpoint, number in counts.items():
        rate = rates.get(endpoint, rates.get(""))
        if rate:
            delays.append((endpoint, number, number * rate.seconds / rate.requests))
    return sorted(delays, key=lambda delay: -delay[2])[:MOST_READ]


def main() -> None:
    """Measures, and writes the page."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="company sizes")
    arguments.add_argument("--report", action="store_true", help="only write the page from the results so far")
    options = arguments.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    known = {(result["vendor"], result["people"]) for result in results}
    for people in [] if options.report else options.people:
        missing = [vendor for vendor in TAPS if (vendor, people) not in known]
        if missing:
            with running(employees=people, requests_per_minute=NO_LIMIT) as sandbox:
                for vendor in missing:
                    print(f"{vendor}, {people:,} people ...", flush=True)
                    results.append(measure_vendor(vendor, sandbox, people))
                    RESULTS.write_text(json.dumps(results, indent=1))
    write_page(results, PAGE)
    print(f"{PAGE} is written.")


if __name__ == "__main__":
    main()
