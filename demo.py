"""Loads a fictitious company from the sandbox through Meltano into DuckDB, compares row counts, and writes a report.

    python demo.py --privacy minimal

Everything that it writes is in `output/demo`, or in a folder of its own for each privacy profile; the user's `.env`,
state and runs are not touched.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import duckdb
from singer_rest import RestStream
from singer_rest.diagnose.duration import Load, total_duration
from singer_rest.errors import RunError
from singer_rest.privacy.classes import CLASSES
from singer_rest.privacy.profiles import EVERYTHING, PROFILES, Profile, load_profile
from tap_cornerstone import testing as cornerstone
from tap_cornerstone.tap import TapCornerstone
from tap_factorial import testing as factorial
from tap_factorial.tap import TapFactorial
from tap_personio import testing as personio
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from singer_rest import RestTap

ROOT = Path(__file__).parent
BIN = Path(sys.executable).parent
OUTPUT = ROOT / "output"
DATABASE, LOG, DBT_LOG, REPORT, KEY = "demo.duckdb", "meltano.log", "dbt.log", "report.html", "privacy.key"
SYSTEM = "meltano"
"""The folder of what Meltano keeps in `.meltano` otherwise: its database of states and runs, catalogs, settings."""
MELTANO = [str(BIN / "meltano"), "--env-file", os.devnull, "--environment=sandbox", "run"]
MODELS = ROOT / "models"
DBT = ROOT / ".meltano" / "transformers" / "dbt-duckdb" / "venv" / "bin"

READY = re.compile(r"ready at (\S+)")
STREAM_ENDED = re.compile(r"(\w+): (\d+) rows in (\d+) requests, [\d.]+ s")
ROWS_WITHHELD = re.compile(r"(\w+): (\d+) rows were not loaded: the privacy profile")
STREAM_SKIPPED = "Skipping it; the run continues."
BLOCK_ENDED = "Block run completed"
WIDE_LIMIT = "60000"
"""Requests per minute that the sandbox announces: waiting for the vendors' limits would show nothing."""
LINES_SHOWN = 20
"""Number of lines of a log to show after a failure."""


@dataclass(frozen=True)
class Vendor:
    """A vendor in the demo.

    Args:
        name: Name in the sandbox and of the plugin.
        streams: Streams to compare.
        settings: The plugin's settings. `{url}` is the sandbox.
        credentials: Settings required for real data.
        tap_class: The tap.
    """

    name: str
    streams: set[str]
    settings: dict[str, str]
    credentials: tuple[str, ...]
    tap_class: type[RestTap]

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
        TapPersonio,
    ),
    Vendor(
        "factorial",
        factorial.BY_DEFAULT,
        {"API_URL": "{url}/factorial", "API_KEY": "sandbox-api-key"},
        ("API_KEY",),
        TapFactorial,
    ),
    Vendor(
        "cornerstone",
        cornerstone.BY_DEFAULT,
        {"API_URL": "{url}/cornerstone", "CLIENT_ID": "sandbox-client", "CLIENT_SECRET": "sandbox-secret"},
        ("CORPNAME", "CLIENT_ID", "CLIENT_SECRET"),
        TapCornerstone,
    ),
)


@dataclass(frozen=True)
class Demo:
    """A demo with its files and privacy profile.

    Args:
        setting: The setting `privacy`.
        profile: What it says.
    """

    setting: str
    profile: Profile

    @property
    def folder(self) -> Path:
        """The folder of all files."""
        return OUTPUT / ("demo" if self.setting == EVERYTHING else f"demo-{self.profile.name}")

    def file(self, name: str) -> Path:
        """Returns a file, relative to the project's folder."""
        return (self.folder / name).relative_to(ROOT)

    def settings(self, vendor: Vendor, url: str) -> dict[str, str]:
        """Returns the settings of a vendor's plugin. `url` is the sandbox."""
        found = {name: value.format(url=url) for name, value in vendor.settings.items()}
        if self.setting != EVERYTHING:
            found["PRIVACY"] = self.setting
        if self.profile.uses_pseudonyms:
            found["PRIVACY_KEY_FILE"] = str(self.folder / KEY)
        return found

    def make_tap(self, vendor: Vendor, url: str) -> RestTap:
        """Returns a vendor's tap with these settings."""
        return vendor.tap_class(config={name.lower(): value for name, value in self.settings(vendor, url).items()})

    def streams(self, vendor: Vendor, url: str) -> set[str]:
        """Returns the streams that the profile leaves."""
        if self.profile.keeps_everything:
            return vendor.streams
        return vendor.streams & self.make_tap(vendor, url).streams.keys()


