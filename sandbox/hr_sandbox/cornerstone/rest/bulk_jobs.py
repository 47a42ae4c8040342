"""Bulk jobs with their imports. Each report of an import can be downloaded five times."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import GONE, NOT_FOUND
from hr_sandbox.cornerstone.rest.route import BULK, Context, Route, Streams
from hr_sandbox.cornerstone.rows.common import make_user_id
from hr_sandbox.cornerstone.snapshot import stable_uuid
from hr_sandbox.http.messages import Response
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json

ROOT, SCOPE, PERMISSION_SCOPE = "/services/api/x/bulk-api/v1", "bulkapi:read", "bulkapipermission:read"
JOB_RATE, REPORT_RATE, MAX_PAGE_SIZE, DOWNLOADS = 5, 10, 100, 5
HOURS, KEPT_DAYS, TOTAL_JOBS = 6, 30, 200  # a job every six hours; the number of jobs ever created
LOADS = (("Employees", "chr.employee"), ("Divisions", "ou.division"), ("Transcripts", "learning.transcript"))
SUCCESS, WARNING, ERROR = "Success", "Success with warnings", "Error"
MESSAGES = {SUCCESS: "", WARNING: 'Approver "X", unknown, ignored', ERROR: 'Manager ID "X" not found'}
KINDS = {"report": (SUCCESS, WARNING, ERROR), "warnings": (WARNING,), "errors": (ERROR,)}
HEADER = ("User ID", "Status", "Message")


def list_lines(context: Context, import_id: str) -> list[Json]:
    """Returns the result of each line of an import."""
    people = context.snapshot.people
    found = []
    for place in range(stable_number("lines", import_id) % 25):
        status = stable_choice((SUCCESS, SUCCESS, SUCCESS, WARNING, ERROR), import_id, place)
        who = people[stable_number("who", import_id, place) % len(people)]
        found.append(dict(zip(HEADER, (make_user_id(who), status, MESSAGES[status]), strict=True)))
    return found


def list_jobs(context: Context) -> list[Json]:
    """Returns the jobs of the last 30 days, latest first."""
    version = context.company.version
    if version not in context.jobs:
        context.jobs = {version: _generate_jobs(context)}
    return context.jobs[version]


def _generate_jobs(context: Context) -> list[Json]:
    latest = datetime.combine(context.company.today, time(), UTC) - timedelta(hours=1)
    return [
        _generate_job(context, index, latest - timedelta(hours=HOURS * index))
        for index in range(min(TOTAL_JOBS, KEPT_DAYS * 24 // HOURS))
    ]


def _generate_job(context: Context, index: int, timestamp: datetime) -> Json:
    # Names depend on timestamps, so that the jobs are the same on another day.
    name = f"{timestamp:%Y%m%d%H}"
    imports = []
    for place, (label, kind) in enumerate(LOADS[: 1 + stable_number("imports", name) % len(LOADS)]):
        import_id = stable_uuid("import", name, place)
        statuses = [row["Status"] for row in list_lines(context, import_id)]
        imports.append(
            {
                "id": import_id,
                "label": label,
                "load_type": kind,
                "status": "COMPLETED",
                "total_records": len(statuses),
                "successful_records": statuses.count(SUCCESS),
                "successful_records_with_warnings": statuses.count(WARNING),
                "error_records": statuses.count(ERROR),
            }
        )
    return {
        "id": stable_uuid("job", name),
        "label": "Nightly" if timestamp.hour > 18 else f"Delta {index}",  # noqa: PLR2004  the evening
        "status": "COMPLETED",
        "created_date": f"{timestamp.replace(tzinfo=None).isoformat()}Z",
        "imports": imports,
    }


def _list_recent_jobs(call: Call) -> Json:
    first, last = (call.parse_day(name, call.given.get(name)) for name in PARAMETERS[:2])
    number = call.parse_number("page_number", 1)
    size = call.parse_number("page_size", MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    since, until = f"{first or ''}", f"{last or '9999'}"
    rows = [row for row in list_jobs(call.context) if since <= row["created_date"][:10] <= until]
    page = rows[(number - 1) * size : number * size]
    return {"jobs": page, "page_number": number, "page_size": size, "total_count": len(rows)}


def _download_report(kind: str) -> Callable[[Call], Response]:
    """Returns a handler for one kind of report."""

    def handle(call: Call) -> Response:
        import_id, downloads = call.parts["import_id"], call.context.downloads
        if not any(row["id"] == import_id for job in list_jobs(call.context) for row in job["imports"]):
            raise call.make_error(NOT_FOUND)
        count = downloads.get((import_id, kind), 0) + 1
        if count > DOWNLOADS:
            raise call.make_error(GONE, "Report download limit reached.")
        downloads[import_id, kind] = count
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        rows = list_lines(call.context, import_id)
        writer.writerows(row.values() for row in rows if row["Status"] in KINDS[kind])
        return Response(200, text.getvalue().encode(), {"content-type": "text/csv"})

    return handle


PERMISSIONS: list[Json] = [{"type": kind, "permission": f"Bulk API - {label}"} for label, kind in LOADS]
SPECIFICATION: Json = {"load_types": [kind for _, kind in LOADS]}
PARAMETERS = ("job_create_from_date", "job_create_to_date", "page_number", "page_size")
_declare = partial(Route, family=BULK, per_minute=JOB_RATE)
ROUTES = (
    _declare(f"{ROOT}/jobs", "bulk_jobs", SCOPE, _list_recent_jobs, PARAMETERS, limited="jobs"),
    _declare(
        f"{ROOT}/jobs/{{job_id}}",
        "bulk_imports",
        SCOPE,
        lambda call: call.find_row(list_jobs(call.context), "job_id"),
        limited="job",
    ),
    *(
        Route(
            f"{ROOT}/imports/{{import_id}}/{kind}",
            "bulk_import_reports",
            SCOPE,
            _download_report(kind),
            family=BULK,
            per_minute=REPORT_RATE,
            limited="reports",
        )
        for kind in KINDS
    ),
    _declare(f"{ROOT}/permissions", "bulk_permissions", PERMISSION_SCOPE, lambda _: {"permissions": PERMISSIONS}),
    _declare(f"{ROOT}/specification", "bulk_specification", PERMISSION_SCOPE, lambda _: SPECIFICATION),
)
STREAMS: Streams = {
    "bulk_jobs": lambda context, *_: list_jobs(context),
    "bulk_imports": lambda context, *_: [
        {"_job_id": job["id"], **row} for job in list_jobs(context) for row in job["imports"]
    ],
    "bulk_import_reports": lambda context, *_: [
        {"_import_id": row["id"], "_row_number": number, **line}
        for job in list_jobs(context)
        for row in job["imports"]
        for number, line in enumerate(list_lines(context, row["id"]), 1)
    ],
    "bulk_permissions": lambda *_: PERMISSIONS,
}
