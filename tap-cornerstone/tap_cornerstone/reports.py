"""Tracks reports of imports: each can be downloaded five times, so each is read once and downloads are counted."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import Slice, Slices, iterate_parents, parse_count, times
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_rest import ParentIds, Record, Window

MAX_DOWNLOADS = 5
"""Maximum number of downloads of a report; after that the portal responds with 410."""

MAX_TRIES_PER_RUN = 2
"""Maximum number of requests in a run for a report that gets no response or lacks lines."""

MAX_TIMEOUTS_IN_A_ROW = 3
"""Number of consecutive reports that timed out after which the others are not requested."""

RETENTION = timedelta(days=31)
"""Maximum age of a job whose reports are requested; the portal keeps them for 30 days."""

FORGET_AFTER = timedelta(days=45)
"""Time after which a report that is no longer listed is forgotten."""

KEY = "reports"
TEXT = re.compile(r"(?P<listed>\d{4}-\d\d-\d\d) (?P<import_id>.+)/(?P<kind>\w+)(?: (?P<downloads>\d+))?")
COUNTS = ("successful_records", "successful_records_with_warnings", "error_records")
LINES = {"report": "total_records", "warnings": COUNTS[1], "errors": COUNTS[2]}
"""The reports of an import, with the fields of the import that hold their numbers of lines."""

PARENT_FIELDS = ("status", "job_status", "job_created_date", "total_records", *COUNTS)
WORDS = re.compile("([a-z])(?=[A-Z])")
IN_PROGRESS = re.compile(
    r"\b(not|un\w+|in|incomplete|being|to be|pending|queued|new|created|submitted|started|\w+ing)\b"
)
FINISHED = re.compile(r"complet|finish|fail|success|succeed|done|processed|error|cancel|abort|reject")
"""Words of a status, in lower case with spaces. If it has none of them, the counts decide."""

STUCK_AFTER = timedelta(days=2)
"""Duration of an import after which a warning is logged."""

MAX_NAMED = 10
"""Maximum number of reports named in a message."""

Key = tuple[str, str]
"""The import's id and the kind of report."""


class Outcome(Enum):
    """The outcome of a report in a run."""

    READ = auto()
    """It was read completely."""
    SHORT = auto()
    """It was read, but has fewer lines than the import reports, or is truncated."""
    MISSING = auto()
    """It was not found; it may not have been created yet."""
    EXHAUSTED = auto()
    """It was downloaded too often elsewhere."""
    FAILED = auto()
    """It could not be read."""


@dataclass(frozen=True)
class Attempt:
    """The progress of one report in a run. Carried by its requests and its page.

    Args:
        downloads: How often this run downloaded it, or may have.
        tries: How often it was requested.
        records: The most lines received so far.
        is_open: Whether the last of them has no line break.
        has_undecodable_bytes: Whether they hold undecodable bytes.
        timed_out: Whether the last request timed out.
        outcome: Its outcome.
    """

    downloads: int = 0
    tries: int = 0
    records: Sequence[Record] = ()
    is_open: bool = False
    has_undecodable_bytes: bool = False
    timed_out: bool = False
    outcome: Outcome | None = None

    def keep_better(self, before: Attempt) -> Attempt:
        """Returns the more complete of two downloads, counting one more."""
        best = self if len(self.records) >= len(before.records) else before
        return replace(best, downloads=before.downloads + 1, tries=before.tries + 1)

    def is_whole(self, before: Attempt, lines: int | None) -> bool:
        """Whether the whole report was received.

        Args:
            before: The previous download. An unterminated last line may be truncated, unless it is the same twice.
            lines: Number of lines that the import reports. None: not reported.
        """
        may_be_truncated = self.is_open and not (before.is_open and before.records == self.records)
        return not may_be_truncated and len(self.records) >= (lines or 0)

    def add_failure(self, *, counts: bool, timed_out: bool) -> Attempt:
        """Counts one more request without a response.

        Args:
            counts: Whether it may have counted as a download, of which there are few.
            timed_out: Whether it timed out.
        """
        return replace(self, downloads=self.downloads + counts, tries=self.tries + 1, timed_out=timed_out)


@dataclass(frozen=True)
class ReportSlice(Slice):
    """A report to read.

    Args:
        key: The report.
        lines: Number of lines that the import reports. None: not reported.
        downloads: How often earlier runs downloaded it.
    """

    key: Key = ("", "")
    lines: int | None = None
    downloads: int = 0

    def may_try(self, attempt: Attempt) -> bool:
        """Whether it may be requested once more in this run."""
        return attempt.tries < MAX_TRIES_PER_RUN and self.downloads + attempt.downloads < MAX_DOWNLOADS


@dataclass
class SavedReport:
    """The saved status of a report.

    Args:
        listed: The last day on which its import was listed.
        downloads: How often it was downloaded, or may have been.
        is_read: Whether it was read, or cannot be read any more.
    """

    listed: date
    downloads: int = 0
    is_read: bool = False


