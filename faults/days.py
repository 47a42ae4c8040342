"""Simulated days: records are created, changed and deleted, each day is loaded, and every row is compared.

Most days are incremental runs, some are full refreshes. One full refresh fails midway and the next day has to make up
for it; on another day a permission is missing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singer_rest import times

from faults import verdict
from faults.changes import change_records
from faults.pipeline_run import merge_states
from faults.responders import make_static_response
from faults.results import Outcome
from faults.testbench import TestBench
from faults.vendors import VENDORS, Key, key_of
from faults.verdict import Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from faults.pipeline_run import PipelineRun
    from faults.results import Options, ResultLog
    from faults.vendors import Row
    from faults.wire import Request, Response, Step

PART = "days"
DAYS = 14
CHANGES = 25
FULL_READS = {1: "first run", 5: "full refresh", 8: "failing full refresh", 13: "full refresh"}
FAILURE_DAY = 8
REVOKED_DAY = 10
EXPIRY_DAY = 6
"""Special days; the first day is 1."""

FAILING_ENDPOINTS = 12
"""Number of endpoints that fail on the day of the failing refresh."""

PERMISSIONS: dict[str, dict[str, Any]] = {
    "personio": {"permission": "personio:absences:read"},
    "factorial": {"permission": "finance"},
    "cornerstone": {"permission": "obj_users_core:read"},
}


@dataclass
class DaySimulation:
    """Simulates a company day by day and tracks which rows the database should hold.

    Args:
        bench: The sandbox.
        rng: Chooses what changes and what fails.
    """

    bench: TestBench
    rng: random.Random
    state: dict[str, Any] | None = None
    _seen: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Keys seen since a stream's last full read. Their deletion only shows with the next full read."""
    _overdue: set[str] = field(default_factory=set)
    """Streams whose full read failed and is still due."""
    _late: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Keys of rows created with a timestamp before the previous run: only a full read finds them."""
    _run_started: str = ""

    def __post_init__(self) -> None:
        self.database = self.bench.folder / "simulation.duckdb"
        self.incremental = {
            entry["tap_stream_id"]
            for entry in self.bench.catalog["streams"]
            if entry["replication_method"] == "INCREMENTAL"
        }
        keys = {entry["tap_stream_id"]: entry.get("replication_key") for entry in self.bench.catalog["streams"]}
        self.timestamp_fields: dict[str, str | None] = {**keys, **self.bench.vendor.timestamp_fields}

    def run_day(self, day: int) -> tuple[Verdict, str]:
        """Simulates one day: changes the company, runs the pipeline and compares the rows."""
        bench, vendor = self.bench, self.bench.vendor
        self._run_started, since = times.format_utc(datetime.now(UTC)), self._run_started
        if day > 1:
            change_records(bench.sandbox, vendor, bench.keys, self.rng, CHANGES)
        if day == EXPIRY_DAY and vendor.name == "cornerstone":
            bench.sandbox.control("cornerstone/expire-links", kind="delta")
        if day == REVOKED_DAY:
            bench.sandbox.control("revoke", vendor=vendor.name, **PERMISSIONS[vendor.name])
        if day == FAILURE_DAY:
            bench.proxy.interceptor = self._make_failing_endpoints()
        try:
            result = bench.run(bench.new_folder(), self.database, state=None if day in FULL_READS else self.state)
        finally:
            bench.proxy.interceptor = None
            if day == REVOKED_DAY:
                bench.sandbox.control("grant", vendor=vendor.name, **PERMISSIONS[vendor.name])
            bench.reset_quotas()
        committed = verdict.read_state(self.database) or {}
        self.state = committed if result.succeeded else merge_states(self.state or {}, committed)
        return self._assess_day(day, result, since)

    def _make_failing_endpoints(self) -> Callable[[Request, Callable[[], Response]], Iterable[Step] | None]:
        """Makes some endpoints fail, half of them only from their second request on."""
        endpoints = sorted({self.bench.endpoints[stream] for stream in self.incremental & self.bench.endpoints.keys()})
        chosen = self.rng.sample(endpoints, min(FAILING_ENDPOINTS, len(endpoints)))
        first_failing = {endpoint: number % 2 for number, endpoint in enumerate(chosen)}
        self.bench.proxy.reset_counts()
        fail = make_static_response(422)

        def intercept(request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
            return (
                fail(request, forward)
                if request.number >= first_failing.get(request.endpoint, request.number + 1)
                else None
            )

        return intercept

    def _assess_day(self, day: int, result: PipelineRun, since: str) -> tuple[Verdict, str]:
        if result.hung:
            return Verdict.HANG, str(result)
        if result.violation:
            return Verdict.VIOLATION, f"{result.violation}: {result}"
        if (day == FAILURE_DAY) == result.succeeded:
            return Verdict.VIOLATION, f"day {day} has an unexpected exit code: {result}"
        named = verdict.find_named_streams(self.bench.keys, result.log)
        differences = self._find_unexpected_differences(day, named, since)
        if differences:
            return Verdict.SILENTLY_WRONG, f"{verdict.describe_differences(differences)}\n     {result}"
        return (Verdict.REPORTED_FAILURE if day in {FAILURE_DAY, REVOKED_DAY} else Verdict.EXACT), ""

    def _find_unexpected_differences(self, day: int, named: set[str], since: str) -> verdict.Differences:
        """Returns unexpected differences. Updates what is allowed to differ on the next days."""
        bench = self.bench
        bodies = bench.fetch_bodies(bench.keys)
        found = verdict.compare_with_sandbox(bench.vendor, bench.keys, bodies, self.database)
        unexpected = {}
        for stream, names in bench.keys.items():
            rows = {key_of(names, row): row for row in bench.vendor.expected_rows(stream, bodies[stream])}
            reported = day in {FAILURE_DAY, REVOKED_DAY} and stream in named
            full = day in FULL_READS or stream not in self.incremental or stream in self._overdue
            if stream in found and (day in FULL_READS or stream not in bench.vendor.read_once):
                difference = found[stream]
                if reported:
                    difference.missing, difference.changed = [], []
                # A tap without a state cannot tell a lost permission from an empty endpoint, so the rows stay.
                if reported or stream in named or not full or not rows or not self._has_versions(stream):
                    difference.extra = [key for key in difference.extra if key not in self._seen[stream]]
                if not full and (timestamp_field := self.timestamp_fields[stream]):
                    self._ignore_undetectable(stream, timestamp_field, difference, rows, since)
                if difference:
                    unexpected[stream] = difference
            if full and not reported and stream not in named and rows and self._has_versions(stream):
                self._seen[stream].clear()
            if full and not reported and stream not in named:
                self._late[stream].clear()
            self._seen[stream] |= rows.keys()
            self._overdue = self._overdue | {stream} if reported and day == FAILURE_DAY else self._overdue - {stream}
        return unexpected

    def _ignore_undetectable(
        self, stream: str, timestamp_field: str, difference: verdict.Difference, rows: Mapping[Key, Row], since: str
    ) -> None:
        """Drops differences that no incremental run can detect: changes that kept an old timestamp."""
        names = self.bench.keys[stream]
        loaded = {key_of(names, row): row for row in verdict.select_live_rows(verdict.read_rows(self.database, stream))}
        difference.changed = [
            key
            for key in difference.changed
            if key_of([timestamp_field], rows[key]) != key_of([timestamp_field], loaded[key])
        ]
        self._late[stream] |= {key for key in difference.missing if key_of([timestamp_field], rows[key]) < (since,)}
        difference.missing = [key for key in difference.missing if key not in self._late[stream]]

    def _has_versions(self, stream: str) -> bool:
        """Whether the stream's rows have versions, without which deletions do not show."""
        return any(row.get("_sdc_table_version") for row in verdict.read_rows(self.database, stream))


def run(options: Options, results: ResultLog) -> None:
    """Runs the simulation. A single day needs all days before it; a fraction means the first days."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            simulation = DaySimulation(bench, options.make_rng(PART, name))
            for day in range(1, 1 + (options.trial or round(DAYS * options.share))):
                started = time.monotonic()
                found, detail = simulation.run_day(day)
                description = f"day {day}, {FULL_READS.get(day, 'incremental')}"
                description += ", missing permission" if day == REVOKED_DAY else ""
                seconds = time.monotonic() - started
                results.add_outcome(
                    Outcome(
                        PART, name, day, FULL_READS.get(day, "incremental"), found, description, detail, seconds=seconds
                    )
                )
