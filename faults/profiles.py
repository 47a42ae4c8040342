"""Privacy profiles: markers in every field of the sandbox's records are searched for in everything that a run writes.

A run that loads everything must bring every marker into the database, and shows the path of each. Under a profile, only
the markers of values that it keeps may be anywhere: in the output, logs at level DEBUG, states, temporary files, BATCH
files and the database.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from singer_rest.privacy.classes import UNCLASSIFIED
from singer_rest.privacy.profiles import PROFILES, load_profile

from faults import processes, verdict
from faults.field_markers import CLOCK_MARKER, FieldPlanter, find_markers, locate_markers
from faults.markers import DEBUG_LOGGING
from faults.meltano_project import Project, list_running_processes
from faults.results import Outcome
from faults.testbench import TestBench
from faults.vendors import VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Iterator

    from singer_rest.privacy.classification import Classification
    from singer_rest.privacy.profiles import Profile

    from faults.pipeline_run import PipelineRun
    from faults.results import Options, ResultLog

PART = "profiles"
KEY = "zqx999999999999-the-privacy-key-of-a-trial"
LIMIT = 300.0
POLL = 0.05
OWN_FILES = {"catalog.json", "config.json", "copy.duckdb"}


@dataclass
class Locations:
    """Where each marker stands in the output of a run that loads everything.

    Args:
        classification: The classes of the tap's paths.
    """

    classification: Classification
    streams: dict[str, set[str]] = field(default_factory=dict)
    """The columns by stream."""
    of: defaultdict[str, set[tuple[str, str, tuple[str, ...]]]] = field(default_factory=lambda: defaultdict(set))
    """The streams and paths by marker, with the classes of the rows."""

    def add_messages(self, messages: Iterable[dict[str, Any]]) -> None:
        """Locates the markers in a tap's output."""
        for message in messages:
            if message["type"] == "SCHEMA":
                self.streams[message["stream"]] = {*message["schema"]["properties"]}
            if message["type"] == "RECORD":
                self._add_record(message["stream"], message["record"])

    def _add_record(self, stream: str, record: dict[str, Any]) -> None:
        rules = self.classification.row_rules(stream)
        of_row = tuple(rule.name for rule in rules if not rule.path and rule.applies_to(record.get(rule.column)))
        for name, value in record.items():
            classes = of_row
            for rule in rules:
                if rule.path == name and isinstance(value, list):
                    for item in value:
                        if rule.applies_to(item.get(rule.column)):
                            self._add({name: [item]}, stream, (*of_row, rule.name))
                    value = [item for item in value if not rule.applies_to(item.get(rule.column))]  # noqa: PLW2901
            self._add({name: value}, stream, classes)

    def _add(self, part: dict[str, Any], stream: str, classes: tuple[str, ...]) -> None:
        for marker, path in locate_markers(part):
            self.of[marker].add((stream, path, classes))

    def class_of(self, stream: str, path: str) -> str:
        """Returns the class of a path. What a schema does not list within an object has none, whatever its name is."""
        is_known = "." not in path or self.classification.shipped(stream, path)
        return self.classification.of(stream, path).name if is_known else UNCLASSIFIED

    def allowed(self, profile_name: str, offered: set[str], *actions: str) -> set[str]:
        """Returns the markers of values that a profile keeps, or on which it has another action."""
        profile = load_profile(profile_name)

        def is_kept(stream: str, path: str, classes: tuple[str, ...]) -> bool:
            found = self.class_of(stream, path)
            done = {profile.action(stream, path, name) for name in (found, *classes)}
            return stream in offered and done <= {"keep", *actions}

        return {marker for marker, found in self.of.items() if any(is_kept(*location) for location in found)}


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Args:
        name: Row of the report.
        profile: The privacy profile.
        fails: Whether some requests fail, with markers in the responses.
        drops_keys: Whether some rows lack their key, so that the loader sets them aside.
        maps_records: Whether stream maps write each record into a column of its own, as text.
        writes_batches: Whether the tap writes BATCH files.
    """

    name: str
    profile: str
    fails: bool = False
    drops_keys: bool = False
    maps_records: bool = False
    writes_batches: bool = False


KINDS = (
    *(Kind(profile, profile) for profile in PROFILES),
    Kind("minimal, with BATCH files", "minimal", writes_batches=True),
    Kind("minimal, with stream maps of whole records", "minimal", maps_records=True),
    Kind("minimal, with rows that are set aside", "minimal", drops_keys=True),
    Kind("minimal, with failing requests", "minimal", fails=True),
)
COMMANDS = (("--test",), ("--doctor",), ("--plan",), ("--discover",), ("--dossier", "{folder}/dossier.yaml"))


@dataclass(frozen=True)
class Trial:
    """A run under a profile.

    Args:
        result: The run.
        offered: The streams that it wrote.
        planted: The markers in the responses that it got.
        found: The markers by place.
        misshapen: Columns with values that no action of the profile would leave.
    """

    result: PipelineRun
    offered: set[str]
    planted: set[str]
    found: dict[str, set[str]]
    misshapen: list[str]


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        secret = f"zqx{options.make_rng(PART, name).randrange(10**12):012d}"
        credentials = {"api_key": secret} if name == "factorial" else {"client_secret": secret}
        with TestBench(VENDORS[name], options.folder / name, options.seed, credentials, **credentials) as bench:
            trials = Trials(bench, results, secret)
            trials.run_kinds()
            trials.run_commands()
            trials.run_meltano()


class Trials:
    """The runs of one tap.

    Args:
        bench: The sandbox.
        results: The log of results.
        secret: The secret of the tap's credentials.
    """

    def __init__(self, bench: TestBench, results: ResultLog, secret: str) -> None:
        self._bench = bench
        self._results = results
        self._secrets = {secret, *find_markers(KEY.encode())}
        self._secret = secret
        self.planter = FieldPlanter(bench.streams, bench.endpoints, bench.vendor.unmutated, bench.parents.values())
        self.locations = Locations(self.planter.classification)

    def run_kinds(self, kinds: Iterable[Kind] = KINDS) -> None:
        """Runs each kind. The first must load everything, and shows where each marker stands."""
        for number, kind in enumerate(kinds):
            started = time.monotonic()
            self._add(number, kind, self._load(kind), started)

    def _load(self, kind: Kind) -> Trial:
        folder = self._bench.new_folder()
        self._bench.reset_quotas()
        config: dict[str, Any] = {"privacy": kind.profile, "privacy_key": KEY}
        config["metrics_file"] = str(folder / "numbers.prom")
        if kind.maps_records:
            config["stream_maps"] = {stream: {"zqx_copy": "str(record)"} for stream in self._bench.keys}
        if kind.writes_batches:
            (folder / "batch").mkdir()
            encoding = {"format": "jsonl", "compression": "gzip"}
            config["batch_config"] = {"encoding": encoding, "storage": {"root": (folder / "batch").as_uri()}}
        with self._planting(fails=kind.fails, drops_keys=kind.drops_keys) as planted:
            result = self._bench.run(folder, folder / "trial.duckdb", limit=LIMIT, variables=DEBUG_LOGGING, **config)
        messages = [json.loads(line) for line in result.out.read_bytes().splitlines()]
        if kind.profile == "everything":
            self.locations.add_messages(messages)
        offered = {message["stream"] for message in messages if message["type"] == "SCHEMA"}
        database = folder / "trial.duckdb"
        misshapen = find_misshapen(database, self.locations, load_profile(kind.profile)) if database.exists() else []
        return Trial(result, offered, planted, search_folder(folder), misshapen)

    @contextmanager
    def _planting(self, *, fails: bool = False, drops_keys: bool = False) -> Iterator[set[str]]:
        planter = replace(self.planter, fails=fails, drops_keys=drops_keys, planted=set())
        self._bench.proxy.interceptor = planter
        try:
            yield planter.planted
        finally:
            self._bench.proxy.interceptor = None
            self.planter.planted |= planter.planted

    def _add(self, number: int, kind: Kind, trial: Trial, started: float) -> None:
        planted, allowed = self.planter.planted, self.locations.allowed(kind.profile, trial.offered)
        if kind.profile == "everything":  # the log names the fields that no schema has
            forbidden = {*self._secrets}
        else:
            forbidden = {*planted, *self._secrets, CLOCK_MARKER} - allowed
            # Of a time that is moved to midnight, the day stays.
            forbidden -= self.locations.allowed(kind.profile, trial.offered, "rebase") - {CLOCK_MARKER}
        no_log = forbidden if kind.profile == "everything" else forbidden | planted
        leaks = {
            place: markers & (forbidden if place in WITH_RECORDS else no_log) for place, markers in trial.found.items()
        }
        leaked = set().union(*leaks.values())
        # Not in the database only, which keeps one row of those with the same key.
        missing = (allowed & trial.planted).difference(*(trial.found.get(place, ()) for place in WITH_RECORDS))
        missing = set() if kind.fails else missing
        kept = allowed & trial.planted
        problems = [*self._describe_leaks(leaks), *trial.misshapen]
        if missing:
            problems.append(f"{len(missing)} markers that it keeps are missing: {self._describe(missing)}")
        if (not trial.result.succeeded and not kind.fails) or trial.result.violation:
            problems.append(str(trial.result))
        description = (
            f"{kind.name}: {len(planted):,} markers; found {len(kept - missing):,} of {len(kept):,} that it "
            f"keeps, and {len(leaked):,} of {len(forbidden):,} others"
        )
        self._add_outcome(number, kind.name, description, problems, started)

    def run_commands(self) -> None:
        """Runs the commands that report on a tap, none of which may show a value."""
        started, folder, problems = time.monotonic(), self._bench.new_folder(), []
        config = {"privacy": "minimal", "privacy_key": KEY}
        arguments = self._bench.make_tap_arguments(folder, [], None, **config)[:2]
        for command, *more in COMMANDS:
            with self._planting():
                out = folder / f"{command.strip('-')}.out"
                result = processes.run(
                    self._bench.vendor.tap,
                    [*arguments, command, *(text.format(folder=folder) for text in more)],
                    folder,
                    stdout=out,
                    limit=LIMIT,
                    variables=DEBUG_LOGGING,
                )
            if result.code:
                problems.append(f"{command}: exit code {result.code}")
        found = search_folder(folder)
        forbidden = self.planter.planted | self._secrets
        # It writes a record of each stream.
        found["test.out"] -= self.locations.allowed("minimal", {*self._bench.keys}, "rebase") - {CLOCK_MARKER}
        leaks = {place: markers & forbidden for place, markers in found.items()}
        description = (
            f"{', '.join(command for command, *_ in COMMANDS)}: {len(forbidden):,} markers, {len(found)} files"
        )
        self._add_outcome(len(KINDS), "minimal, commands", description, problems + self._describe_leaks(leaks), started)

    def run_meltano(self) -> None:
        """Runs Meltano, which logs every record at its level debug. Secrets come from files."""
        started, folder, vendor = time.monotonic(), self._bench.new_folder(), self._bench.vendor
        project = Project(folder, vendor, self._bench.proxy.url, verdict.SCHEMA)
        project.write_config()
        prefix = vendor.tap.upper().replace("-", "_")
        secret = "API_KEY" if vendor.name == "factorial" else "CLIENT_SECRET"
        files = {"PRIVACY_KEY": KEY, secret: self._secret}
        (folder / "secrets").mkdir(mode=0o700)
        for name, content in files.items():
            write_text(folder / "secrets" / name, content)
        variables = {f"{prefix}_{name}_FILE": str(folder / "secrets" / name) for name in files}
        more = {
            **DEBUG_LOGGING,
            **variables,
            "MELTANO_CLI_LOG_LEVEL": "debug",
            f"{prefix}_PRIVACY": "minimal",
            f"{prefix}_{secret}": "",
        }
        seen: dict[str, set[str]] = {}
        with self._planting():
            result = project.run(
                limit=LIMIT,
                on_start=lambda process: watch_processes(process, folder, seen),
                more=more,
            )
        found = search_folder(folder) | seen
        allowed = self.locations.allowed("minimal", {*self._bench.keys})
        forbidden = {*self.planter.planted, *self._secrets, CLOCK_MARKER} - allowed
        forbidden -= self.locations.allowed("minimal", {*self._bench.keys}, "rebase") - {CLOCK_MARKER}
        leaks = {place: markers & forbidden for place, markers in found.items() if not place.startswith("secrets/")}
        problems = self._describe_leaks(leaks)
        if result.code or not {f"environ of {vendor.tap}", ".meltano/run"} <= seen.keys():
            problems.append(f"exit code {result.code}, searched {', '.join(seen)}")
        description = f"meltano at level debug: {len(forbidden):,} markers, {len(found)} files and processes"
        self._add_outcome(len(KINDS) + 1, "minimal, Meltano at level debug", description, problems, started)

    def _add_outcome(self, number: int, kind: str, description: str, problems: list[str], started: float) -> None:
        outcome = Verdict.VIOLATION if problems else Verdict.EXACT
        name, seconds = self._bench.vendor.name, time.monotonic() - started
        self._results.add_outcome(
            Outcome(PART, name, number, kind, outcome, description, "\n     ".join(problems), seconds=seconds)
        )

    def _describe_leaks(self, leaks: dict[str, set[str]]) -> list[str]:
        return [
            f"{place} contains {len(markers)}: {self._describe(markers)}" for place, markers in leaks.items() if markers
        ]

    def _describe(self, markers: set[str]) -> str:
        places = Counter(
            (stream, path, self.locations.class_of(stream, path))
            for marker in markers
            for stream, path, _ in self.locations.of.get(marker, {("unknown", "", ())})
        )
        return ", ".join(f"{stream}.{path} ({name}) {count}" for (stream, path, name), count in places.most_common(40))


DATABASE = "database"
WITH_RECORDS = {"tap.out", DATABASE, "database file", "BATCH files"}
"""Places that hold records. No other may hold a marker of any class."""


def search_folder(folder: Path) -> dict[str, set[str]]:
    """Returns the markers in each file of a run, and in the database."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink() or path.name in OWN_FILES:
            continue
        content = path.read_bytes()
        if path.name.startswith("trial.duckdb"):
            found.setdefault("database file", set()).update(find_markers(content))
            if path.suffix == ".duckdb":
                found[DATABASE] = find_markers(dump_database(path))
                found["database file"] |= find_markers(uncompressed(path))
        elif "batch" in path.relative_to(folder).parts:
            found.setdefault("BATCH files", set()).update(find_markers(gzip.decompress(content)))
        else:
            found[str(path.relative_to(folder))] = find_markers(content)
    return found