@dataclass
class Progress:
    """The progress of a tap: one line, rewritten on a terminal and otherwise printed once at the end.

    Args:
        vendor: The tap's vendor.
        offered: The streams to read.
    """

    vendor: Vendor
    offered: set[str]
    streams: int = 0
    rows: int = 0
    withheld: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    started_at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def count_line(self, line: str) -> None:
        """Counts what a line of the log reports."""
        if ended := STREAM_ENDED.search(line):
            self.rows += int(ended.group(2))
            self.requests[ended.group(1)] = int(ended.group(3))
        if withheld := ROWS_WITHHELD.search(line):
            self.withheld[withheld.group(1)] = int(withheld.group(2))
        if ended or STREAM_SKIPPED in line:
            self.streams += 1

    def print_line(self, *, is_last: bool = False) -> None:
        """Prints the line."""
        self.seconds = time.monotonic() - self.started_at
        if not (is_last or sys.stdout.isatty()):
            return
        text = (
            f"{self.vendor.tap:<16}{self.streams:>4} of {len(self.offered)} streams{self.rows:>9,} rows"
            f"{self.rows / max(self.seconds, 1):>8,.0f} rows/s{self.seconds:>6.0f} s"
        )
        print(f"\r{text}" if sys.stdout.isatty() else text, end="\n" if is_last else "", flush=True)


class Process(subprocess.Popen[str]):
    """A process that also ends if this one is interrupted while it starts."""

    def __init__(self, command: list[str], **options: Any) -> None:
        pending: list[int] = []
        numbers = (signal.SIGINT, signal.SIGTERM)
        former = {number: signal.signal(number, lambda found, _frame: pending.append(found)) for number in numbers}
        try:
            super().__init__(command, text=True, **options)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        if pending:
            self.terminate()
            self.wait()
            signal.raise_signal(pending[0])


@contextmanager
def run_sandbox(*options: str) -> Iterator[str]:
    """Runs the sandbox on a free port. Yields its URL."""
    command = [str(BIN / "hr-sandbox"), "serve", "--port", "0", "--requests-per-minute", WIDE_LIMIT, *options]
    with Process(command, stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = READY.search(line)
            if not found:
                sys.exit("The sandbox did not start; see its message above.")
            yield found.group(1)
        finally:
            process.terminate()


def prepare_folder(demo: Demo) -> None:
    """Removes the files of an earlier demo, and lets Meltano use the installed plugins from a folder of its own."""
    shutil.rmtree(demo.folder, ignore_errors=True)
    system = demo.folder / SYSTEM
    system.mkdir(parents=True)
    for kind in ("extractors", "loaders"):
        (system / kind).symlink_to(ROOT / ".meltano" / kind, target_is_directory=True)
    if demo.profile.uses_pseudonyms:
        key = demo.folder / KEY
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(48))


def make_environment(demo: Demo, url: str) -> dict[str, str]:
    """Returns the environment variables for Meltano, without the user's own settings and those in `.env`."""
    settings = {
        f"{vendor.schema.upper()}_{name}": value
        for vendor in VENDORS
        for name, value in demo.settings(vendor, url).items()
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_", "MELTANO_"))},
        "MELTANO_PROJECT_ROOT": str(ROOT),
        "MELTANO_SYS_DIR_ROOT": str(demo.folder / SYSTEM),
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
        **settings,
        "TARGET_DUCKDB_PATH": str(demo.folder / DATABASE),
    }


