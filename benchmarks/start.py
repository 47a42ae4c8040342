"""Measures how long the taps take to start, and how many requests a run without changes sends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from hr_sandbox.testing import Sandbox, running

from benchmarks.cases import Case
from benchmarks.commands import BIN, HOME, Commands
from benchmarks.runner import fetch_stats, run_server
from benchmarks.usage import Usage, run_and_measure

TAPS = {
    "tap-personio": {"api_url": "{url}/personio", "client_id": "sandbox-client", "client_secret": "sandbox-secret"},
    "tap-factorial": {"api_url": "{url}/factorial", "api_key": "sandbox-api-key"},
    "tap-cornerstone": {
        "api_url": "{url}/cornerstone",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
    },
}
"""The settings for the sandbox. Streams that are off by default stay off."""

SDK = "import singer_sdk.tap_base"
IDS = re.compile(r"(?<=/)(\d+|[0-9a-f-]{30,})(?=/|$)")
SEVERAL = 3
"""Number of endpoints that are named: those with the most requests."""


def measure_start(file: Path, repeats: int) -> None:
    """Measures what is missing in a file of results."""
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    folder = HOME / "start"
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (
        ("discovery", measure_discovery),
        ("first_request", measure_first_request),
        ("requests", count_requests),
    ):
        if name not in found:
            print(f"Measuring: {name}", flush=True)
            found[name] = part(folder, repeats)
            file.write_text(json.dumps(found, indent=1))


def measure_discovery(folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Measures `--discover` of each tap without credentials, and the import of the SDK that all taps need."""
    commands = {
        SDK: [sys.executable, "-c", SDK],
        **{f"{tap} --discover": [str(BIN / tap), "--discover"] for tap in TAPS},
    }
    return _measure_medians(commands, folder, repeats)


