"""Attendances and projects. A record is a stretch of work, with the minutes of the breaks within it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.personio.filters import parse_boolean
from hr_sandbox.personio.v1.route import (
    ATTENDANCES,
    PEOPLE,
    Call,
    Parameter,
    Route,
    StatusError,
    check_order,
    format_timestamp,
    is_within,
    make_invalid_parameter,
    make_paging_parameters,
    make_window_parameters,
    page_from_record,
    parse_since,
    parse_until,
    repeat_paging,
    wrap_data,
)

if TYPE_CHECKING:
    from datetime import date, datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Attendance, Project
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/attendances"
REFUSE_NIGHTS = "refuse-nights"
CONFIRMED, PENDING = "confirmed", "pending"
FIRST_YEAR, YEARS_AHEAD = 1970, 10


def find_work_periods(company: Company, first: date | None, last: date | None) -> list[Attendance]:
    """Returns the periods of work that begin in a window. Breaks are not records."""
    return [
        row
        for row in company.attendances
        if row.type == "WORK"
        and (first is None or row.starts_at.date() >= first)
        and (last is None or row.starts_at.date() <= last)
    ]


def render_attendance(row: Attendance, company: Company) -> Json:
    """Renders a stretch of work. The end of a night shift is before its start, because it is a time of the next day."""
    project = company.projects[row.project_id] if row.project_id else None
    lengths = [pause.ends_at - pause.starts_at for pause in _find_breaks(row, company) if pause.ends_at]
    return {
        "id": row.id,
        "type": "AttendancePeriod",
        "attributes": {
            **pick_fields(row, "comment", id_v2="uuid", employee="person_id", is_on_time_off="on_time_off"),
            "date": row.starts_at.date().isoformat(),
            "start_time": f"{row.starts_at:%H:%M}",
            "end_time": f"{row.ends_at:%H:%M}" if row.ends_at else None,
            "updated_at": _find_last_update(row, company).isoformat(),
            "status": _get_status(row),
            "break": sum(int(length.total_seconds()) // 60 for length in lengths),
            "is_holiday": False,
            "project": _render_short_project(project) if project else None,
        },
    }


def render_project(row: Project) -> Json:
    """Renders a project."""
    body = _render_short_project(row)
    body["attributes"] |= {
        "created_at": format_timestamp(row.created_at),
        "updated_at": format_timestamp(row.updated_at),
    }
    return body


def _render_short_project(row: Project) -> Json:
    return {"id": row.id, "type": "Project", "attributes": {"name": row.name, "active": row.status == "ACTIVE"}}


def _get_status(row: Attendance) -> str:
    """Returns the status. A running period is pending."""
    return row.approval.lower() if row.ends_at else PENDING


def _find_last_update(row: Attendance, company: Company) -> datetime:
    """Returns when a stretch of work, or a break within it, last changed."""
    return max(other.updated_at for other in (row, *_find_breaks(row, company)))


def _find_breaks(row: Attendance, company: Company) -> list[Attendance]:
    return [
        pause
        for pause in _group_breaks(company, company.version).get((row.person_id, row.day), ())
        if pause.starts_at >= row.starts_at and (row.ends_at is None or (pause.ends_at or row.ends_at) <= row.ends_at)
    ]


@lru_cache(maxsize=2)
def _group_breaks(company: Company, _version: int) -> dict[tuple[int, date], list[Attendance]]:
    """Returns breaks by person and day, cached per version of the company."""
    found: dict[tuple[int, date], list[Attendance]] = {}
    for row in company.attendances:
        if row.type == "BREAK":
            found.setdefault((row.person_id, row.day), []).append(row)
    return found


def _check_window(first: date, last: date, today: date) -> None:
    check_order(first, last)
    if first.year < FIRST_YEAR:
        raise make_invalid_parameter("start_date")
    if (last.year - YEARS_AHEAD, last.month, last.day) > (today.year, today.month, today.day):
        raise make_invalid_parameter("end_date")


def _list_attendances(call: Call) -> Json:
    company, query = call.company, call.query
    # A company whose `today` is in the past is still changed at the present time.
    _check_window(query["start_date"], query["end_date"], max(company.today, clock.read_clock().date()))
    people = query[PEOPLE.name]
    rows = [
        row
        for row in find_work_periods(company, query["start_date"], query["end_date"])
        if (not people or row.person_id in people)
        and (query["includePending"] or _get_status(row) == CONFIRMED)
        and is_within(_find_last_update(row, company), query["updated_from"], query["updated_to"])
    ]
    if call.mode == REFUSE_NIGHTS and any(row.ends_at and row.ends_at.date() > row.starts_at.date() for row in rows):
        raise StatusError(422)
    page, metadata = page_from_record(rows, call)
    data = [render_attendance(row, company) for row in page]
    return wrap_data(data, metadata=metadata, **repeat_paging(call))


_PARAMETERS = (
    *make_window_parameters(required=True),
    Parameter("updated_from", parse_since),
    Parameter("updated_to", parse_until),
    Parameter("includePending", parse_boolean, default=False),
    PEOPLE,
    *make_paging_parameters(),
)
ROUTES = (
    Route(PATH, ATTENDANCES, _list_attendances, _PARAMETERS, modes=(REFUSE_NIGHTS,)),
    Route(
        f"{PATH}/projects", ATTENDANCES, lambda call: wrap_data([render_project(row) for row in call.company.projects])
    ),
)