def run_meltano(demo: Demo, url: str) -> list[Progress]:
    """Runs the taps, each with the loader, in one run of Meltano. Returns their progress."""
    offered = {vendor.name: demo.streams(vendor, url) for vendor in VENDORS}
    environment = make_environment(demo, url)
    blocks = [plugin for vendor in VENDORS for plugin in (vendor.tap, "target-duckdb")]
    command = [*MELTANO, *blocks]
    with (
        (demo.folder / LOG).open("w") as log,
        Process(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        try:
            lines = log_lines(process.stdout or (), log)
            taps = [follow_tap(Progress(vendor, offered[vendor.name]), lines) for vendor in VENDORS]
            for _ in lines:
                pass
        except BaseException:  # an interruption that only this process has noticed
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        print_end(demo.folder / LOG)
        sys.exit(f"meltano run failed with exit code {process.returncode}; its full log is {demo.file(LOG)}.")
    return taps


def print_end(log: Path) -> None:
    """Prints the last lines of a log."""
    print("".join(log.read_text().splitlines(keepends=True)[-LINES_SHOWN:]))


def log_lines(lines: Iterable[str], log: TextIO) -> Iterator[str]:
    """Yields lines, and writes them to the log."""
    for line in lines:
        log.write(line)
        yield line


def follow_tap(progress: Progress, lines: Iterator[str]) -> Progress:
    """Shows the progress of one tap, from the lines of Meltano's log."""
    for line in lines:
        progress.count_line(line)
        if BLOCK_ENDED in line:
            break
        progress.print_line()
    progress.print_line(is_last=True)
    return progress


def count_live_rows(database: Path, schema: str) -> dict[str, int]:
    """Returns the number of rows per table, not counting rows that are marked as deleted."""
    with duckdb.connect(database, read_only=True) as connection:
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


def format_minutes_at_limits(demo: Demo, progress: Progress, url: str) -> str:
    """Returns how long the requests of a tap take at the vendor's documented limits."""
    tap = demo.make_tap(progress.vendor, url)
    loads = [
        Load(stream.path, progress.requests.get(stream.name, 0), seconds=None, prefetches=stream.prefetches)
        for stream in tap.streams.values()
        if isinstance(stream, RestStream)
    ]
    minutes = total_duration(tap.rate_limiter, loads, tap.config["max_concurrency"]).minutes
    return "not documented" if minutes is None else f"{minutes:.1f} min"


def show_totals(demo: Demo, taps: list[Progress], counts: dict[str, dict[str, int]], limits: dict[str, str]) -> bool:
    """Prints the rows of each tap, and the streams that differ from the sandbox. Returns whether all streams agree."""
    columns = f"{'streams':>8}{'rows in DuckDB':>16}{'rows in sandbox':>17}{'requests':>10}{'seconds':>9}"
    print(f"\n{'':<16}{columns}{'limits allow':>17}")
    differing = []
    for tap in taps:
        vendor = tap.vendor
        loaded = count_live_rows(demo.folder / DATABASE, vendor.schema)
        expected = {stream: rows for stream, rows in counts[vendor.name].items() if stream in tap.offered}
        print(
            f"{vendor.tap:<16}{len(loaded):>8}{sum(loaded.values()):>16,}{sum(expected.values()):>17,}"
            f"{sum(tap.requests.values()):>10,}{tap.seconds:>9.0f}{limits[vendor.name]:>17}"
        )
        differing += [
            f"{vendor.schema + '.' + stream:<60}{loaded.get(stream, 0):>16,}{expected.get(stream, 0):>17,}"
            for stream in sorted({*loaded, *expected})
            if loaded.get(stream, 0) + tap.withheld.get(stream, 0) != expected.get(stream)
        ]
    if differing:
        print(f"\n{'tables that differ':<60}{'rows in DuckDB':>16}{'rows in sandbox':>17}", *differing, sep="\n")
    return not differing


def describe_left_out(demo: Demo, taps: list[Progress], url: str) -> str:
    """Returns what the privacy profile left out."""
    everything = Demo(EVERYTHING, load_profile(EVERYTHING))
    columns = {}
    for each in (everything, demo):
        catalogs = [(tap.vendor.streams, each.make_tap(tap.vendor, url).catalog_dict) for tap in taps]
        columns[each.setting] = sum(
            len(entry["schema"]["properties"])
            for streams, catalog in catalogs
            for entry in catalog["streams"]
            if entry["stream"] in streams
        )
    total = columns[EVERYTHING]
    streams = sum(len(tap.vendor.streams) - len(tap.offered) for tap in taps)
    rows = sum(sum(tap.withheld.values()) for tap in taps)
    profile = demo.profile
    dropped = [name for name in CLASSES if profile.actions.get(name) == "drop"]
    names = [
        *(name for name in dropped if name.rpartition(".")[0] not in dropped),
        *(path for path, action in profile.paths.items() if action == "drop"),
    ]
    counts = [
        f"{total - columns[demo.setting]:,} of {total:,} columns",
        *([f"{streams} streams"] if streams else []),
        *([f"{rows:,} rows of other streams"] if rows else []),
    ]
    return f"{', '.join(counts)}; the profile {profile.name} drops {', '.join(names)}"


def models_environment(demo: Demo) -> dict[str, str]:
    """Returns the environment variables for dbt."""
    return {
        **os.environ,
        "DBT_PROJECT_DIR": str(MODELS),
        "DBT_PROFILES_DIR": str(MODELS),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_TARGET_PATH": str(demo.folder / "dbt"),
        "DBT_LOG_PATH": str(demo.folder / "dbt"),
        "HR_DATABASE": str(demo.folder / DATABASE),
    }


@contextmanager
def parse_models(demo: Demo) -> Iterator[None]:
    """Lets dbt parse the models at the same time, which the build does not have to repeat."""
    command = [str(DBT / "dbt"), "--quiet", "--no-write-json", "parse"]
    with subprocess.Popen(command, env=models_environment(demo), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield


def build_models(demo: Demo) -> None:
    """Builds the models in the loaded file. Their tests are left to `make test-deep`."""
    command = [str(DBT / "python"), str(MODELS / "build.py"), "--exclude-resource-type", "test"]
    with (demo.folder / DBT_LOG).open("w") as log:
        built = subprocess.run(command, env=models_environment(demo), stdout=log, stderr=subprocess.STDOUT, check=False)
    if built.returncode:
        sys.exit(f"\nThe models could not be built; dbt's log is {demo.file(DBT_LOG)}.")


def write_report(demo: Demo) -> None:
    """Writes the report about the models."""
    command = [str(BIN / "hr-report"), "--database", str(demo.folder / DATABASE), "--out", str(demo.folder / REPORT)]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit("\nThe report could not be written; see the message above.")


def parse_arguments() -> Demo:
    """Returns the demo that the command line asks for."""
    parser = argparse.ArgumentParser(description="Load a fictitious company, build the HR models, and write a report.")
    names = ", ".join(PROFILES)
    parser.add_argument("--privacy", default=EVERYTHING, help=f"a privacy profile: {names}, or the path of a YAML file")
    setting = parser.parse_args().privacy
    try:
        profile = load_profile(setting)
    except RunError as error:
        sys.exit(str(error))
    return Demo(setting if setting in PROFILES else str(Path(setting).resolve()), profile)


def main() -> None:
    """Runs the demo."""
    demo = parse_arguments()
    started = time.monotonic()
    prepare_folder(demo)
    os.environ["XDG_CACHE_HOME"] = str(demo.folder / "cache")  # metadata of the sandbox, useless to other portals
    print("Reading a fictitious company of 250 employees from the sandbox through Meltano into DuckDB:")
    with run_sandbox() as url, parse_models(demo):
        taps = run_meltano(demo, url)
        with urlopen(f"{url}/_control/counts") as reply:  # noqa: S310 - the sandbox's URL
            counts = json.load(reply)
        limits = {tap.vendor.name: format_minutes_at_limits(demo, tap, url) for tap in taps}
        left_out = "" if demo.profile.keeps_everything else describe_left_out(demo, taps, url)
    if not show_totals(demo, taps, counts, limits):
        sys.exit("\nThe row counts differ from the sandbox.")
    file, log = demo.file(DATABASE), demo.file(LOG)
    needed = " or\n                 ".join(
        ", ".join(f"{vendor.schema.upper()}_{name}" for name in vendor.credentials) for vendor in VENDORS
    )
    print(f"""
All rows were loaded in {time.monotonic() - started:.0f} s into {file}, with one schema per tap. Log: {log}

Query it:        .venv/bin/python -c "import duckdb; duckdb.connect('{file}').sql('FROM tap_personio.persons').show()"
Your own data:   put {needed}
                 into a file named .env, then
                 .venv/bin/meltano run tap-personio target-duckdb""")
    started = time.monotonic()
    build_models(demo)
    write_report(demo)
    print(f"""
The models were built in the schemas hr and hr_metrics, and a report was written, in {time.monotonic() - started:.0f} s.
Open it:         {demo.file(REPORT)}""")
    if left_out:
        print(f"Left out:        {left_out}")


if __name__ == "__main__":
    main()
