"""Requests and seconds of a first run and of one without changes, beside what the latency alone would take.

    python benchmarks/runs.py [--latency-ms 100] [--employees 250] [--requests-per-minute N] [--everything]

The ideal is requests x latency / requests at a time; the vendor's limits may allow less, and are printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hr_sandbox.testing import Sandbox, running

TAP = Path(sys.executable).parent / "tap-personio"
WORKERS = 8


def read(sandbox: Sandbox, state: Path, *, everything: bool) -> tuple[float, int, int]:
    """Run the tap from a state; gives seconds, requests and records, and leaves the new state."""
    switched_on = {
        "TAP_PERSONIO_OPTIONAL_STREAMS": '["*"]',
        "TAP_PERSONIO_LEGACY_V1_STREAMS": "true",
        "TAP_PERSONIO_CAREERS_URL": f"{sandbox.url}/personio-careers",
    }
    environment = {
        **os.environ,
        "TAP_PERSONIO_API_URL": f"{sandbox.url}/personio",
        "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
        "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
        "TAP_PERSONIO_MAX_CONCURRENCY": str(WORKERS),
        "TAP_PERSONIO_LOGLEVEL": "ERROR",
        **(switched_on if everything else {}),
    }
    sandbox.clear_requests()
    command = [str(TAP), "--config=ENV", *(["--state", str(state)] if state.exists() else [])]
    started = time.monotonic()
    process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    took = time.monotonic() - started
    lines = process.stdout.splitlines()
    state.write_text(
        json.dumps(json.loads([line for line in lines if line.startswith(b'{"type":"STATE"')][-1])["value"])
    )
    records = sum(line.startswith(b'{"type":"RECORD"') for line in lines)
    return took, len(sandbox.requests()), records


def main() -> None:
    """Run twice, and print both."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency-ms", type=float, default=100)
    arguments.add_argument("--employees", type=int, default=250)
    arguments.add_argument("--requests-per-minute", type=int, help="one limit instead of the vendor's")
    arguments.add_argument("--everything", action="store_true", help="all streams, those off by default too")
    options = arguments.parse_args()
    limits = {"requests_per_minute": options.requests_per_minute} if options.requests_per_minute else {}
    print(f"{'run':>8}{'requests':>10}{'records':>10}{'seconds':>9}{'ideal':>8}{'ratio':>7}")
    with (
        running(latency_ms=options.latency_ms, employees=options.employees, **limits) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        state = Path(folder) / "state.json"
        for name in ("first", "second"):
            took, requests, records = read(sandbox, state, everything=options.everything)
            ideal = requests * options.latency_ms / 1000 / WORKERS
            print(f"{name:>8}{requests:>10,}{records:>10,}{took:>9.1f}{ideal:>8.1f}{took / ideal:>7.2f}")


if __name__ == "__main__":
    main()
