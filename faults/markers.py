"""Planted markers: checks that no secret or personal data leaks into logs, states or files that others can read.

Markers are planted in credentials, tokens, vendors' secrets, names, pay and error bodies. Taps and the loader then run
into various problems at log level DEBUG, and everything they wrote is searched for the markers.
"""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb

from faults import verdict
from faults.json_edits import TOKEN_KEYS, find_enclosing_objects, find_row_lists
from faults.meltano_project import Project
from faults.pipeline import Pipeline
from faults.responders import make_static_response
from faults.results import Outcome
from faults.testbench import TestBench
from faults.vendors import CLIENT_ID, CLIENT_SECRET, VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from faults.results import Options, ResultLog
    from faults.wire import Request, Response, Step

PART = "markers"
PERSON_PREFIX = "zqxperson"
PAY_BASE = 98765432100000
SECRET_PREFIX = "zqxsecret"  # noqa: S105 - a marker
MARKER = re.compile(rf"(?:{PERSON_PREFIX}|{SECRET_PREFIX})\d+|{PAY_BASE // 10**5}\d{{5}}")
LIMIT = 180.0
OTHERS_MODE = 0o077
OTHERS_ENTER = 0o011
UNCHANGED_FIELDS = re.compile(
    r"id$|ids$|uuid|date|_at$|_on$|type|status|kind|link|href|cursor|next|url|page|key|limit|total|number"
    r"|label$|count|rows|lines|records"
)
"""Fields that taps need for paging and keys keep their values."""

SECRET_FIELDS = ("token", "secret", "password", "client_secret", "webhook_secret", "challenge")
ERROR_STATUSES = (400, 404, 409, 422, 500)


@dataclass
class MarkerPlanter:
    """Plants markers in the vendor's responses and remembers them.

    Args:
        seed: Seed of all random choices.
        with_errors: Whether some requests fail with markers in the error body, and some values have another type.
    """

    seed: str
    with_errors: bool
    person_markers: set[str] = field(default_factory=set)
    """Personal data, allowed in records only."""
    secret_markers: set[str] = field(default_factory=set)
    """Secrets, allowed nowhere."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
        """Returns the vendor's response with a unique marker in each text, so that a leak can be found."""
        rng = random.Random(f"{self.seed}/{request.target}")  # noqa: S311 - reproducible by design
        response = forward()
        try:
            document = json.loads(response.body)
        except ValueError:
            return None
        if request.method == "POST":
            self._remember_tokens(document)
            return None
        if self.with_errors and rng.random() < 1 / 15:
            return self._make_error_response(rng, request, forward)
        for rows in find_row_lists(document):
            for row in rows:
                self._plant_in_row(row, rng)
        return [replace(response, body=json.dumps(document).encode()).to_bytes()]

    def _remember_tokens(self, document: Any) -> None:  # noqa: ANN401 - any JSON
        for one in find_enclosing_objects(document):
            self.secret_markers |= {str(one[name]) for name in (*TOKEN_KEYS, "refresh_token") if one.get(name)}

    def _make_marker(self, rng: random.Random, *, secret: bool = False) -> str:
        marker = f"{SECRET_PREFIX if secret else PERSON_PREFIX}{rng.randrange(10**12)}"
        with self._lock:
            (self.secret_markers if secret else self.person_markers).add(marker)
        return marker

    def _make_error_response(
        self, rng: random.Random, request: Request, forward: Callable[[], Response]
    ) -> Iterable[Step] | None:
        body = json.dumps(
            {"errors": [{"title": self._make_marker(rng), "detail": f"{self._make_marker(rng)} {request.target}"}]}
        )
        text = rng.choice((body, f"<html>{body}</html>", body[:-3]))
        return make_static_response(rng.choice(ERROR_STATUSES), text.encode())(request, forward)

    def _plant_in_row(self, row: dict[str, Any], rng: random.Random) -> None:
        inner = row["attributes"] if isinstance(row.get("attributes"), dict) else row
        for name, value in list(inner.items()):
            if UNCHANGED_FIELDS.search(name.lower()):
                continue
            if isinstance(value, str) or (self.with_errors and value is not None and rng.random() < 1 / 200):
                inner[name] = self._make_marker(rng)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                inner[name] = PAY_BASE + rng.randrange(10**5)
                self.person_markers.add(str(inner[name]))
        for name in SECRET_FIELDS:
            if name in inner or rng.random() < 1 / 20:
                inner[name] = self._make_marker(rng, secret=True)
        if "custom_headers" in inner:
            inner["custom_headers"] = [{"name": "Authorization", "value": self._make_marker(rng, secret=True)}]


