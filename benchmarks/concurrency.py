"""Compares a run with eight concurrent requests to a run with one, at a realistic latency.

    python benchmarks/concurrency.py [--latency-ms 100] [--employees 250]

Both runs read every stream from the same sandbox. Prints the seconds, their ratio, and whether the records are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from hr_sandbox.testing import running

TAP = Path(sys.executable).parent / "tap-personio"


def read(url: str, workers: int) -> tuple[float, int, str]:
    """Runs the tap. Returns the seconds, the number of records and a digest of the records in order."""
    environment = {
        **os.environ,
        "TAP_PERSONIO_API_URL": f"{url}/personio",
        "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
        "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
        "TAP_PERSONIO_MAX_CONCURRENCY": str(workers),
        "TAP_PERSONIO_LOGLEVEL": "WARNING",
    }
    started = time.monotonic()
    process = subprocess.run([TAP, "--config=ENV"], env=environment, stdout=subprocess.PIPE, check=True)
    elapsed = time.monotonic() - started
    records = [json.loads(line) for line in process.stdout.splitlines() if line.startswith(b'{"type":"RECORD"')]
    serialized = json.dumps([[record["stream"], record["record"]] for record in records])
    return elapsed, len(records), hashlib.sha256(serialized.encode()).hexdigest()


def main() -> None:
    """Runs the comparison."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency-ms", type=float, default=100)
    arguments.add_argument("--employees", type=int, default=250)
    options = arguments.parse_args()
    with running(latency_ms=options.latency_ms, employees=options.employees) as sandbox:
        one = read(sandbox.url, 1)
        requests = len(sandbox.requests())
        eight = read(sandbox.url, 8)
    print(f"{'workers':>10}{'seconds':>10}{'records':>10}")
    for workers, (elapsed, records, _) in ((1, one), (8, eight)):
        print(f"{workers:>10}{elapsed:>10.1f}{records:>10,}")
    same = "the same records in the same order" if one[1:] == eight[1:] else "DIFFERENT RECORDS"
    print(f"{requests} requests; ratio {one[0] / eight[0]:.1f}; {same}")
    sys.exit(one[1:] != eight[1:])


if __name__ == "__main__":
    main()
