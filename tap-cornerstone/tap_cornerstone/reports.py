"""Reports of imports: each can be downloaded five times, so each is read once, and what was asked for is counted."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import Slice, Slices, iterate_parents, times
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_rest import ParentIds, Record, Window

MOST = 5
"""How often a report can be downloaded; then it is answered with 410."""

TRIES = 2
"""How often a run asks for a report that gives no answer, or not all of its lines."""

MOST_LATE = 3
"""After so many reports in a row that were not answered in time, the others are not asked for in this run."""

LIVES = timedelta(days=31)
"""How long after its job was made a report is asked for; the portal keeps it 30 days."""

KEPT = timedelta(days=45)
"""How long a report is remembered that no list names any more."""

KEY = "reports"
TEXT = re.compile(r"(?P<listed>\d{4}-\d\d-\d\d) (?P<import_id>.+)/(?P<kind>\w+)(?: (?P<downloads>\d+))?")
COUNTS = ("successful_records", "successful_records_with_warnings", "error_records")
LINES = {"report": "total_records", "warnings": COUNTS[1], "errors": COUNTS[2]}
"""The reports of an import, and where the import tells how many lines each has."""

NEEDED = ("status", "job_status", "job_created_date", "total_records", *COUNTS)
WORDS = re.compile("([a-z])(?=[A-Z])")
UNDER_WAY = re.compile(r"\b(not|un\w+|in|incomplete|being|to be|pending|queued|new|created|submitted|started|\w+ing)\b")
OVER = re.compile(r"complet|finish|fail|success|succeed|done|processed|error|cancel|abort|reject")
"""What a status says, in small letters with blanks; where it says neither, the counts do."""

STUCK = timedelta(days=2)
"""After how long an import that is not over is worth a word."""

MOST_NAMED = 10
"""How many reports a sentence names."""

Key = tuple[str, str]
"""An import, and which of its reports."""


class End(Enum):
    """What became of a report in a run."""

    READ = auto()
    """All of it was handed on."""
    SHORT = auto()
    """It was handed on, but fewer lines came than the import tells of, or it broke off."""
    MISSING = auto()
    """It is not there; it may not be made yet."""
    SPENT = auto()
    """It was downloaded too often elsewhere."""
    FAILED = auto()
    """It could not be read."""


@dataclass(frozen=True)
class Attempt:
    """What a run knows of one report; it travels on its requests and on the page that is handed on.

    Args:
        downloads: How often this run downloaded it, or may have.
        tries: How often it was asked for.
        records: The most lines that came so far.
        is_open: Whether the last of them has no end.
        has_odd_bytes: Whether they hold bytes that could not be decoded.
        is_late: Whether no answer came in time, the last time.
        end: What became of it.
    """

    downloads: int = 0
    tries: int = 0
    records: Sequence[Record] = ()
    is_open: bool = False
    has_odd_bytes: bool = False
    is_late: bool = False
    end: End | None = None

    def better(self, before: Attempt) -> Attempt:
        """What came this time, or before where that was more, after one more download."""
        best = self if len(self.records) >= len(before.records) else before
        return replace(best, downloads=before.downloads + 1, tries=before.tries + 1)

    def is_whole(self, before: Attempt, lines: int | None) -> bool:
        """Whether all of a report came.

        Args:
            before: What came before. A last line without an end may have been cut; not if it is the same twice.
            lines: How many lines its import tells of; None: it does not.
        """
        needs_slicing = self.is_open and not (before.is_open and before.records == self.records)
        return not needs_slicing and len(self.records) >= (lines or 0)

    def in_vain(self, *, counts: bool, is_late: bool) -> Attempt:
        """After one more time without an answer.

        Args:
            counts: Whether it may have counted as a download, of which there are few.
            is_late: Whether the answer did not come in time.
        """
        return replace(self, downloads=self.downloads + counts, tries=self.tries + 1, is_late=is_late)


@dataclass(frozen=True)
class ReportSlice(Slice):
    """A report to read.

    Args:
        key: The report.
        lines: How many lines the import tells of; None: it does not.
        downloads: How often earlier runs downloaded it.
    """

    key: Key = ("", "")
    lines: int | None = None
    downloads: int = 0

    def may_try(self, attempt: Attempt) -> bool:
        """Whether it may be asked for once more in this run."""
        return attempt.tries < TRIES and self.downloads + attempt.downloads < MOST


@dataclass
class Known:
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
    read.

    Args:
        state: The stream's part of the tap's state.
        now: When the run began.
    """

    def __init__(self, state: Mapping[str, Any], now: datetime) -> None:
        self._before = dict(_read(state.get(KEY)))
        self._reports = {key: replace(known) for key, known in self._before.items()}
        self._now = now
        self._today = now.date()
        self._ended: dict[End, list[str]] = {end: [] for end in End}
        self.odd_bytes: list[str] = []
        """Reports with bytes that could not be decoded."""
        self.listed: set[Key] = set()
        self.stuck: set[str] = set()
        """Imports that are not over, though their job is some days old."""
        self.given_up: set[Key] = set()
        """Reports that no run asks for any more."""
        self.late_in_a_row = 0
        """How many reports, up to the last one, were not answered in time."""

    def before(self, key: Key) -> int | None:
        """How often earlier runs downloaded a report that is listed; None: it is not to be read any more."""
        self.listed.add(key)
        known = self._before.get(key) or Known(self._today)
        if known.is_read:
            return None
        if known.downloads >= MOST:
            self.given_up.add(key)
            return None
        return known.downloads

    def is_older(self, row: Mapping[str, Any], age: timedelta) -> bool:
        """Whether an import's job is older than that; what does not say when it was made may be new."""
        try:
            return times.parse(row["job_created_date"]) < self._now - age
        except (ValueError, AttributeError, TypeError, KeyError):
            return False

    def note(self, part: ReportSlice, attempt: Attempt, state: dict[str, Any]) -> None:
        """Note what became of a report, once its page is handed on."""
        end = attempt.end or End.READ
        known = self._reports.setdefault(part.key, Known(self._today))
        known.downloads += attempt.downloads
        known.is_read = end in {End.READ, End.SPENT}
        self.late_in_a_row = self.late_in_a_row + 1 if end is End.FAILED and attempt.is_late else 0
        came = f" ({len(attempt.records)} of {part.lines} lines)" if end is End.SHORT and part.lines else ""
        self._ended[end].append(f"{'/'.join(part.key)}{came}")
        if attempt.has_odd_bytes:
            self.odd_bytes.append("/".join(part.key))
        self.write(state)

    def ended(self, end: End) -> Sequence[str]:
        """The reports of this run that ended so."""
        return self._ended[end]

    def write(self, state: dict[str, Any]) -> None:
        """Write the list to the stream's state, without what nothing lists any more."""
        for key in self.listed & self._reports.keys():
            self._reports[key].listed = self._today
        state[KEY] = [
            f"{known.listed} {'/'.join(key)}{'' if known.is_read else f' {known.downloads}'}"
            for key, known in self._reports.items()
            if (known.downloads or known.is_read) and self._today - known.listed <= KEPT
        ]