class LeakSearch:
    """Searches for leaked markers.

    Args:
        planter: Knows the planted markers.
    """

    def __init__(self, planter: MarkerPlanter) -> None:
        self._tokens = {secret for secret in planter.secret_markers if not secret.startswith(SECRET_PREFIX)}
        self.leaks: list[str] = []
        self.searched = 0

    def _search_text(self, text: str, where: str, *, secrets_only: bool = False) -> None:
        self.searched += 1
        for match in MARKER.finditer(text):
            if not secrets_only or match[0].startswith(SECRET_PREFIX):
                self.leaks.append(f"{where} contains {text[max(0, match.start() - 80) : match.end()]!r}")
        self.leaks += [f"{where} contains a token" for token in self._tokens if token in text]

    def search_log(self, text: str, where: str) -> None:
        """Searches text that must not contain any marker."""
        self._search_text(text, where)

    def search_rows(self, text: str, where: str) -> None:
        """Searches text that may contain personal data but no secrets."""
        self._search_text(text, where, secrets_only=True)

    def search_files(self, folder: Path) -> None:
        """Searches all files that others can read, except the trial's own."""
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink() and path.stat().st_mode & OTHERS_ENTER:
                self.search_files(path)
            if not path.is_file() or path.is_symlink() or path.name in OWN_FILES:
                continue
            if path.stat().st_mode & OTHERS_MODE:
                self._search_text(path.read_bytes().decode("utf-8", "replace"), f"{path.name} (readable by others)")
            if path.suffix == ".duckdb" and path.stat().st_mode & OTHERS_MODE:
                self.leaks.append(f"{path.name} is readable by others")


@dataclass(frozen=True)
class Scenario:
    """Conditions of a run."""

    name: str
    with_errors: bool = False
    bad_credentials: bool = False
    loader: str = ""
    stop_signal: signal.Signals | None = None
    oauth: bool = False
    meltano: bool = False


GARBAGE = "garbage"
SCENARIOS = (
    Scenario("no problems"),
    Scenario("error responses and values of other types", with_errors=True),
    Scenario("wrong credentials", bad_credentials=True),
    Scenario("loader with an invalid database", loader=GARBAGE),
    Scenario("loader that rejects rows", with_errors=True, loader="strict"),
    Scenario("stopped by SIGTERM", stop_signal=signal.SIGTERM),
    Scenario("stopped by SIGINT", with_errors=True, stop_signal=signal.SIGINT),
    Scenario("rotating tokens", with_errors=True, oauth=True),
    Scenario("under Meltano", meltano=True),
)
DEBUG_LOGGING = dict.fromkeys(("TAP_PERSONIO_LOGLEVEL", "TAP_FACTORIAL_LOGLEVEL", "TAP_CORNERSTONE_LOGLEVEL"), "DEBUG")
DEBUG_LOGGING |= {"TARGET_DUCKDB_LOGLEVEL": "DEBUG"}
OWN_FILES = {
    "tap.out",
    "tap.log",
    "loader.log",
    "tap.out.log",
    "states.out",
    "states.out.log",
    "meltano.log",
    "catalog.json",
}


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        marker = f"{SECRET_PREFIX}{options.make_rng(PART, name).randrange(10**12)}"
        credentials = {"api_key": marker} if name == "factorial" else {"client_secret": marker}
        with TestBench(VENDORS[name], options.folder / name, options.seed, credentials, **credentials) as bench:
            for number in options.choose_trial_numbers(len(SCENARIOS), PART, name):
                if not SCENARIOS[number].oauth or name == "factorial":
                    results.add_outcome(
                        run_trial(bench, number, SCENARIOS[number], marker, options.make_rng(PART, name, number))
                    )


def run_trial(bench: TestBench, number: int, scenario: Scenario, marker: str, rng: random.Random) -> Outcome:
    """Runs the scenario, then searches everything it wrote."""
    started = time.monotonic()
    planter = MarkerPlanter(str(rng.random()), scenario.with_errors, secret_markers={marker})
    folder = bench.new_folder()
    config = _make_credentials(bench, planter, scenario, marker, folder)
    bench.reset_quotas()
    bench.proxy.interceptor = planter
    try:
        logs = ScenarioRun(bench, scenario, folder, config, planter, rng).run()
    finally:
        bench.proxy.interceptor = None
    search = LeakSearch(planter)
    for name, text in logs.items():
        search.search_log(text, name)
    out = folder / "tap.out"
    lines = out.read_bytes().decode("utf-8", "replace").splitlines() if out.exists() else []
    search.search_rows("\n".join(lines), "the tap's output")
    search.search_log(
        "\n".join(line for line in lines if '"type":"STATE"' in line.replace(" ", "")[:30]), "a STATE line"
    )
    database = folder / "trial.duckdb"
    if scenario.loader != GARBAGE and database.exists():
        search.search_log(json.dumps(verdict.read_state(database)), "the committed state")
        search.search_rows(_dump_database(database), "the DuckDB file")
    search.search_files(folder)
    outcome = Verdict.VIOLATION if search.leaks else Verdict.EXACT
    description = f"{scenario.name}: {len(planter.person_markers)} personal markers, "
    description += f"{len(planter.secret_markers)} secrets, {search.searched} texts searched"
    detail = "\n     ".join(search.leaks[:10])
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, number, scenario.name, outcome, description, detail, seconds=seconds)


