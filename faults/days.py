"""Days of a company: records come, change and go, each day is loaded, and every row is compared every day.

Most days are incremental. Now and then all is read again. Once that fails midway, and the day after makes up for it;
once a permission is missing for a day.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singer_rest import times

from faults import verdict
from faults.bench import Bench
from faults.changes import change
from faults.kinds import answer
from faults.runs import merged
from faults.trials import Outcome
from faults.vendors import VENDORS, Key, key_of
from faults.verdict import Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from faults.runs import Run
    from faults.trials import Book, Options
    from faults.vendors import Row
    from faults.wire import Asked, Reply, Step

PART = "days"
DAYS = 14
CHANGES = 25
FULL = {1: "first run", 5: "full refresh", 8: "full refresh that fails", 13: "full refresh"}
FAILS = 8
REVOKED = 10
EXPIRED = 6
"""Days from 1 on: what happens on them."""

FAILING = 12
"""Endpoints that answer no more on the day that fails."""

PERMISSIONS: dict[str, dict[str, Any]] = {
    "personio": {"permission": "personio:absences:read"},
    "factorial": {"permission": "finance"},
    "cornerstone": {"permission": "obj_users_core:read"},
}


@dataclass
class Life:
    """A company's days, and what its file should hold.

    Args:
        bench: Its sandbox.
        chance: Chooses what changes, and what fails.
    """

    bench: Bench
    chance: random.Random
    state: dict[str, Any] | None = None
    _seen: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Keys that were there since a stream was last read whole: of those that go, nobody hears before it is again."""
    _owed: set[str] = field(default_factory=set)
    _late: defaultdict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Keys of rows that came with a stamp from before the run before: only a read of everything brings them."""
    _began: str = ""

    def __post_init__(self) -> None:
        self.database = self.bench.folder / "life.duckdb"
        self.incremental = {
            entry["tap_stream_id"]
            for entry in self.bench.catalog["streams"]
            if entry["replication_method"] == "INCREMENTAL"
        }
        keys = {entry["tap_stream_id"]: entry.get("replication_key") for entry in self.bench.catalog["streams"]}
        self.stamps: dict[str, str | None] = {**keys, **self.bench.vendor.stamps}

    def live(self, day: int) -> tuple[Verdict, str]:
        """Let a day pass: changes, a run, a comparison."""
        bench, vendor = self.bench, self.bench.vendor
        self._began, since = times.text(datetime.now(UTC)), self._began
        if day > 1:
            change(bench.sandbox, vendor, bench.keys, self.chance, CHANGES)
        if day == EXPIRED and vendor.name == "cornerstone":
            bench.sandbox.control("cornerstone/expire-links", kind="delta")
        if day == REVOKED:
            bench.sandbox.control("revoke", vendor=vendor.name, **PERMISSIONS[vendor.name])
        if day == FAILS:
            bench.proxy.meddle = self._failing()
        try:
            ran = bench.run(bench.new_folder(), self.database, state=None if day in FULL else self.state)
        finally:
            bench.proxy.meddle = None
            if day == REVOKED:
                bench.sandbox.control("grant", vendor=vendor.name, **PERMISSIONS[vendor.name])
            bench.reset()
        committed = verdict.state_of(self.database) or {}
        self.state = committed if ran.succeeded else merged(self.state or {}, committed)
        return self._judge(day, ran, since)

    def _failing(self) -> Callable[[Asked, Callable[[], Reply]], Iterable[Step] | None]:
        """Let some endpoints answer no more, some of them from their second request on."""
        endpoints = sorted({self.bench.endpoints[stream] for stream in self.incremental & self.bench.endpoints.keys()})
        chosen = self.chance.sample(endpoints, min(FAILING, len(endpoints)))
        begins = {endpoint: number % 2 for number, endpoint in enumerate(chosen)}
        self.bench.proxy.clear()
        refuse = answer(422)

        def meddle(asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
            return refuse(asked, ask) if asked.number >= begins.get(asked.endpoint, asked.number + 1) else None

        return meddle

    def _judge(self, day: int, ran: Run, since: str) -> tuple[Verdict, str]:
        if ran.hung:
            return Verdict.HANG, str(ran)
        if ran.broken:
            return Verdict.BROKEN, f"{ran.broken}: {ran}"
        if (day == FAILS) == ran.succeeded:
            return Verdict.BROKEN, f"day {day} ended otherwise than it should: {ran}"
        named = verdict.named(self.bench.keys, ran.log)
        wrong = self._wrong(day, named, since)
        if wrong:
            return Verdict.SILENT, f"{verdict.told(wrong)}\n     {ran}"
        return (Verdict.ALOUD if day in {FAILS, REVOKED} else Verdict.EXACT), ""

    def _wrong(self, day: int, named: set[str], since: str) -> verdict.Differences:
        """What is not as it should be, and what will be allowed tomorrow."""
        bench = self.bench
        bodies = bench.bodies(bench.keys)
        found = verdict.compared_with_sandbox(bench.vendor, bench.keys, bodies, self.database)
        silent = {}
        for stream, names in bench.keys.items():
            rows = {key_of(names, row): row for row in bench.vendor.emitted(stream, bodies[stream])}
            aloud = day in {FAILS, REVOKED} and stream in named
            whole = day in FULL or stream not in self.incremental or stream in self._owed
            if stream in found and (day in FULL or stream not in bench.vendor.once):
                difference = found[stream]
                if aloud:
                    difference.missing, difference.changed = [], []
                if aloud or stream in named or not whole or not self._versioned(stream):
                    difference.extra = [key for key in difference.extra if key not in self._seen[stream]]
                if not whole and (stamp := self.stamps[stream]):
                    self._forget_the_unnoticeable(stream, stamp, difference, rows, since)
                if difference:
                    silent[stream] = difference
            if whole and not aloud and stream not in named:
                self._seen[stream].clear()
                self._late[stream].clear()
            self._seen[stream] |= rows.keys()
            self._owed = self._owed | {stream} if aloud and day == FAILS else self._owed - {stream}
        return silent

    def _forget_the_unnoticeable(
        self, stream: str, stamp: str, difference: verdict.Difference, rows: Mapping[Key, Row], since: str
    ) -> None:
        """Take out what no incremental list tells of: what changed and came without a new stamp."""
        names = self.bench.keys[stream]
        there = {key_of(names, row): row for row in verdict.live(verdict.rows_of(self.database, stream))}
        difference.changed = [
            key for key in difference.changed if key_of([stamp], rows[key]) != key_of([stamp], there[key])
        ]
        self._late[stream] |= {key for key in difference.missing if key_of([stamp], rows[key]) < (since,)}
        difference.missing = [key for key in difference.missing if key not in self._late[stream]]

    def _versioned(self, stream: str) -> bool:
        """Whether deletions show at all: an API may forget what is old."""
        return any(row.get("_sdc_table_version") for row in verdict.rows_of(self.database, stream))


def run(options: Options, book: Book) -> None:
    """Let the days pass; a share of them are the first ones, and a single one needs those before it."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            life = Life(bench, options.chance(PART, name))
            for day in range(1, 1 + (options.trial or round(DAYS * options.share))):
                started = time.monotonic()
                found, detail = life.live(day)
                what = f"day {day}, {FULL.get(day, 'incremental')}"
                what += ", a permission is missing" if day == REVOKED else ""
                seconds = time.monotonic() - started
                book.add(Outcome(PART, name, day, FULL.get(day, "incremental"), found, what, detail, seconds=seconds))
