"""Reports of imports: each can be downloaded five times, so each is read once, and what was asked for is counted."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import Slice, Slices
from singer_rest.parents import walk
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_rest.slices import Ids, Window

MOST = 5
"""How often a report can be downloaded; then it is answered with 410."""

TRIES = 2
"""How often a run asks for a report that gives no answer."""

KEPT = timedelta(days=45)
"""How long a report is remembered that no list names any more; it lives 30 days."""

KEY = "reports"
TEXT = re.compile(r"(?P<listed>\d{4}-\d\d-\d\d) (?P<import_id>.+)/(?P<kind>\w+)(?: (?P<downloads>\d+))?")
COUNTS = ("successful_records", "successful_records_with_warnings", "error_records")
UNDER_WAY = frozenset({"created", "in progress", "new", "pending", "processing", "queued", "running", "started"})

Key = tuple[str, str]
"""An import, and which of its reports."""


@dataclass
class Report:
    """What is known of a report.

    Args:
        listed: The last day on which its import was listed.
        downloads: How often it was asked for, as far as it may have counted.
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
        today: The day of the run.
    """

    def __init__(self, state: Mapping[str, Any], today: date) -> None:
        self._reports = dict(_read(state.get(KEY)))
        self._today = today
        self._tries: dict[Key, int] = {}
        self.fetched: set[Key] = set()
        """What this run downloaded, or learnt that it cannot be any more."""
        self.missing: set[Key] = set()
        self.spent = 0
        self.failed = 0

    def is_due(self, key: Key) -> bool:
        """Whether a report that is listed is still to be read."""
        report = self._reports.setdefault(key, Report(self._today))
        report.listed = self._today
        return not report.is_read and report.downloads < MOST

    def count(self, key: Key) -> int:
        """Count a download; the tries of this run, or more where none is left for another one."""
        report = self._reports[key]
        report.downloads += 1
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
    needs_record = True

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    @override
    def plan(self, window: Window, parents: Ids | None) -> Iterator[Slice | None]:
        for known in walk(self.parent, parents):
            if known is None:
                yield None
                continue
            import_id, row = known
            for kind in kinds(row) if is_finished(row) else ():
                if self._downloads.is_due((import_id, kind)):
                    path = {"import_id": quote(import_id, safe=""), "kind": kind}
                    yield Slice(path=path, columns={"import_id": import_id, "kind": kind})


def is_finished(row: Mapping[str, Any]) -> bool:
    """Whether an import is over, so that its reports are whole."""
    parts = [part for name in COUNTS if isinstance(part := row.get(name), int)]
    total = row.get("total_records")
    if isinstance(total, int) and len(parts) == len(COUNTS):
        return sum(parts) >= total
    return str(row.get("status")).lower().replace("_", " ") not in UNDER_WAY


def kinds(row: Mapping[str, Any]) -> Iterator[str]:
    """The reports of an import that hold anything; one that its counts do not speak of may."""
    for kind, name in (("report", "total_records"), ("warnings", COUNTS[1]), ("errors", COUNTS[2])):
        if row.get(name) != 0:
            yield kind