def dump_database(database: Path) -> bytes:
    """Returns all values, names and comments of a database."""
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        parts = [connection.execute("FROM duckdb_columns()").fetchall()]
        parts += [connection.execute(f'FROM "{schema}"."{table}"').fetchall() for schema, table in tables]
    return json.dumps(parts, default=str).encode()


def find_misshapen(database: Path, locations: Locations, profile: Profile) -> list[str]:
    """Returns the columns with values that the profile's action on them cannot have left, with an example."""
    found = []
    with duckdb.connect(database, read_only=True) as connection:
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE data_type NOT LIKE '%[]%'"
        ).fetchall()
        for schema, table, column in columns:
            stream = locations.streams.get(table)
            action = profile.action(table, column, locations.class_of(table, column)) if stream else "keep"
            if action in SHAPES and column in (stream or ()):
                query = f'SELECT DISTINCT "{column}"::VARCHAR FROM "{schema}"."{table}"'
                values = [value for (value,) in connection.execute(query).fetchall() if value]
                wrong = [value for value in values if not SHAPES[action](value)]
                found += [f"{table}.{column} has {len(wrong)} values such as {wrong[0]!r}"] if wrong else []
    return found


def _are_pseudonyms(text: str) -> bool:
    """Whether a value, or each item of a list, is a pseudonym or an id of nobody."""
    items = json.loads(text) if text.startswith("[") else [text]
    return all(item is None or re.fullmatch(r"[a-z2-7]{30}|0|-\d+|", item) for item in items)


