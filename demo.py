"""The whole way on this machine: an invented company, Meltano, a DuckDB file, and a comparison of what arrived."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import duckdb
from tap_personio.testing import BY_DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent
BIN = Path(sys.executable).parent
DATABASE = ROOT / "output" / "demo.duckdb"
TAP = "tap-personio"
SCHEMA = "tap_personio"
OFFERED = BY_DEFAULT | {"open_positions"}
READY = re.compile(r"ready at (\S+)")


@contextmanager
def sandbox() -> Iterator[str]:
    """Run the sandbox on a free port; gives its URL."""
    with subprocess.Popen([BIN / "hr-sandbox", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = READY.search(line)
            if not found:
                sys.exit("The sandbox did not start; its own message stands above.")
            yield found.group(1)
        finally:
            process.terminate()


def run_meltano(url: str) -> list[str]:
    """Run the tap into the loader; gives Meltano's log lines.

    Settings of the person's own, in the environment or in `.env`, are left out: they are for real data.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_"))},
        "MELTANO_PROJECT_ROOT": str(ROOT),
        "TAP_PERSONIO_API_URL": f"{url}/personio",
        "TAP_PERSONIO_CAREERS_URL": f"{url}/personio-careers",
        "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
        "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
        "TARGET_DUCKDB_PATH": str(DATABASE),
    }
    options = ["--env-file", os.devnull, "--environment=sandbox", "run", "--full-refresh", "--state-id-suffix=demo"]
    command = [str(BIN / "meltano"), *options, TAP, "target-duckdb"]
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            lines.append(line)
    if process.returncode:
        sys.exit(f"meltano run ended with exit code {process.returncode}; what went wrong stands above.")
    return lines


def live_rows() -> dict[str, int]:
    """Rows per table that are not marked as deleted."""
    with duckdb.connect(DATABASE, read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name, bool_or(column_name = '_sdc_deleted_at') FROM information_schema.columns "
            "WHERE table_schema = ? AND NOT starts_with(table_name, '_') GROUP BY ALL",
            [SCHEMA],
        ).fetchall()
        counts = {}
        for table, marks_deletions in tables:
            live = " WHERE _sdc_deleted_at IS NULL" if marks_deletions else ""
            counts[table] = connection.execute(f'SELECT count(*) FROM "{SCHEMA}"."{table}"{live}').fetchall()[0][0]  # noqa: S608
        return counts


def seconds(lines: list[str]) -> dict[str, str]:
    """Seconds per stream, from the tap's own lines."""
    found = (re.search(r"(\w+): \d+ rows in \d+ requests, ([\d.]+) s", line) for line in lines)
    return {match.group(1): match.group(2) for match in found if match}


def main() -> None:
    """Run it all and show what arrived."""
    DATABASE.parent.mkdir(exist_ok=True)
    for leftover in (DATABASE, DATABASE.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    started = time.monotonic()
    with sandbox() as url:
        took = seconds(run_meltano(url))
        with urlopen(f"{url}/_control/counts") as reply:  # noqa: S310 - the sandbox's own address
            counts = json.load(reply)["personio"]
    expected = {stream: rows for stream, rows in counts.items() if stream in OFFERED}
    arrived = live_rows()
    print(f"\n{'stream':<30}{'rows in DuckDB':>16}{'rows in sandbox':>17}{'seconds':>9}")
    for stream, rows in sorted(expected.items()):
        mark = "" if arrived.get(stream) == rows else "   <- differs"
        print(f"{stream:<30}{arrived.get(stream, 0):>16,}{rows:>17,}{took.get(stream, '-'):>9}{mark}")
    if arrived != expected:
        sys.exit("\nWhat arrived differs from what the sandbox holds.")
    file = DATABASE.relative_to(ROOT)
    print(f"""
Everything arrived, in {time.monotonic() - started:.0f} s. It is in {file}, schema {SCHEMA}.

Look at it:      .venv/bin/python -c "import duckdb; duckdb.connect('{file}').sql('FROM {SCHEMA}.persons').show()"
Your own data:   put TAP_PERSONIO_CLIENT_ID and TAP_PERSONIO_CLIENT_SECRET into a file named .env, then
                 .venv/bin/meltano run {TAP} target-duckdb""")


if __name__ == "__main__":
    main()