class Downloads:
    """Tracks which reports were read and how often each was requested, as a list of texts in the stream's state.

    A text is such as ``2026-11-22 5f1c2f9e/errors``, followed by the number of downloads if the report is still to be
    read.

    Args:
        state: The stream's part of the tap's state.
        now: When the run began.
    """

    def __init__(self, state: Mapping[str, Any], now: datetime) -> None:
        self._before = dict(_parse_reports(state.get(KEY)))
        self._reports = {key: replace(known) for key, known in self._before.items()}
        self._now = now
        self._today = now.date()
        self._outcomes: dict[Outcome, list[str]] = {outcome: [] for outcome in Outcome}
        self.undecodable: list[str] = []
        """Reports with undecodable bytes."""
        self.listed: set[Key] = set()
        self.stuck: set[str] = set()
        """Imports that have not finished although their jobs are some days old."""
        self.given_up: set[Key] = set()
        """Reports that are not requested any more."""
        self.timeouts_in_a_row = 0
        """Number of consecutive reports, up to the last one, that timed out."""

    def earlier_attempt(self, key: Key) -> int | None:
        """Returns how often earlier runs downloaded a listed report, or None if it must not be read any more."""
        self.listed.add(key)
        known = self._before.get(key) or SavedReport(self._today)
        if known.is_read:
            return None
        if known.downloads >= MAX_DOWNLOADS:
            self.given_up.add(key)
            return None
        return known.downloads

    def is_older(self, row: Mapping[str, Any], age: timedelta) -> bool:
        """Whether an import's job is older than an age. False if its creation date is unknown."""
        try:
            return times.parse(row["job_created_date"]) < self._now - age
        except (ValueError, AttributeError, TypeError, KeyError):
            return False

    def record_outcome(self, part: ReportSlice, attempt: Attempt, state: dict[str, Any]) -> None:
        """Records the outcome of a report after its page was emitted."""
        outcome = attempt.outcome or Outcome.READ
        known = self._reports.setdefault(part.key, SavedReport(self._today))
        known.downloads += attempt.downloads
        known.is_read = outcome in {Outcome.READ, Outcome.EXHAUSTED}
        self.timeouts_in_a_row = self.timeouts_in_a_row + 1 if outcome is Outcome.FAILED and attempt.timed_out else 0
        progress = f" ({len(attempt.records)} of {part.lines} lines)" if outcome is Outcome.SHORT and part.lines else ""
        self._outcomes[outcome].append(f"{'/'.join(part.key)}{progress}")
        if attempt.has_undecodable_bytes:
            self.undecodable.append("/".join(part.key))
        self.write_state(state)

    def with_outcome(self, outcome: Outcome) -> Sequence[str]:
        """Returns the reports of this run with an outcome."""
        return self._outcomes[outcome]

    def write_state(self, state: dict[str, Any]) -> None:
        """Saves the report list in the stream's state. Drops reports that the server no longer lists."""
        for key in self.listed & self._reports.keys():
            self._reports[key].listed = self._today
        state[KEY] = sorted(
            f"{known.listed} {'/'.join(key)}{'' if known.is_read else f' {known.downloads}'}"
            for key, known in self._reports.items()
            if (known.downloads or known.is_read) and self._today - known.listed <= FORGET_AFTER
        )


def join_names(names: Sequence[str]) -> str:
    """Joins names for a message."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(sorted(names)[:MAX_NAMED])}{more}"


def _parse_reports(texts: Any) -> Iterator[tuple[Key, SavedReport]]:  # noqa: ANN401 - whatever the state holds
    """Reads the reports in a state. Unreadable entries are downloaded again, which loses nothing."""
    for text in texts if isinstance(texts, list) else ():
        with suppress(ValueError):
            if found := TEXT.fullmatch(str(text)):
                downloads = int(found["downloads"] or 1)
                listed = date.fromisoformat(found["listed"])
                yield (
                    (found["import_id"], found["kind"]),
                    SavedReport(listed, downloads, is_read=not found["downloads"]),
                )


class Reports(Slices):
    """One slice per unread report of a finished import.

    Args:
        downloads: Tracks which were read.
    """

    parent = "bulk_imports"
    path_params = ("import_id", "kind")

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    @override
    def parent_fields(self, parent: Record) -> Record:
        return {name: parent.get(name) for name in PARENT_FIELDS}

    @override
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        for known in iterate_parents(self.parent, parents):
            if known is None:
                yield None
                continue
            import_id, row = known
            if self._downloads.is_older(row, RETENTION):
                continue
            if not is_finished(row):
                if self._downloads.is_older(row, STUCK_AFTER):
                    self._downloads.stuck.add(import_id)
                continue
            yield from self._slices_of(import_id, row)

    def _slices_of(self, import_id: str, row: Mapping[str, Any]) -> Iterator[Slice]:
        for kind, name in LINES.items():
            lines = parse_count(row.get(name))
            if lines is None:
                lines = _min_lines(name, row)
            if lines == 0:
                continue  # a report without a count may have lines
            downloads = self._downloads.earlier_attempt((import_id, kind))
            if downloads is not None:
                yield ReportSlice(
                    path={"import_id": quote(import_id, safe=""), "kind": kind},
                    columns={"import_id": import_id, "kind": kind},
                    key=(import_id, kind),
                    lines=lines,
                    downloads=downloads,
                )


def is_finished(row: Mapping[str, Any]) -> bool:
    """Whether an import has finished, so that its reports are complete: by its status, its job's, or its counts."""
    for status in (row.get("status"), row.get("job_status")):
        text = WORDS.sub(r"\1 ", str(status or "")).lower().replace("_", " ")
        if IN_PROGRESS.search(text):
            return False
        if FINISHED.search(text):
            return True
    parts = [part for name in COUNTS if (part := parse_count(row.get(name))) is not None]
    total = parse_count(row.get("total_records"))
    return total is None or len(parts) < len(COUNTS) or sum(parts) >= total


def _min_lines(name: str, row: Mapping[str, Any]) -> int | None:
    """Returns the minimum number of lines of a report, from the other counts of its import, or None if unknown."""
    counts = {other: parse_count(row.get(other)) for other in (*COUNTS, "total_records") if other != name}
    known = [count for count in counts.values() if count is not None]
    if name == "total_records":
        return max(known, default=0) or None  # one line may be counted under more than one name
    if len(known) < len(counts):
        return None
    total = counts.pop("total_records") or 0
    return max(total - sum(count or 0 for count in counts.values()), 0) or None
