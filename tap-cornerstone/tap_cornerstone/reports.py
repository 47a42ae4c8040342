"""Reports of imports: each can be downloaded five times, so each is read once, and what was asked for is counted."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import Slice, Slices, times
from singer_rest.parents import walk
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_rest.pages import Record
    from singer_rest.slices import Ids, Window

MOST = 5
"""How often a report can be downloaded; then it is answered with 410."""

TRIES = 2
"""How often a run asks for a report that gives no answer."""

LIVES = timedelta(days=31)
"""How long after its job was made a report is asked for; the portal keeps it 30 days."""

KEPT = timedelta(days=45)
"""How long a report is remembered that no list names any more."""

KEY = "reports"
TEXT = re.compile(r"(?P<listed>\d{4}-\d\d-\d\d) (?P<import_id>.+)/(?P<kind>\w+)(?: (?P<downloads>\d+))?")
COUNTS = ("successful_records", "successful_records_with_warnings", "error_records")
NEEDED = ("status", "job_status", "job_created_date", "total_records", *COUNTS)
WORDS = re.compile("([a-z])(?=[A-Z])")
UNDER_WAY = re.compile(r"\b(not|un\w+|in|incomplete|being|to be|pending|queued|new|created|submitted|started|\w+ing)\b")
OVER = re.compile(r"complet|finish|fail|success|succeed|done|processed|error|cancel|abort|reject")
"""What a status says, in small letters with blanks; where it says neither, the counts do."""

STUCK = timedelta(days=2)
"""After how long an import that is not over is worth a word."""

Key = tuple[str, str]
"""An import, and which of its reports."""


@dataclass
class Report:
    """What is known of a report.

    Args:
        listed: The last day on which its import was listed.
        downloads: How often it was downloaded, or may have been.
        is_read: Whether its rows were handed on, or cannot be had.
    """

    listed: date
    downloads: int = 0
    is_read: bool = False


class Downloads:
    """Which reports were read, and how often each was asked for: kept in the stream's state, as one list of texts.

    A text is such as ``2026-11-22 5f1c2f9e/errors``; behind it stands how often one was asked for that is still to be
    read. A worker counts, the main thread notes what was handed on.

    Args:
        state: The stream's part of the tap's state.
        now: When the run began.
    """

    def __init__(self, state: Mapping[str, Any], now: datetime) -> None:
        self._reports = dict(_read(state.get(KEY)))
        self._now = now
        self._today = now.date()
        self._tries: dict[Key, int] = {}
        self.fetched: set[Key] = set()
        """What this run downloaded, or learnt that it cannot be any more."""
        self.missing: set[Key] = set()
        self.spent = 0
        self.failed = 0
        self.stuck: set[str] = set()
        """Imports that are not over, though their job is some days old."""
        self.given_up: set[Key] = set()

    def is_due(self, key: Key) -> bool:
        """Whether a report that is listed is still to be read."""
        report = self._reports.setdefault(key, Report(self._today))
        report.listed = self._today
        if not report.is_read and report.downloads >= MOST and key not in self._tries:
            self.given_up.add(key)
        return not report.is_read and report.downloads < MOST

    def is_older(self, row: Mapping[str, Any], age: timedelta) -> bool:
        """Whether an import's job is older than that; what does not say when it was made may be new."""
        try:
            return times.parse(row["job_created_date"]) < self._now - age
        except (ValueError, AttributeError, TypeError, KeyError):
            return False

    def tried(self, key: Key, *, counts: bool) -> int:
        """Take in that a report was asked for; the tries of this run, or more where no download is left.

        Args:
            key: The report.
            counts: Whether it may have counted as a download, of which there are few.
        """
        report = self._reports[key]
        report.downloads += counts
        self._tries[key] = self._tries.get(key, 0) + 1
        return self._tries[key] if report.downloads < MOST else max(self._tries[key], TRIES)

    def note(self, key: Key, state: dict[str, Any]) -> None:
        """Note that a report was handed on, or could not be had in this run."""
        self._reports[key].is_read = key in self.fetched
        self.failed += key not in self.fetched | self.missing
        self.write(state)

    def write(self, state: dict[str, Any]) -> None:
        """Write the list to the stream's state, without what nothing lists any more."""
        state[KEY] = [
            f"{report.listed} {'/'.join(key)}{'' if report.is_read else f' {report.downloads}'}"
            for key, report in self._reports.items()
            if report.downloads and self._today - report.listed <= KEPT
        ]


def _read(texts: Any) -> Iterator[tuple[Key, Report]]:  # noqa: ANN401 - whatever the state holds
    """The reports in a state. One that cannot be read is downloaded again, which loses nothing."""
    for text in texts if isinstance(texts, list) else ():
        with suppress(ValueError):
            if found := TEXT.fullmatch(str(text)):
                downloads = int(found["downloads"] or 1)
                listed = date.fromisoformat(found["listed"])
                yield (found["import_id"], found["kind"]), Report(listed, downloads, is_read=not found["downloads"])


class Reports(Slices):
    """One slice per report of a finished import that is still to be read.

    Args:
        downloads: Which were read.
    """

    parent = "bulk_imports"

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    @override
    def needed(self, parent: Record) -> Record:
        return {name: parent.get(name) for name in NEEDED}

    @override
    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:
        for known in walk(self.parent, parents):
            if known is None:
                yield None
                continue
            import_id, row = known
            if self._downloads.is_older(row, LIVES):
                continue
            if not is_finished(row):
                if self._downloads.is_older(row, STUCK):
                    self._downloads.stuck.add(import_id)
                continue
            for kind in kinds(row):
                if self._downloads.is_due((import_id, kind)):
                    path = {"import_id": quote(import_id, safe=""), "kind": kind}
                    yield Slice(path=path, columns={"import_id": import_id, "kind": kind})


def is_finished(row: Mapping[str, Any]) -> bool:
    """Whether an import is over, so that its reports are whole: its status tells, or its job's, else its counts."""
    for status in (row.get("status"), row.get("job_status")):
        text = WORDS.sub(r"\1 ", str(status or "")).lower().replace("_", " ")
        if UNDER_WAY.search(text):
            return False
        if OVER.search(text):
            return True
    parts = [part for name in COUNTS if isinstance(part := row.get(name), int)]
    total = row.get("total_records")
    return not isinstance(total, int) or len(parts) < len(COUNTS) or sum(parts) >= total


def kinds(row: Mapping[str, Any]) -> Iterator[str]:
    """The reports of an import that hold anything; one that its counts do not speak of may."""
    for kind, name in (("report", "total_records"), ("warnings", COUNTS[1]), ("errors", COUNTS[2])):
        if row.get(name) != 0:
            yield kind
