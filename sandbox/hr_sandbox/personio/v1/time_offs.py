"""Absences in days: their types, and those that lie inside a window."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.absences import days_of
from hr_sandbox.personio.filters import day
from hr_sandbox.personio.v1.common import (
    BERLIN,
    CERTIFICATE,
    UNITS,
    category,
    midnight,
    of_unit,
    short_employee,
    stamp,
    within,
)
from hr_sandbox.personio.v1.errors import StatusError
from hr_sandbox.personio.v1.pages import MODES, by_page
from hr_sandbox.personio.v1.parameters import EMPLOYEES, Parameter, check_order, paging, window
from hr_sandbox.personio.v1.permissions import ABSENCES
from hr_sandbox.personio.v1.route import Call, Route

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Absence, AbsenceType
    from hr_sandbox.http.messages import Json

PATH = "/v1/company"
FIRST_HALF, SECOND_HALF = "FIRST_HALF", "SECOND_HALF"


def time_off_type(row: AbsenceType) -> Json:
    """Render an absence type."""
    body = _of_time_off(row)
    needed = row.category != "SICK_LEAVE"
    body["attributes"] |= {"unit": UNITS[row.unit], "approval_required": needed, "id_v2": row.uuid}
    return body


def _of_time_off(row: AbsenceType) -> Json:
    return {"type": "TimeOffType", "attributes": {"id": row.id, "name": row.name, "category": category(row)}}


def time_off(row: Absence, company: Company) -> Json:
    """Render an absence in days. Its end date is the last day of absence."""
    days = float(sum(part.amount for part in days_of(row, company.today)))
    return {
        "type": "TimeOffPeriod",
        "attributes": {
            "id": row.id,
            "id_v2": row.uuid,
            "status": row.approval.lower(),
            "start_date": midnight(row.starts_at.date()),
            "end_date": midnight(_last_day(row)) if row.ends_at else None,
            "days_count": int(days) if days.is_integer() else days,
            "half_day_start": int(row.start_half == SECOND_HALF),
            "half_day_end": int(row.end_half == FIRST_HALF),
            "time_off_type": _of_time_off(company.absence_types[row.type_id]),
            "employee": short_employee(row.person_id, company),
            "certificate": CERTIFICATE,
            "created_at": stamp(row.created_at),
            "updated_at": stamp(row.updated_at),
        },
    }


def inside(company: Company, first: date | None, last: date | None) -> list[Absence]:
    """Return the absences in days that lie completely inside a window. Open-ended ones need an open window."""
    return [
        row
        for row in of_unit("DAILY", company)
        if (first is None or row.starts_at.date() >= first)
        and (last is None or (row.ends_at is not None and _last_day(row) <= last))
    ]


def _last_day(row: Absence) -> date:
    """Return the last day of an absence in days that has an end."""
    return ((row.ends_at or row.starts_at) - timedelta(1)).date()


def _time_offs(call: Call) -> Json:
    company, query = call.company, call.query
    first, last = query["start_date"], query["end_date"]
    check_order(first, last)
    people = query[EMPLOYEES.name]
    rows = [
        row
        for row in inside(company, first, last)
        if (not people or row.person_id in people)
        # The date as rendered.
        and within(row.updated_at.astimezone(BERLIN).date(), query["updated_from"], query["updated_to"])
    ]
    page, frame = by_page(rows, call, first_only=True)
    return {**frame, "data": [time_off(row, company) for row in page]}


def _time_off(call: Call) -> Json:
    company = call.company
    row = next((row for row in of_unit("DAILY", company) if str(row.id) == call.path["id"]), None)
    if row is None:
        raise StatusError(404)
    return {"success": True, "data": time_off(row, company)}


def _time_off_types(call: Call) -> Json:
    limit, offset = call.query["limit"], call.query["offset"]
    rows = list(call.company.absence_types)[offset : offset + limit]
    return {"success": True, "data": [time_off_type(row) for row in rows]}


ROUTES = (
    Route(path=f"{PATH}/time-off-types", permission=ABSENCES, handle=_time_off_types, parameters=paging()),
    Route(
        path=f"{PATH}/time-offs",
        permission=ABSENCES,
        handle=_time_offs,
        parameters=(
            *window(),
            Parameter("updated_from", day),
            Parameter("updated_to", day),
            EMPLOYEES,
            *paging(),
        ),
        modes=MODES,
    ),
    Route(path=f"{PATH}/time-offs/{{id}}", permission=ABSENCES, handle=_time_off),
)