def _make_credentials(
    bench: TestBench, planter: MarkerPlanter, scenario: Scenario, marker: str, folder: Path
) -> dict[str, Any]:
    """Returns the tap's credentials, valid or not."""
    if scenario.oauth:
        tokens = bench.sandbox.control("factorial/login")
        planter.secret_markers |= {tokens["refresh_token"], tokens["access_token"]}
        return {
            "api_key": None,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": tokens["refresh_token"],
            "token_file": str(folder / "tokens.json"),
        }
    name = "api_key" if bench.vendor.name == "factorial" else "client_secret"
    return {name: f"{marker}-is-wrong" if scenario.bad_credentials else marker}


@dataclass
class ScenarioRun:
    """A run under a scenario's conditions.

    Args:
        bench: The sandbox.
        scenario: The conditions.
        folder: Working folder.
        config: The tap's credentials, valid or not.
        planter: Plants markers in responses.
        rng: Source of random choices.
    """

    bench: TestBench
    scenario: Scenario
    folder: Path
    config: dict[str, Any]
    planter: MarkerPlanter
    rng: random.Random

    def run(self) -> dict[str, str]:
        """Runs the pipeline. Returns the logs by their source."""
        database = self.folder / "trial.duckdb"
        if self.scenario.loader == GARBAGE:
            database.touch(mode=0o600)
            database.write_bytes(b"no database" * 1000)
        elif self.scenario.loader:
            _reject_rows(database, *self.rng.choice(sorted(self.bench.keys.items())))
        if self.scenario.meltano:
            return {"Meltano's log": self._run_under_meltano()}
        if self.scenario.stop_signal:
            return self._run_and_stop(self.scenario.stop_signal)
        result = self.bench.run(self.folder, database, limit=LIMIT, variables=DEBUG_LOGGING, **self.config)
        return {"the tap's log": result.tap.log, "the loader's log": result.load.log}

    def _run_under_meltano(self) -> str:
        # Not at Meltano's own DEBUG level, which logs every record.
        project = Project(self.folder, self.bench.vendor, self.bench.proxy.url, verdict.SCHEMA)
        project.write_config()
        prefix = self.bench.vendor.tap.upper().replace("-", "_")
        settings = {f"{prefix}_{name.upper()}": value for name, value in self.config.items()}
        return project.run(limit=LIMIT, more={**DEBUG_LOGGING, **settings}).log

    def _run_and_stop(self, number: signal.Signals) -> dict[str, str]:
        """Stops the tap and the loader with a signal. Returns their logs."""
        remaining = self.rng.randrange(5, 60)
        pipelines: list[Pipeline] = []

        def stop_pipeline(request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
            nonlocal remaining
            remaining -= 1
            if remaining <= 0 and pipelines:
                pipelines[0].send_signal("tap", number)
                pipelines[0].send_signal("loader", number)
            return self.planter(request, forward)

        self.bench.proxy.interceptor = stop_pipeline
        tap = [self.bench.vendor.tap, *self.bench.make_tap_arguments(self.folder, [], None, **self.config)]
        loader = self.bench.write_loader_config(self.folder, self.folder / "trial.duckdb")
        pipelines.append(
            Pipeline(self.folder, tap, ["target-duckdb", "--config", str(loader)], variables=DEBUG_LOGGING)
        )
        return {f"the {name}'s log": end.log for name, end in pipelines[0].wait(LIMIT).items()}


def _reject_rows(database: Path, stream: str, key: tuple[str, ...]) -> None:
    """Creates a table with a constraint that rejects every row."""
    column = key[0] if key else "id"
    with duckdb.connect(database) as connection:
        connection.execute(f'CREATE SCHEMA "{verdict.SCHEMA}"')
        connection.execute(
            f'CREATE TABLE "{verdict.SCHEMA}"."{stream}" ("{column}" VARCHAR CHECK (length("{column}") < 0))'
        )
    database.chmod(0o600)


def _dump_database(database: Path) -> str:
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return "\n".join(str(connection.execute(f'FROM "{schema}"."{table}"').fetchall()) for schema, table in tables)
