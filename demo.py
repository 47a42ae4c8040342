"""Loads an invented company from the sandbox through Meltano into DuckDB and compares the row counts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import duckdb
from tap_cornerstone import testing as cornerstone
from tap_factorial import testing as factorial
from tap_personio import testing as personio

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent
BIN = Path(sys.executable).parent
DATABASE = ROOT / "output" / "demo.duckdb"
READY = re.compile(r"ready at (\S+)")


@dataclass(frozen=True)
class Vendor:
    """A vendor in the demo.

    Args:
        name: Name in the sandbox and of the plugin.
        streams: Streams to compare.
        settings: The plugin's settings. `{url}` is the sandbox.
        credentials: Settings required for real data.
    """

    name: str
    streams: set[str]
    settings: dict[str, str]
    credentials: tuple[str, ...]

    @property
    def tap(self) -> str:
        """The plugin's name."""
        return f"tap-{self.name}"

    @property
    def schema(self) -> str:
        """The target schema."""
        return f"tap_{self.name}"


VENDORS = (
    Vendor(
        "personio",
        personio.BY_DEFAULT | {"open_positions"},
        {
            "API_URL": "{url}/personio",
            "CAREERS_URL": "{url}/personio-careers",
            "CLIENT_ID": "sandbox-client",
            "CLIENT_SECRET": "sandbox-secret",
        },
        ("CLIENT_ID", "CLIENT_SECRET"),
    ),
    Vendor(
        "factorial",
        factorial.BY_DEFAULT,
        {"API_URL": "{url}/factorial", "API_KEY": "sandbox-api-key"},
        ("API_KEY",),
    ),
    Vendor(
        "cornerstone",
        cornerstone.BY_DEFAULT,
        {"API_URL": "{url}/cornerstone", "CLIENT_ID": "sandbox-client", "CLIENT_SECRET": "sandbox-secret"},
        ("CORPNAME", "CLIENT_ID", "CLIENT_SECRET"),
    ),
)


@contextmanager
def sandbox() -> Iterator[str]:
    """Runs the sandbox on a free port. Yields its URL."""
    with subprocess.Popen([BIN / "hr-sandbox", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = READY.search(line)
            if not found:
                sys.exit("The sandbox did not start; see its message above.")
            yield found.group(1)
        finally:
            process.terminate()


def run_meltano(vendor: Vendor, url: str) -> list[str]:
    """Runs a tap and the loader with Meltano. Returns Meltano's log lines.

    The user's own settings in the environment and in `.env` are ignored, as they are for real data.
    """
    settings = {name: value.format(url=url) for name, value in vendor.settings.items()}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_"))},
        "MELTANO_PROJECT_ROOT": str(ROOT),
        **{f"{vendor.schema.upper()}_{name}": value for name, value in settings.items()},
        "TARGET_DUCKDB_PATH": str(DATABASE),
        "XDG_CACHE_HOME": str(DATABASE.parent / "cache"),  # metadata of the sandbox, useless to other portals
    }
    options = ["--env-file", os.devnull, "--environment=sandbox", "run", "--full-refresh", "--state-id-suffix=demo"]
    command = [str(BIN / "meltano"), *options, vendor.tap, "target-duckdb"]
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            lines.append(line)
    if process.returncode:
        sys.exit(f"meltano run failed with exit code {process.returncode}; see its log above.")
    return lines


def live_rows(schema: str) -> dict[str, int]:
    """Number of rows per table, without those marked as deleted."""
    with duckdb.connect(DATABASE, read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name, bool_or(column_name = '_sdc_deleted_at') FROM information_schema.columns "
            "WHERE table_schema = ? AND NOT starts_with(table_name, '_') GROUP BY ALL",
            [schema],
        ).fetchall()
        counts = {}
        for table, marks_deletions in tables:
            live = " WHERE _sdc_deleted_at IS NULL" if marks_deletions else ""
            counts[table] = connection.execute(f'SELECT count(*) FROM "{schema}"."{table}"{live}').fetchall()[0][0]  # noqa: S608
        return counts


def seconds(lines: list[str]) -> dict[str, str]:
    """Seconds per stream, from the tap's log."""
    found = (re.search(r"(\w+): \d+ rows in \d+ requests, ([\d.]+) s", line) for line in lines)
    return {match.group(1): match.group(2) for match in found if match}


def show(vendor: Vendor, took: dict[str, str], counts: dict[str, int]) -> bool:
    """Prints the row counts of a vendor. Returns whether they match the sandbox."""
    expected = {stream: rows for stream, rows in counts.items() if stream in vendor.streams}
    loaded = live_rows(vendor.schema)
    print(f"\n{vendor.tap:<45}{'rows in DuckDB':>16}{'rows in sandbox':>17}{'seconds':>9}")
    for stream, rows in sorted(expected.items()):
        mark = "" if loaded.get(stream) == rows else "   <- differs"
        print(f"{stream:<45}{loaded.get(stream, 0):>16,}{rows:>17,}{took.get(stream, '-'):>9}{mark}")
    return loaded == expected


def main() -> None:
    """Runs the demo."""
    DATABASE.parent.mkdir(exist_ok=True)
    for leftover in (DATABASE, DATABASE.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    started = time.monotonic()
    with sandbox() as url:
        took = {vendor.name: seconds(run_meltano(vendor, url)) for vendor in VENDORS}
        with urlopen(f"{url}/_control/counts") as reply:  # noqa: S310 - the sandbox's URL
            counts = json.load(reply)
    matches = [show(vendor, took[vendor.name], counts[vendor.name]) for vendor in VENDORS]
    if not all(matches):
        sys.exit("\nThe row counts differ from the sandbox.")
    file = DATABASE.relative_to(ROOT)
    needed = " or\n                 ".join(
        ", ".join(f"{vendor.schema.upper()}_{name}" for name in vendor.credentials) for vendor in VENDORS
    )
    print(f"""
All rows were loaded in {time.monotonic() - started:.0f} s into {file}, with one schema per tap.

Query it:        .venv/bin/python -c "import duckdb; duckdb.connect('{file}').sql('FROM tap_personio.persons').show()"
Your own data:   put {needed}
                 into a file named .env, then
                 .venv/bin/meltano run tap-personio target-duckdb""")


if __name__ == "__main__":
    main()
