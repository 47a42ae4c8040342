"""Job requisitions and applicants. Applicants are requested by status."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hr_sandbox.cornerstone.errors import format_time
from hr_sandbox.cornerstone.portal import DIVISION, LOCATION
from hr_sandbox.cornerstone.rest.route import OLD, Context, Route, Streams, make_older_response
from hr_sandbox.cornerstone.rows.common import make_full_name, make_user_id
from hr_sandbox.cornerstone.rows.learning import translate_applicant_status
from hr_sandbox.cornerstone.rows.people import FIRST

if TYPE_CHECKING:
    from datetime import datetime

    from hr_sandbox.company.model.documents import Application, Opening
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = "/services/api/Recruiting", 20, 100
PORTAL_ZONE = ZoneInfo("Europe/Berlin")  # the portal's zone
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
LIST = "list"


def render_requisition(context: Context, row: Opening) -> Json:
    """Renders a requisition. Two members have the vendor's misspelled names."""
    people = context.company.people
    manager = people[row.recruiter_ids[0]] if row.recruiter_ids and row.recruiter_ids[0] in people else None
    return {
        "Id": row.id,
        "Ref": f"req{row.id}",
        "Title": row.name,
        "Status": "Open" if row.published else "Draft",
        "DivisionId": FIRST[DIVISION] + row.department_id,
        "LocationId": FIRST[LOCATION] + row.office_id,
        "HiringManager": None
        if manager is None
        else {"Id": manager.id, "Name": make_full_name(manager), "Ref": make_user_id(manager)},
        "CanAppy": row.published,
        "ReferalBonus": None if row.id % 3 else "500.00",
        "RangeLow": "",
        "RangeHigh": 60_000 + row.id,
        "Currency": "EUR",
        "Openings": 1,
        "ApplicantCount": sum(one.opening_id == row.id for one in context.company.applications),
        "EmploymentStatus": row.schedule,
        "CareerSites": [],
        "JobResponsibilities": None,
        "CreateDateLocal": _format_local(row.created_at),
        "LastModificationDate": format_time(row.updated_at),
    }


def _format_local(timestamp: datetime) -> str:
    return f"{timestamp.astimezone(PORTAL_ZONE):%Y-%m-%dT%H:%M:%S}"


def _list_requisitions(call: Call) -> Response:
    given, context = call.given, call.context
    first, last = call.parse_day("FromDate", given.get("fromdate")), call.parse_day("ToDate", given.get("todate"))
    since = given.get("lastmodifiedsince")
    if since is not None and not SECONDS.fullmatch(since):
        raise call.make_bad_request("lastModifiedSince", "must be such as 2024-01-31T00:00:00")
    statuses = given["statuses"].split(",") if "statuses" in given else None
    rows = []
    for opening in context.company.openings:
        row = render_requisition(context, opening)
        created = opening.created_at.astimezone(PORTAL_ZONE).date()
        changed = opening.updated_at.replace(tzinfo=None).isoformat()
        if (
            (first is None or created >= first)
            and (last is None or created <= last)
            and (since is None or changed >= since)
            and (statuses is None or row["Status"] in statuses)
            and given.get("title", row["Title"]) == row["Title"]
            and given.get("reqid", row["Ref"]) == row["Ref"]
            and given.get("divisionid", str(row["DivisionId"])) == str(row["DivisionId"])
            and given.get("locationid", str(row["LocationId"])) == str(row["LocationId"])
        ):
            rows.append(row)
    page = call.slice_page(rows, "page", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    alone = len(page) == 1 and context.modes.get("job_requisitions") != LIST
    return make_older_response(call, page[0] if alone else page, len(rows))


def render_applicant(context: Context, row: Application) -> Json:
    """Renders an application."""
    who = context.company.candidates[row.candidate_id]
    moved = row.transitions[-1].entered_at if row.transitions else row.created_at
    return {
        "Id": row.id,
        "RequisitionId": f"req{row.opening_id}",
        "JobRequisitionId": row.opening_id,
        "FirstName": who.first_name,
        "LastName": who.last_name,
        "Email": who.email,
        "Phone": who.phone,
        "Source": row.channel,
        "Status": translate_applicant_status(row),
        "StatusDate": moved.astimezone(PORTAL_ZONE).date().isoformat(),
        "ApplicationReceivedDateLocal": row.applied_on.isoformat(),
        "AverageRating": None,
        "ConsiderForOtherJobs": row.anonymized,
    }


def _list_applicants(call: Call) -> Response:
    context = call.context
    status = call.given.get("currentstatus")
    if not status:
        raise call.make_bad_request("CurrentStatus", "is needed")
    since = call.parse_day("StatusDate", call.given.get("statusdate"))
    rows = [render_applicant(context, row) for row in context.company.applications]
    rows = [row for row in rows if row["Status"] == status and (since is None or row["StatusDate"] >= f"{since}")]
    return make_older_response(call, call.slice_page(rows, "page", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE), len(rows))


FILTERS = ("Title", "ReqId", "FromDate", "ToDate", "lastModifiedSince", "DivisionId", "LocationId", "Statuses")
PAGES = ("page", "pageSize")
_declare = partial(Route, family=OLD)
ROUTES = (
    _declare(
        f"{ROOT}/JobRequisitionDetails",
        "job_requisitions",
        "jobrequisition:read",
        _list_requisitions,
        (*FILTERS, "Language", *PAGES),
    ),
    _declare(
        f"{ROOT}/JobApplicant",
        "job_applicants",
        "jobapplicant:read",
        _list_applicants,
        ("CurrentStatus", "StatusDate", *PAGES),
    ),
)
STREAMS: Streams = {
    "job_requisitions": lambda context, *_: [render_requisition(context, row) for row in context.company.openings],
    "job_applicants": lambda context, *_: [
        {"_CurrentStatus": row["Status"], **row}
        for row in (render_applicant(context, row) for row in context.company.applications)
    ],
}
MODES = {"job_requisitions": (LIST,)}
