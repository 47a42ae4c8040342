"""Loads in bulk: jobs, their imports, and what became of each line."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_rest import DateWindows, Meaning, Numbered, Parsed, Reply, Request, RunError, Slice, TapError
from singer_rest.errors import Retry
from singer_rest.pages import Page
from typing_extensions import override

from tap_cornerstone.client import is_resting, per_minute
from tap_cornerstone.odata.links import member
from tap_cornerstone.reports import MOST, TRIES, Downloads, Reports
from tap_cornerstone.rest import RestList, first_of

if TYPE_CHECKING:
    from singer_rest.pages import Record

BULK = "/services/api/x/bulk-api/v1"
JOB = f"{BULK}/jobs/{{job_id}}"
LONGEST_CELL = 2**31 - 1


class BulkJobs(RestList):
    """One row per job of the Bulk API; without a start, of the last 30 days."""

    name = "bulk_jobs"
    path = f"{BULK}/jobs"
    primary_keys = ("id",)
    slices = DateWindows("job_create_from_date", "job_create_to_date", days=31, days_back=30)
    versioned = False  # jobs before the first day are not gone
    scope = "of the Bulk API"  # what it is called is not documented
    rate = per_minute(5)
    pages = Numbered("page_number", 100, first=1, limit="page_size")
    members = ("jobs", "job", "data", "results", "items")

    @override
    def total(self, body: Any) -> int | None:
        count = member(body, "total_count") if isinstance(body, dict) else None
        return count if isinstance(count, int) else None

    @override
    def rows(self, item: Record) -> list[Record]:
        return [{**item, "id": first_of(item, "id", "job_id", "jobid")}]


class BulkImports(BulkJobs):
    """One row per import of a job of the Bulk API; without a start, of the last 30 days."""

    name = "bulk_imports"

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        if request.endpoint == JOB:
            jobs = [job for item in self._items(body, alone=True) for job in self.rows(item)]
            return Parsed([row for job in jobs for row in self._imports(job)], items=0)
        parsed = super().parse(body, request)
        jobs = parsed.records
        # The list need not tell of the imports; then each job does.
        silent = [job for job in jobs if job["id"] and not isinstance(job.get("imports"), list)]
        told = [row for job in jobs if job not in silent for row in self._imports(job)]
        paths = [f"{self.path}/{quote(str(job['id']), safe='')}" for job in silent]
        return replace(parsed, records=told, following=[*parsed.following, *(Request(path, (), JOB) for path in paths)])

    def _imports(self, job: Record) -> list[Record]:
        found = job.get("imports", False)
        found = [] if found is None else found  # a job that waits has none yet
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise TapError(f"{self.name}: the answer of {JOB} holds no imports. {self.advice(200)}")
        known = {
            "job_id": job["id"],
            "job_status": job.get("status"),
            "job_created_date": job.get("created_date"),
        }
        return [{**row, "id": first_of(row, "id", "import_id", "importid"), **known} for row in found]

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A job may have been listed on the last day that it is kept.
        if request.endpoint == JOB and reply.status == HTTPStatus.NOT_FOUND:
            return Meaning.NO_RECORDS
        return super().classify(reply, request)


class BulkPermissions(RestList):
    """One row per kind of data that the client may load."""

    name = "bulk_permissions"
    path = f"{BULK}/permissions"
    primary_keys = ("type",)
    scope = "bulkapipermission:read"
    rate = per_minute(5)
    members = ("permissions", "data")


class BulkImportReports(RestList):
    """One row per line of an import's report, of its warnings and of its errors."""

    name = "bulk_import_reports"
    path = f"{BULK}/imports/{{import_id}}/{{kind}}"
    primary_keys = ("import_id", "kind", "row_number")
    versioned = False  # each is read once
    reads_ahead = False  # what is downloaded counts, so nothing is before its rows are wanted
    in_trials = False
    optional = True
    scope = "of the Bulk API"
    rate = per_minute(10)

    @cached_property
    def downloads(self) -> Downloads:
        """Which reports were read, and how often each was downloaded."""
        return Downloads(self.stream_state, self._tap.started)

    @property
    @override
    def slices(self) -> Reports:
        return Reports(self.downloads)

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        return Request(self.path.format(**part.path), (), self.path, headers=(("Accept", "text/csv, */*"),))

    @override
    def decode(self, reply: Reply) -> list[list[str]]:
        if reply.body.lstrip()[:1] == b"<":
            raise ValueError("a page instead of a report")
        try:
            text = reply.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = reply.body.decode("cp1252", errors="replace")
        csv.field_size_limit(LONGEST_CELL)
        try:
            return _lines(text, strict=True)
        except csv.Error as error:
            if "end of data" in str(error):
                raise ValueError("it broke off within quotes") from None
            return _lines(text, strict=False)  # quotes within a cell may stand there as they are

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        header, *lines = body or [[]]
        # Each load has columns of its own, so they stand together.
        return Parsed(
            [
                {"row_number": number, "cells": dict(zip(columns(header, len(line)), line, strict=False))}
                for number, line in enumerate(lines, 1)
            ]
        )

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        key = (part.columns["import_id"], part.columns["kind"])
        try:
            page = super().fetch(request, part)
        except Retry as retry:
            if retry.throttled or self.downloads.tried(key, counts=not is_resting(retry)) < TRIES:
                raise
            return self._page_of_none(part)
        except RunError:
            raise
        except TapError as error:
            # One that is refused must not keep the others waiting: they do not live long.
            self.logger.warning("%s", error)
            return self._page_of_none(part)
        if page.meaning is Meaning.PARENT_GONE:  # it may not be made yet
            self.downloads.missing.add(key)
            return replace(page, meaning=Meaning.NO_RECORDS)
        if page.meaning is not Meaning.PARENT_FORBIDDEN:
            self.downloads.tried(key, counts=True)
            self.downloads.fetched.add(key)
        return page

    @staticmethod
    def _page_of_none(part: Slice) -> Page:
        return Page([], (), part, 0, datetime.now(timezone.utc))

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        if reply.status == HTTPStatus.GONE:
            self.downloads.spent += 1
            return Meaning.NO_RECORDS
        return super().classify(reply, request)

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        self.downloads.note((page.slice.columns["import_id"], page.slice.columns["kind"]), state)
        return True

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        super().finish_state(state)
        self.downloads.write(state)
        if self.downloads.stuck:
            self.logger.warning(
                "%s: %d of the imports are not over, though days old; their reports wait.",
                self.name,
                len(self.downloads.stuck),
            )
        if self.downloads.given_up:
            self.logger.warning(
                "%s: %d of the reports broke off each of the %d times that they can be downloaded, and are given up.",
                self.name,
                len(self.downloads.given_up),
                MOST,
            )
        if self.downloads.spent:
            self.logger.warning(
                "%s: %d of the reports had been downloaded too often elsewhere, and cannot be read any more.",
                self.name,
                self.downloads.spent,
            )
        if self.downloads.missing:
            self.logger.warning(
                "%s: %d of the reports are not there; the next run asks for them again.",
                self.name,
                len(self.downloads.missing),
            )
        if self.downloads.failed:
            raise TapError(
                f"{self.name}: {self.downloads.failed} of the reports could not be read. The next run asks for them "
                "again."
            )


def _lines(text: str, *, strict: bool) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text, newline=""), strict=strict) if row]


def columns(header: list[str], cells: int) -> list[str]:
    """Names of a line's cells: those of the header, made different where they are alike, and for cells beyond it."""
    names: list[str] = []
    for number in range(max(cells, len(header))):
        name = header[number] if number < len(header) else ""
        names.append(name if name and name not in names else f"{name or 'column'} {number + 1}".strip())
    return names
