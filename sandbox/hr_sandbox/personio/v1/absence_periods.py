"""Absences in hours: those that overlap a window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hr_sandbox.company.absences import days_of
from hr_sandbox.personio.v1.common import CERTIFICATE, UNITS, of_unit, short_employee, within
from hr_sandbox.personio.v1.errors import StatusError
from hr_sandbox.personio.v1.pages import MODES, by_page
from hr_sandbox.personio.v1.parameters import EMPLOYEES, Parameter, check_order, ids, paging, timestamp, window
from hr_sandbox.personio.v1.permissions import ABSENCES
from hr_sandbox.personio.v1.route import Call, Route

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Absence
    from hr_sandbox.http.messages import Json

ORIGINS = ("web", "mobile", "api", "slack", None)
TYPES, PERIODS = ids("absence_types"), ids("absence_periods")
MILLISECONDS = 1000


def absence_period(row: Absence, company: Company) -> Json:
    """Render an absence in hours; its duration is in minutes."""
    kind = company.absence_types[row.type_id]
    days = [
        {"date": part.day.isoformat(), "effective_duration": round(part.amount * 60)}
        for part in days_of(row, company.today)
    ]
    return {
        "type": "AbsencePeriod",
        "attributes": {
            "id": row.uuid,
            "measurement_unit": UNITS[kind.unit],
            "effective_duration": sum(part["effective_duration"] for part in days),
            "employee": short_employee(row.person_id, company),
            "absence_type": {
                "type": "AbsenceType",
                "attributes": {"id": kind.uuid, "name": kind.name, "time_off_type_id": kind.id},
            },
            "certificate": CERTIFICATE,
            "start": _format_milliseconds(_utc(row.starts_at, row)),
            "end": _format_milliseconds(_utc(row.ends_at, row)) if row.ends_at else None,
            "half_day_start": False,
            "half_day_end": False,
            "comment": row.comment,
            "origin": ORIGINS[row.id % len(ORIGINS)],
            "status": row.approval.lower(),
            "created_by": row.person_id,
            "created_at": _format_milliseconds(_with_milliseconds(row.created_at, row, company)),
            "updated_at": _format_milliseconds(_with_milliseconds(row.updated_at, row, company)),
            "approved_at": _format_milliseconds(_with_milliseconds(row.created_at, row, company))
            if row.approval == "APPROVED"
            else None,
            "breakdowns": days,
        },
    }


def overlapping(company: Company, first: date | None, last: date | None) -> list[Absence]:
    """Return the absences in hours that overlap a window of dates."""
    return [
        row
        for row in of_unit("HOURLY", company)
        if (last is None or row.starts_at.date() <= last)
        and (first is None or row.ends_at is None or row.ends_at.date() >= first)
    ]


def _utc(value: datetime, row: Absence) -> datetime:
    return value.replace(tzinfo=ZoneInfo(row.timezone)).astimezone(UTC)


def _with_milliseconds(value: datetime, row: Absence, company: Company) -> datetime:
    """Add milliseconds, which only this endpoint has. Timestamps of today or later stay as they are."""
    if value.date() >= company.today:
        return value
    return value + timedelta(milliseconds=row.id % MILLISECONDS)


def _format_milliseconds(value: datetime) -> str:
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _absence_periods(call: Call) -> Json:
    company, query = call.company, call.query
    first, last = query["start_date"], query["end_date"]
    check_order(first, last)
    people, kinds, periods = query[EMPLOYEES.name], query[TYPES.name], query[PERIODS.name]
    if any(company.absence_types.find(kind) is None for kind in kinds):
        raise StatusError(404)
    rows = [
        row
        for row in overlapping(company, first, last)
        if (not people or row.person_id in people)
        and (not kinds or company.absence_types[row.type_id].uuid in kinds)
        and (not periods or row.uuid in periods)
        and within(_with_milliseconds(row.updated_at, row, company), query["updated_from"], query["updated_to"])
    ]
    page, frame = by_page(rows, call)
    return {**frame, "data": [absence_period(row, company) for row in page]}


ROUTES = (
    Route(
        path="/v1/company/absence-periods",
        permission=ABSENCES,
        handle=_absence_periods,
        parameters=(
            *window(),
            Parameter("updated_from", timestamp),
            Parameter("updated_to", timestamp),
            EMPLOYEES,
            TYPES,
            PERIODS,
            *paging(),
        ),
        modes=MODES,
    ),
)
