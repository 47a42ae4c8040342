"""Attendances and projects. A record is a stretch of work, with the minutes of the breaks within it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.personio.filters import boolean
from hr_sandbox.personio.v1.common import stamp, within
from hr_sandbox.personio.v1.errors import StatusError, invalid_parameter
from hr_sandbox.personio.v1.pages import echo, from_record
from hr_sandbox.personio.v1.parameters import EMPLOYEES, Parameter, check_order, paging, since, until, window
from hr_sandbox.personio.v1.permissions import ATTENDANCES
from hr_sandbox.personio.v1.route import Call, Route

if TYPE_CHECKING:
    from datetime import date, datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Attendance, Project
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/attendances"
REFUSE_NIGHTS = "refuse-nights"
CONFIRMED, PENDING = "confirmed", "pending"
FIRST_YEAR, YEARS_AHEAD = 1970, 10


def work_periods(company: Company, first: date | None, last: date | None) -> list[Attendance]:
    """Return the work_periods of work that begin in a window. Breaks are not records."""
    return [
        row
        for row in company.attendances
        if row.type == "WORK"
        and (first is None or row.starts_at.date() >= first)
        and (last is None or row.starts_at.date() <= last)
    ]


def attendance(row: Attendance, company: Company) -> Json:
    """Render a stretch of work. The end of a night shift is before its start, because it is a time of the next day."""
    project = company.projects[row.project_id] if row.project_id else None
    lengths = [pause.ends_at - pause.starts_at for pause in _breaks(row, company) if pause.ends_at]
    return {
        "id": row.id,
        "type": "AttendancePeriod",
        "attributes": {
            "id_v2": row.uuid,
            "employee": row.person_id,
            "date": row.starts_at.date().isoformat(),
            "start_time": f"{row.starts_at:%H:%M}",
            "end_time": f"{row.ends_at:%H:%M}" if row.ends_at else None,
            "updated_at": _updated_at(row, company).isoformat(),
            "status": _status(row),
            "break": sum(int(length.total_seconds()) // 60 for length in lengths),
            "comment": row.comment,
            "is_holiday": False,
            "is_on_time_off": row.on_time_off,
            "project": _of_attendance(project) if project else None,
        },
    }


def project(row: Project) -> Json:
    """Render a project."""
    body = _of_attendance(row)
    body["attributes"] |= {"created_at": stamp(row.created_at), "updated_at": stamp(row.updated_at)}
    return body


def _of_attendance(row: Project) -> Json:
    return {"id": row.id, "type": "Project", "attributes": {"name": row.name, "active": row.status == "ACTIVE"}}


def _status(row: Attendance) -> str:
    """Return the status. A running period is pending."""
    return row.approval.lower() if row.ends_at else PENDING


def _updated_at(row: Attendance, company: Company) -> datetime:
    """Return the last change of a stretch of work or of a break within it."""
    return max(other.updated_at for other in (row, *_breaks(row, company)))


def _breaks(row: Attendance, company: Company) -> list[Attendance]:
    return [
        pause
        for pause in _breaks_by_day(company, company.version).get((row.person_id, row.day), ())
        if pause.starts_at >= row.starts_at and (row.ends_at is None or (pause.ends_at or row.ends_at) <= row.ends_at)
    ]


@lru_cache(maxsize=2)
def _breaks_by_day(company: Company, _version: int) -> dict[tuple[int, date], list[Attendance]]:
    """Return breaks by person and day, cached per version of the company."""
    found: dict[tuple[int, date], list[Attendance]] = {}
    for row in company.attendances:
        if row.type == "BREAK":
            found.setdefault((row.person_id, row.day), []).append(row)
    return found


def _check_window(first: date, last: date, today: date) -> None:
    check_order(first, last)
    if first.year < FIRST_YEAR:
        raise invalid_parameter("start_date")
    if (last.year - YEARS_AHEAD, last.month, last.day) > (today.year, today.month, today.day):
        raise invalid_parameter("end_date")


def _attendances(call: Call) -> Json:
    company, query = call.company, call.query
    # A company whose `today` is in the past is still changed at the present time.
    _check_window(query["start_date"], query["end_date"], max(company.today, clock.now().date()))
    people = query[EMPLOYEES.name]
    rows = [
        row
        for row in work_periods(company, query["start_date"], query["end_date"])
        if (not people or row.person_id in people)
        and (query["includePending"] or _status(row) == CONFIRMED)
        and within(_updated_at(row, company), query["updated_from"], query["updated_to"])
    ]
    if call.mode == REFUSE_NIGHTS and any(row.ends_at and row.ends_at.date() > row.starts_at.date() for row in rows):
        raise StatusError(422)
    page, said = from_record(rows, call)
    data = [attendance(row, company) for row in page]
    return {"success": True, "metadata": said, **echo(call), "data": data}


ROUTES = (
    Route(
        path=PATH,
        permission=ATTENDANCES,
        handle=_attendances,
        parameters=(
            *window(required=True),
            Parameter("updated_from", since),
            Parameter("updated_to", until),
            Parameter("includePending", boolean, default=False),
            EMPLOYEES,
            *paging(),
        ),
        modes=(REFUSE_NIGHTS,),
    ),
    Route(
        path=f"{PATH}/projects",
        permission=ATTENDANCES,
        handle=lambda call: {"success": True, "data": [project(row) for row in call.company.projects]},
    ),
)
