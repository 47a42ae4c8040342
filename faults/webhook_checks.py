"""What must hold after events were sent: none that was acknowledged is missing, the tables are as the vendors say."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import duckdb
from hr_webhooks.events import read_events
from singer_rest.testing import differing_fields

from faults import verdict
from faults.vendors import VENDORS, key_of
from faults.webhook_installation import STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from hr_webhooks.journal import Entry

    from faults.vendors import Row
    from faults.verdict import Differences
    from faults.webhook_installation import Installation

HOLES = {
    "timeoff_leaves": {"employee_full_name", "updated_at", "deleted_at"},  # in the sandbox, both times are the same
    "employees": {"lastName", "manager", "employeeMetaData"},
    "transcripts": {"LastName"},
}
"""By stream: columns that change without an event: with the name of a person, or at Cornerstone with any change."""

OF_NEW_PEOPLE = "transcripts"
"""The stream of which new people get rows without an event. The first column of its key is the person."""

UNJOURNALED = {"verification", "heartbeat"}
"""Requests of Cornerstone that are answered, but not kept."""


def find_missing_entries(deliveries: Sequence[dict[str, Any]], entries: Sequence[Entry]) -> str:
    """Returns which acknowledged bodies the journal lacks, each as often as it was acknowledged; else an empty text."""
    acknowledged = Counter(
        digest for one in deliveries if one["event"] not in UNJOURNALED for digest in one["acknowledged"]
    )
    missing = acknowledged - Counter(entry.sha256 for entry in entries)
    return f"{missing.total()} acknowledged requests are not in the journal" if missing else ""


def find_wrong_positions(entries: Sequence[Entry]) -> str:
    """Returns whether positions of the journal have holes; else an empty text."""
    positions = [entry.n for entry in entries]
    return "" if positions == list(range(1, len(positions) + 1)) else "the positions of the journal are not 1, 2, 3 ..."


def find_wrong_events(database: Path, entries: Sequence[Entry]) -> str:
    """Returns how the tables of events differ from the journal: each event once, repetitions with the same id."""
    expected: defaultdict[str, Counter[tuple[int, int, str]]] = defaultdict(Counter)
    contents: defaultdict[str, set[tuple[str | None, str, int]]] = defaultdict(set)
    for entry in entries:
        for record, event in enumerate(read_events(entry)):
            expected[entry.vendor][entry.n, record, event.id] += 1
            contents[entry.vendor].add((entry.type, entry.sha256, record))
    for vendor in VENDORS:
        try:
            with duckdb.connect(database, read_only=True) as connection:
                rows = connection.execute(
                    f"SELECT position, record, id FROM {verdict.SCHEMA}.{vendor}_events"
                ).fetchall()
        except duckdb.Error as error:
            return f"the events of {vendor} cannot be read: {error}"
        found = Counter((int(position), int(record), str(key)) for position, record, key in rows)
        if missing := expected[vendor] - found:
            return f"{missing.total()} events of {vendor} are not in the table (such as {min(missing)})"
        if extra := found - expected[vendor]:
            return f"{extra.total()} events of {vendor} are in the table too often (such as {min(extra)})"
        # A batch of Cornerstone that is sent again is divided anew.
        if vendor != "cornerstone" and len({key for _, _, key in found}) != len(contents[vendor]):
            return f"repeated events of {vendor} do not have the same id, or others do"
    return ""


def find_unlabelled(deliveries: Sequence[dict[str, Any]], database: Path) -> str:
    """Returns which messages of Cornerstone, whose ids are the vendor's, have no row; else an empty text."""
    sent = {
        message
        for one in deliveries
        if one["vendor"] == "cornerstone" and one["acknowledged"]
        for message in one["subjects"]
    }
    with duckdb.connect(database, read_only=True) as connection:
        rows = connection.execute(f"SELECT id FROM {verdict.SCHEMA}.cornerstone_events").fetchall()
    missing = sent - {str(key) for (key,) in rows}
    return f"{len(missing)} messages of Cornerstone have no row" if missing else ""


