"""Compares the duration of a first run and of a run without changes with the time that the latency alone takes.

    python benchmarks/runs.py [--tap T] [--latency-ms 100] [--employees 250] [--requests-per-minute N] [--everything]

The ideal is requests x latency / concurrent requests. Rate limits may make a run slower.
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

BIN = Path(sys.executable).parent
WORKERS = 8
SETTINGS = {
    "personio": {
        "API_URL": "{url}/personio",
        "CLIENT_ID": "sandbox-client",
        "CLIENT_SECRET": "sandbox-secret",
    },
    "factorial": {"API_URL": "{url}/factorial", "API_KEY": "sandbox-api-key"},
    "cornerstone": {
        "API_URL": "{url}/cornerstone",
        "CLIENT_ID": "sandbox-client",
        "CLIENT_SECRET": "sandbox-secret",
    },
}
ALL_STREAMS = {
    "personio": {
        "OPTIONAL_STREAMS": '["*"]',
        "LEGACY_V1_STREAMS": "true",
        "CAREERS_URL": "{url}/personio-careers",
    },
    "factorial": {
        "OPTIONAL_STREAMS": '["*"]',
        "INTEGRATION_UUID": "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10",
    },
    "cornerstone": {"OPTIONAL_STREAMS": '["*"]', "OBJECTS": '["*"]', "VIEWS": '["*"]'},
}
"""Settings that enable the streams that are off by default."""


def read(sandbox: Sandbox, tap: str, state: Path, *, everything: bool) -> tuple[float, int, int]:
    """Runs a tap and updates its state file. Returns the seconds and the numbers of requests and records."""
    settings = {
        **SETTINGS[tap],
        "MAX_CONCURRENCY": str(WORKERS),
        "LOGLEVEL": "ERROR",
        **(ALL_STREAMS[tap] if everything else {}),
    }
    prefix = f"TAP_{tap.upper()}_"
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(state.parent),
        **{f"{prefix}{name}": value.replace("{url}", sandbox.url) for name, value in settings.items()},
    }
    sandbox.clear_requests()
    command = [str(BIN / f"tap-{tap}"), "--config=ENV", *(["--state", str(state)] if state.exists() else [])]
    started = time.monotonic()
    process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    elapsed = time.monotonic() - started
    lines = process.stdout.splitlines()
    state.write_text(
        json.dumps(json.loads([line for line in lines if line.startswith(b'{"type":"STATE"')][-1])["value"])
    )
    records = sum(line.startswith(b'{"type":"RECORD"') for line in lines)
    return elapsed, len(sandbox.requests()), records


def main() -> None:
    """Runs the tap twice and prints both results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tap", choices=SETTINGS, default="personio")
    arguments.add_argument("--latency-ms", type=float, default=100)
    arguments.add_argument("--employees", type=int, default=250)
    arguments.add_argument("--requests-per-minute", type=int, help="rate limit in place of the vendor's")
    arguments.add_argument("--everything", action="store_true", help="include the streams that are off by default")
    options = arguments.parse_args()
    limits = {"requests_per_minute": options.requests_per_minute} if options.requests_per_minute else {}
    print(f"{'run':>8}{'requests':>10}{'records':>10}{'seconds':>9}{'ideal':>8}{'ratio':>7}")
    with (
        running(latency_ms=options.latency_ms, employees=options.employees, **limits) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        state = Path(folder) / "state.json"
        for name in ("first", "second"):
            elapsed, requests, records = read(sandbox, options.tap, state, everything=options.everything)
            ideal = requests * options.latency_ms / 1000 / WORKERS
            print(f"{name:>8}{requests:>10,}{records:>10,}{elapsed:>9.1f}{ideal:>8.1f}{elapsed / ideal:>7.2f}")


if __name__ == "__main__":
    main()
