"""Requests and seconds of a first run and of one without changes, beside what the latency alone would take.

    python benchmarks/runs.py [--tap T] [--latency-ms 100] [--employees 250] [--requests-per-minute N] [--everything]

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
EVERYTHING = {
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
"""What switches on the streams that are off by default."""


def read(sandbox: Sandbox, tap: str, state: Path, *, everything: bool) -> tuple[float, int, int]:
    """Run a tap from a state; gives seconds, requests and records, and leaves the new state."""
    settings = {
        **SETTINGS[tap],
        "MAX_CONCURRENCY": str(WORKERS),
        "LOGLEVEL": "ERROR",
        **(EVERYTHING[tap] if everything else {}),
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
    arguments.add_argument("--tap", choices=SETTINGS, default="personio")
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
            took, requests, records = read(sandbox, options.tap, state, everything=options.everything)
            ideal = requests * options.latency_ms / 1000 / WORKERS
            print(f"{name:>8}{requests:>10,}{records:>10,}{took:>9.1f}{ideal:>8.1f}{took / ideal:>7.2f}")


if __name__ == "__main__":
    main()