def _measure_medians(commands: dict[str, list[str]], folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    runs: dict[str, list[Usage]] = {name: [] for name in commands}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            usage = run_and_measure([command], folder / "log", environment={"XDG_CACHE_HOME": str(folder)})
            if not usage.succeeded:
                raise SystemExit(f"{name} failed, see {folder / 'log'}.")
            if turn:  # the first one compiles, and fills the disk's cache
                runs[name].append(usage)
    return {
        name: {
            "seconds": median(run.seconds for run in of_name),
            "cpu": median(run.cpu for run in of_name),
            "least_cpu": min(run.cpu for run in of_name),
        }
        for name, of_name in runs.items()
    }


def measure_first_request(folder: Path, repeats: int) -> dict[str, float]:
    """Measures the seconds from the start of a run to its first request: of the tap alone, and of `meltano run`."""
    found: dict[str, list[float]] = {}
    case = Case("attendance_periods", 1_000)
    with run_server(case) as url:
        (tap, _) = Commands(case, url, folder).make_pipe("ours")
        (folder / "meltano.yml").write_text(make_project())
        pipes = {
            "tap-personio": (tap, {}),
            "meltano run tap-personio target-duckdb": (
                [str(BIN / "meltano"), "--environment=dev", "run", "--full-refresh", "tap-personio", "target-duckdb"],
                {
                    "MELTANO_PROJECT_ROOT": str(folder.absolute()),
                    "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
                    "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
                    "TAP_PERSONIO_API_URL": url,
                    "TAP_PERSONIO_CLIENT_ID": "benchmark",
                    "TAP_PERSONIO_CLIENT_SECRET": "benchmark",
                    "TAP_PERSONIO__SELECT": '["attendance_periods.*"]',
                    "TARGET_DUCKDB_PATH": str((folder / "meltano.duckdb").absolute()),
                },
            ),
        }
        for turn in range(repeats + 1):
            for name, (command, variables) in pipes.items():
                fetch_stats(url)
                usage = run_and_measure([command], folder / "log", environment=variables)
                if not usage.succeeded:
                    raise SystemExit(f"{name} failed, see {folder / 'log'}.")
                if turn:  # the first one discovers the catalog, which Meltano keeps
                    found.setdefault(name, []).append(fetch_stats(url)["first"] - usage.started)
    return {name: median(seconds) for name, seconds in found.items()}


def make_project() -> str:
    """Returns a Meltano project that uses the plugins of this environment, so that nothing has to be installed."""
    text = re.sub(r"\n +pip_url: .*", "", Path("meltano.yml").read_text())
    return re.sub(r"executable: (\S+)", rf"executable: {BIN.absolute()}/\1", text)


def make_settings(tap: str, url: str) -> dict[str, str]:
    """Returns a tap's settings for a sandbox."""
    return {name: value.replace("{url}", url) for name, value in TAPS[tap].items()}


def count_requests(folder: Path, repeats: int) -> dict[str, dict[str, Any]]:  # noqa: ARG001 - they do not vary
    """Counts the requests of a first run against the sandbox, and of a run in which nothing is new."""
    found: dict[str, dict[str, Any]] = {}
    with running(employees=50) as sandbox, tempfile.TemporaryDirectory() as temporary:
        for tap in TAPS:
            config = Path(temporary) / "config.json"
            config.write_text(json.dumps(make_settings(tap, sandbox.url)))
            catalog = json.loads(_run_for_output([str(BIN / tap), "--config", str(config), "--discover"], folder))
            state = Path(temporary) / f"{tap}.json"
            first = _count_requests_of_run(sandbox, tap, config, state, folder)
            second = _count_requests_of_run(sandbox, tap, config, state, folder)
            found[tap] = {
                "streams": len(catalog["streams"]),
                "incremental": sum(bool(stream.get("replication_key")) for stream in catalog["streams"]),
                "first": sum(first.values()),
                "second": sum(second.values()),
                "most": second.most_common(SEVERAL),
            }
    return found


def _count_requests_of_run(sandbox: Sandbox, tap: str, config: Path, state: Path, folder: Path) -> Counter[str]:
    """Runs a tap, updates its state, and returns the numbers of requests by endpoint."""
    sandbox.clear_requests()
    given = ["--state", str(state)] if state.exists() else []
    lines = _run_for_output([str(BIN / tap), "--config", str(config), *given], folder).splitlines()
    states = [line for line in lines if line.startswith(b'{"type":"STATE"')]
    state.write_text(json.dumps(json.loads(states[-1])["value"]))
    return Counter(IDS.sub("{}", request["path"]) for request in sandbox.requests())


def _run_for_output(command: list[str], folder: Path) -> bytes:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=log, check=True).stdout


def make_section(found: dict[str, Any]) -> str:
    """Returns the section of the page about the start and the number of requests."""
    parts = ["## Start"]
    if discovered := found.get("discovery"):
        base = discovered[SDK]
        parts += [
            "Every tap on the Singer SDK imports it first; the schemas of all streams come on top.",
            "| | s | ratio | CPU s | ratio | least CPU s | ratio |\n|---|--:|--:|--:|--:|--:|--:|\n"
            + "\n".join(
                f"| `{name}` | {' | '.join(f'{one[key]:.2f} | {one[key] / base[key]:.2f}' for key in base)} |"
                for name, one in discovered.items()
            ),
        ]
    if seconds := found.get("first_request"):
        alone, whole = seconds.values()
        parts.append(
            f"The first request leaves {alone:.1f} s after the start of tap-personio, and {whole:.1f} s after that of\n"
            f"`meltano run tap-personio target-duckdb`: {whole - alone:.1f} s are Meltano's own."
        )
    if counted := found.get("requests"):
        rows = [
            f"| {tap} | {one['streams']} | {one['incremental']} | {one['first']:,} | {one['second']:,} | "
            + ", ".join(f"`{path}` {number:,}" for path, number in one["most"])
            + " |"
            for tap, one in counted.items()
        ]
        parts += [
            "Requests against the sandbox, of a first run and of one in which nothing is new:",
            "| | streams | incremental | first run | nothing new | most of these |\n|---|--:|--:|--:|--:|---|\n"
            + "\n".join(rows),
        ]
    return "\n\n".join(parts) if len(parts) > 1 else ""
