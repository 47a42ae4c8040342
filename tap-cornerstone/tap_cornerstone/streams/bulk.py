"""The Bulk API: jobs, their imports, and reports on each imported line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import (
    DateWindows,
    Meaning,
    Page,
    PageNumber,
    ParsedBody,
    Reply,
    Request,
    RetryableError,
    RunError,
    Slice,
    TapError,
)
from typing_extensions import override

from tap_cornerstone import report_text
from tap_cornerstone.client import is_unavailable, per_minute
from tap_cornerstone.odata.links import find_property
from tap_cornerstone.reports import (
    MAX_DOWNLOADS,
    MAX_TIMEOUTS_IN_A_ROW,
    Attempt,
    Downloads,
    Outcome,
    Reports,
    ReportSlice,
    join_names,
)
from tap_cornerstone.rest import RestList, find_total, first_value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest import Record

    from tap_cornerstone.report_text import Report

BULK = "/services/api/x/bulk-api/v1"
IMPORTS = "imports"
JOB = f"{BULK}/jobs/{{job_id}}"
OUTCOMES = {Meaning.PARENT_GONE: Outcome.MISSING, Meaning.UNREADABLE: Outcome.EXHAUSTED}
"""Outcomes of a report by the meaning of its response."""


class BulkJobs(RestList):
    """One row per job of the Bulk API.

    The last 30 days, or from `start_date` on.
    """

    name = "bulk_jobs"
    path = f"{BULK}/jobs"
    permission = "the scope of the Bulk API"  # its name is not documented
    primary_keys = ("id",)
    slices = DateWindows("job_create_from_date", "job_create_to_date", days=31, days_back=30)
    versioned = False  # jobs before the first day are not deleted
    rate = per_minute(5)
    pagination = PageNumber("page_number", size=100, size_param="page_size")
    members = ("jobs", "job", "data", "results", "items")

    @override
    def find_total(self, body: Any) -> int | None:
        return find_total(body)

    @override
    def rows_in_item(self, item: Record) -> list[Record]:
        return [{**item, "id": first_value_of(item, "id", "job_id", "jobid")}]


class BulkImports(BulkJobs):
    """One row per import of a job of the Bulk API.

    The last 30 days, or from `start_date` on.
    """

    name = "bulk_imports"

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        if request.endpoint == JOB:
            found = self._found_items(body, alone=True)
            jobs = [job for item in found if isinstance(item, dict) for job in self.rows_in_item(item)]
            imports, failed = self._imports_of(jobs)
            return ParsedBody(imports, item_count=0, failed_items=failed + len(found) - len(jobs))
        parsed = super().parse(body, request)
        jobs = [*parsed.records]
        # The list may lack the imports; then each job is requested.
        without_imports = [job for job in jobs if job["id"] and not isinstance(find_property(job, IMPORTS), list)]
        imports, failed = self._imports_of([job for job in jobs if job not in without_imports])
        paths = [f"{self.path}/{quote(str(job['id']), safe='')}" for job in without_imports]
        following = [*parsed.next_requests, *(Request(path, (), JOB) for path in paths)]
        return replace(parsed, records=imports, next_requests=following, failed_items=parsed.failed_items + failed)

    def _imports_of(self, jobs: list[Record]) -> tuple[list[Record], int]:
        """Returns the imports of jobs, and the number of unreadable jobs and imports, which do not block others."""
        found = [self._imports_of_job(job) for job in jobs]
        good = [row for rows in found for row in rows or () if row is not None]
        return good, sum(1 for rows in found for row in ([None] if rows is None else rows) if row is None)

    def _imports_of_job(self, job: Record) -> list[Record | None] | None:
        found = find_property(job, IMPORTS)
        if found is None and any(name.lower() == IMPORTS for name in job):
            found = []  # a waiting job has none yet
        if not isinstance(found, list):
            return None
        known = {
            "job_id": job["id"],
            "job_status": find_property(job, "status"),
            "job_created_date": find_property(job, "created_date"),
        }
        return [self._merge_row(row, known) if isinstance(row, dict) else None for row in found]

    def _merge_row(self, row: Record, known: Record) -> Record:
        return self.with_column_names({**row, "id": first_value_of(row, "id", "import_id", "importid"), **known})

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A job may have been listed on the last day of its retention.
        if request.endpoint == JOB and reply.status == HTTPStatus.NOT_FOUND:
            return Meaning.NO_RECORDS
        return super().classify(reply, request)


class BulkPermissions(RestList):
    """One row per kind of data that the client may load."""

    name = "bulk_permissions"
    path = f"{BULK}/permissions"
    permission = "the scope bulkapipermission:read"
    primary_keys = ("type",)
    rate = per_minute(5)
    members = ("permissions", "data")


class BulkImportReports(RestList):
    """One row per line of an import's report, of its warnings and of its errors.

    Imports that have not been read yet, 1 to 3 requests each. `cells` holds a line by column.
    """

    name = "bulk_import_reports"
    path = f"{BULK}/imports/{{import_id}}/{{kind}}"
    permission = "the scope of the Bulk API"
    primary_keys = ("import_id", "kind", "row_number")
    versioned = False  # each is read once
    prefetches = False  # downloads are limited, so none happens before its rows are needed
    used_in_connection_test = False
    optional = True
    rate = per_minute(10)

    @cached_property
    def downloads(self) -> Downloads:
        """Tracks which reports were read and how often each was downloaded."""
        return Downloads(self.stream_state, self.started)

    @property
    @override
    def slices(self) -> Reports:
        return Reports(self.downloads)

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        headers = (("Accept", "text/csv, */*"),)
        return Request(self.path.format(**part.path), (), self.path, headers=headers, note=Attempt())

    @override
    def decode(self, reply: Reply) -> Report:
        return report_text.parse_report(reply)

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        header, *lines = body.lines or [[]]
        # Each load has its own columns, so they are kept together.
        records = [
            {"row_number": number, "cells": dict(zip(unique_names(header, len(line)), line, strict=False))}
            for number, line in enumerate(lines, 1)
        ]
        return ParsedBody(
            records,
            note=Attempt(records=records, is_open=body.is_open, has_undecodable_bytes=body.has_undecodable_bytes),
        )

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        return Meaning.UNREADABLE if reply.status == HTTPStatus.GONE else super().classify(reply, request)

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        before: Attempt = request.note
        try:
            page = super().fetch(request, part)
        except RetryableError as retry:
            if retry.throttled:
                raise
            attempt = before.add_failure(counts=not is_unavailable(retry), timed_out=retry.slow)
            return self._page_or_next(attempt, request, part, Outcome.FAILED)
        except RunError:
            raise
        except TapError as error:
            # A rejected report must not delay the others, which are kept for a limited time.
            self.logger.warning("%s", error)
            return self._page_of(before, part, Outcome.FAILED)
        if page.meaning in OUTCOMES:
            return self._page_of(before, part, OUTCOMES[page.meaning])
        if page.meaning is Meaning.PARENT_FORBIDDEN:
            return page
        here: Attempt = page.note or Attempt()  # without content
        attempt = here.keep_better(before)
        if not here.is_whole(before, part.lines if isinstance(part, ReportSlice) else None):
            return self._page_or_next(attempt, request, part, Outcome.SHORT)
        return replace(page, meaning=Meaning.RECORDS, note=replace(attempt, outcome=Outcome.READ))

    def _page_or_next(self, attempt: Attempt, request: Request, part: Slice, outcome: Outcome) -> Page:
        """Requests a report again, or returns what was received."""
        if isinstance(part, ReportSlice) and part.may_try(attempt):
            retry_request = replace(request, note=attempt, is_first=True)
            return Page([], [retry_request], part, 0, datetime.now(timezone.utc), is_placeholder=True)
        return self._page_of(attempt, part, Outcome.SHORT if attempt.records else outcome)

    @staticmethod
    def _page_of(attempt: Attempt, part: Slice, outcome: Outcome) -> Page:
        note = replace(attempt, outcome=outcome)
        return Page(list(attempt.records), (), part, 0, datetime.now(timezone.utc), note=note)

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        if isinstance(page.slice, ReportSlice):
            self.downloads.record_outcome(page.slice, page.note, state)
        if self.downloads.timeouts_in_a_row == MAX_TIMEOUTS_IN_A_ROW:
            raise TapError(
                f"{self.name}: {MAX_TIMEOUTS_IN_A_ROW} reports in a row timed out, so the rest were not requested. "
                "Run again later. Records already read are kept."
            )
        return True

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        for sentence in self._warning_sentences():
            self.logger.warning("%s: %s", self.name, sentence)
        if failed := self.downloads.with_outcome(Outcome.FAILED):
            raise TapError(
                f"{self.name}: {len(failed)} of the reports could not be read. The next run requests them again."
            )
        self.downloads.write_state(state)

    def _warning_sentences(self) -> Iterator[str]:
        """Yields a sentence for each kind of incomplete reports."""
        downloads = self.downloads
        if downloads.stuck:
            yield f"{len(downloads.stuck)} of the imports have not finished after days; their reports are read later."
        if short := downloads.with_outcome(Outcome.SHORT):
            yield (
                f"{len(short)} of the reports have fewer lines than their import reports, or are truncated: "
                f"{join_names(short)}. What was received is kept; the next run downloads them again."
            )
        if downloads.given_up:
            yield (
                f"{len(downloads.given_up)} of the reports could not be read completely in the "
                f"{MAX_DOWNLOADS} downloads that are possible, and are skipped from now on."
            )
        if exhausted := downloads.with_outcome(Outcome.EXHAUSTED):
            yield f"{len(exhausted)} of the reports were downloaded too often elsewhere and cannot be read any more."
        if missing := downloads.with_outcome(Outcome.MISSING):
            yield f"{len(missing)} of the reports were not found; the next run requests them again."
        if undecodable := downloads.undecodable:
            yield (
                f"{len(undecodable)} of the reports hold bytes that are not UTF-8; their cells contain them as "
                f"\\xe4 and the like: {join_names(undecodable)}."
            )


def unique_names(header: list[str], cells: int) -> list[str]:
    """Returns names for a line's cells: unique names from the header, and numbered ones beyond it."""
    names: list[str] = []
    for number in range(max(cells, len(header))):
        name = header[number] if number < len(header) else ""
        while not name or name in names:
            name = f"{name or 'column'} {number + 1}"
        names.append(name)
    return names