def named(names: Sequence[str]) -> str:
    """Some names, as a sentence has them."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _read(texts: Any) -> Iterator[tuple[Key, Known]]:  # noqa: ANN401 - whatever the state holds
    """The reports in a state. One that cannot be read is downloaded again, which loses nothing."""
    for text in texts if isinstance(texts, list) else ():
        with suppress(ValueError):
            if found := TEXT.fullmatch(str(text)):
                downloads = int(found["downloads"] or 1)
                listed = date.fromisoformat(found["listed"])
                yield (found["import_id"], found["kind"]), Known(listed, downloads, is_read=not found["downloads"])


class Reports(Slices):
    """One slice per report of a finished import that is still to be read.

    Args:
        downloads: Which were read.
    """

    parent = "bulk_imports"
    path_params = ("import_id", "kind")

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    @override
    def parent_fields(self, parent: Record) -> Record:
        return {name: parent.get(name) for name in NEEDED}

    @override
    def plan(self, window: Window, parents: ParentIds | None) -> Iterator[Slice | None]:
        for known in iterate_parents(self.parent, parents):
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
            yield from self._of(import_id, row)

    def _of(self, import_id: str, row: Mapping[str, Any]) -> Iterator[Slice]:
        for kind, name in LINES.items():
            lines = _count(row.get(name))
            if lines is None:
                lines = _least(name, row)
            if lines == 0:
                continue  # one that the counts do not speak of may hold something
            downloads = self._downloads.before((import_id, kind))
            if downloads is not None:
                yield ReportSlice(
                    path={"import_id": quote(import_id, safe=""), "kind": kind},
                    columns={"import_id": import_id, "kind": kind},
                    key=(import_id, kind),
                    lines=lines,
                    downloads=downloads,
                )


def is_finished(row: Mapping[str, Any]) -> bool:
    """Whether an import is over, so that its reports are whole: its status tells, or its job's, else its counts."""
    for status in (row.get("status"), row.get("job_status")):
        text = WORDS.sub(r"\1 ", str(status or "")).lower().replace("_", " ")
        if UNDER_WAY.search(text):
            return False
        if OVER.search(text):
            return True
    parts = [part for name in COUNTS if (part := _count(row.get(name))) is not None]
    total = _count(row.get("total_records"))
    return total is None or len(parts) < len(COUNTS) or sum(parts) >= total


def _least(name: str, row: Mapping[str, Any]) -> int | None:
    """How many lines a report has at least, by the other counts of its import; None: they do not tell of any."""
    counts = {other: _count(row.get(other)) for other in (*COUNTS, "total_records") if other != name}
    known = [count for count in counts.values() if count is not None]
    if name == "total_records":
        return max(known, default=0) or None  # one line may be counted under more than one name
    if len(known) < len(counts):
        return None
    total = counts.pop("total_records") or 0
    return max(total - sum(count or 0 for count in counts.values()), 0) or None


def _count(value: Any) -> int | None:  # noqa: ANN401 - what the portal sends
    """A number of lines, whether it comes as a number or as text; None where there is none."""
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        return None