def _is_end_of_month(text: str) -> bool:
    day = date.fromisoformat(text[:10])
    return day.day == 1 or (day + timedelta(days=1)).day == 1


SHAPES: dict[str, Callable[[str], object]] = {
    "pseudonym": _are_pseudonyms,
    "year": re.compile(r"\d{4}-01-01( 00:00:00)?").match,
    "month": re.compile(r"\d{4}-\d\d-01( 00:00:00)?").match,
    "last_month": _is_end_of_month,
    "area": re.compile(r".{1,2}").fullmatch,
}
"""What values look like after each action."""


def uncompressed(database: Path) -> bytes:
    """Returns the bytes of a copy of a database whose texts are not compressed."""
    copy = database.with_name("copy.duckdb")
    with duckdb.connect() as connection:
        connection.execute("SET force_compression = 'uncompressed'")
        connection.execute(f"ATTACH '{database}' AS original (READ_ONLY); ATTACH '{copy}' AS copy")
        connection.execute("COPY FROM DATABASE original TO copy")
    content = copy.read_bytes()
    copy.unlink()
    return content


def write_text(path: Path, content: str) -> None:
    """Writes a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(content)


def watch_processes(process: subprocess.Popen[bytes], folder: Path, seen: dict[str, set[str]]) -> None:
    """Searches the command lines and environments of a process group, and `.meltano/run`, until it ends."""

    def watch() -> None:
        while process.poll() is None:
            for number, name in list_running_processes(process.pid).items():
                for part in ("cmdline", "environ"):
                    with suppress(OSError):
                        markers = find_markers(Path(f"/proc/{number}/{part}").read_bytes())
                        seen.setdefault(f"{part} of {name}", set()).update(markers)
            for path in (folder / ".meltano" / "run").rglob("*"):
                with suppress(OSError):
                    if path.is_file():
                        seen.setdefault(".meltano/run", set()).update(find_markers(path.read_bytes()))
            time.sleep(POLL)

    threading.Thread(target=watch, daemon=True).start()