class TableCheck:
    """Compares the tables with the sandbox's records, which do not change any more.

    Args:
        installation: The installation.
        people: The people whose trainings are compared. None: all.

    Attributes:
        people: The people who have trainings.
    """

    def __init__(self, installation: Installation, people: Collection[str] | None = None) -> None:
        self._installation = installation
        sandbox = installation.sandbox
        self._bodies = {
            vendor: {stream: sandbox.records(vendor, stream) for stream in streams}
            for vendor, streams in STREAMS.items()
        }
        self._left = list(STREAMS)
        self._people = people
        self.people = {row["_UserId"] for row in self._bodies["cornerstone"][OF_NEW_PEOPLE]}
        self._copy = installation.folder / "copy.duckdb"

    def find_differences(self, vendor: str) -> Differences | None:
        """Returns the differences of a vendor's tables. None: the loader is writing the file."""
        if not self._copy_database(self._installation.database(vendor)):
            return None
        try:
            keys = self._installation.keys(vendor)
            found = verdict.compare_with_sandbox(VENDORS[vendor], keys, self._bodies[vendor], self._copy)
            expected = {stream: VENDORS[vendor].expected_rows(stream, self._bodies[vendor][stream]) for stream in found}
            return leave_out_holes(found, keys, expected, self._copy, self._people)
        except duckdb.Error:
            return None

    def _copy_database(self, database: Path) -> bool:
        """Copies a DuckDB file, so that the loader is not kept from opening it. Returns whether it was at rest."""
        files = {database: self._copy, _log_of(database): _log_of(self._copy)}
        before = [_look(path) for path in files]
        for source, copy in files.items():
            copy.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, copy)
        return before == [_look(path) for path in files] and before[1] is None

    def are_equal(self) -> bool:
        """Whether all tables are as they must be. Those that were are not looked at again."""
        self._left = [vendor for vendor in self._left if self.find_differences(vendor) != {}]
        return not self._left

    def describe(self) -> str:
        """Describes the differences in one line."""
        return "; ".join(
            f"{vendor}: {'unreadable' if found is None else verdict.describe_differences(found)}"
            for vendor in STREAMS
            if (found := self.find_differences(vendor)) != {}
        )


def leave_out_holes(
    differences: Differences,
    keys: Mapping[str, Sequence[str]],
    expected: Mapping[str, list[Row]],
    database: Path,
    people: Collection[str] | None,
) -> Differences:
    """Leaves out of differences what changes without an event."""
    for stream, difference in differences.items():
        rows = {key_of(keys[stream], row): row for row in expected[stream]}
        live = verdict.select_live_rows(verdict.read_rows(database, stream))
        loaded = {key_of(keys[stream], row): row for row in live}
        holes = HOLES.get(stream, set())
        difference.changed = [
            key for key in difference.changed if not differing_fields(rows[key], loaded[key]) <= holes
        ]
        if stream == OF_NEW_PEOPLE and people is not None:
            difference.missing = [key for key in difference.missing if key[0] in people]
    return {stream: difference for stream, difference in differences.items() if difference}


def find_differences_from_full_load(installation: Installation, people: Collection[str]) -> str:
    """Loads everything into other DuckDB files, and describes how the tables differ from those; else an empty text."""
    texts = []
    for vendor in STREAMS:
        reference = installation.folder / f"reference-{vendor}.duckdb"
        installation.load_everything(vendor, reference)
        database, keys = installation.database(vendor), installation.keys(vendor)
        found = verdict.compare_with_reference(reference, database, keys)
        expected = {
            stream: list(map(verdict.remove_metadata, verdict.select_live_rows(verdict.read_rows(reference, stream))))
            for stream in found
        }
        found = leave_out_holes(found, keys, expected, database, people)
        texts += [f"{vendor}: {verdict.describe_differences(found)}"] if found else []
    return "; ".join(texts)


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def _look(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
