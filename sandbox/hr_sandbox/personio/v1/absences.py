"""Absences: those in days that lie inside a window, those in hours that overlap one, and their types."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hr_sandbox.company.absences import split_into_days
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.personio.filters import parse_day
from hr_sandbox.personio.v1.route import (
    ABSENCES,
    BERLIN,
    CERTIFICATE,
    MODES,
    PEOPLE,
    UNITS,
    Call,
    Parameter,
    Route,
    StatusError,
    check_order,
    format_midnight,
    format_timestamp,
    is_within,
    make_ids_parameter,
    make_paging_parameters,
    make_window_parameters,
    page_by_number,
    parse_timestamp,
    render_short_employee,
    translate_category,
    wrap_data,
)

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Absence, AbsenceType
    from hr_sandbox.http.messages import Json

PATH = "/v1/company"
FIRST_HALF, SECOND_HALF = "FIRST_HALF", "SECOND_HALF"
ORIGINS = ("web", "mobile", "api", "slack", None)
TYPES, PERIODS = make_ids_parameter("absence_types"), make_ids_parameter("absence_periods")
MILLISECONDS = 1000


def find_absences_of_unit(unit: str, company: Company) -> list[Absence]:
    """Returns the absences in days or in hours."""
    kinds = {row.id for row in company.absence_types if row.unit == unit}
    return [row for row in company.absences if row.type_id in kinds]


# Absences in days


def render_time_off_type(row: AbsenceType) -> Json:
    """Renders an absence type."""
    body = _render_short_type(row)
    needed = row.category != "SICK_LEAVE"
    body["attributes"] |= {"unit": UNITS[row.unit], "approval_required": needed, "id_v2": row.uuid}
    return body


def _render_short_type(row: AbsenceType) -> Json:
    return {"type": "TimeOffType", "attributes": {"id": row.id, "name": row.name, "category": translate_category(row)}}


def render_time_off(row: Absence, company: Company) -> Json:
    """Renders an absence in days. Its end date is the last day of absence."""
    days = float(sum(part.amount for part in split_into_days(row, company.today)))
    return {
        "type": "TimeOffPeriod",
        "attributes": {
            "id": row.id,
            "id_v2": row.uuid,
            "status": row.approval.lower(),
            "start_date": format_midnight(row.starts_at.date()),
            "end_date": format_midnight(_find_last_day(row)) if row.ends_at else None,
            "days_count": int(days) if days.is_integer() else days,
            "half_day_start": int(row.start_half == SECOND_HALF),
            "half_day_end": int(row.end_half == FIRST_HALF),
            "time_off_type": _render_short_type(company.absence_types[row.type_id]),
            "employee": render_short_employee(row.person_id, company),
            "certificate": CERTIFICATE,
            "created_at": format_timestamp(row.created_at),
            "updated_at": format_timestamp(row.updated_at),
        },
    }


def find_time_offs_inside(company: Company, first: date | None, last: date | None) -> list[Absence]:
    """Returns the absences in days that lie completely inside a window. Open-ended ones need an open window."""
    return [
        row
        for row in find_absences_of_unit("DAILY", company)
        if (first is None or row.starts_at.date() >= first)
        and (last is None or (row.ends_at is not None and _find_last_day(row) <= last))
    ]


def _find_last_day(row: Absence) -> date:
    """Returns the last day of an absence in days that has an end."""
    return ((row.ends_at or row.starts_at) - timedelta(1)).date()


def _list_time_offs(call: Call) -> Json:
    company, query = call.company, call.query
    first, last = query["start_date"], query["end_date"]
    check_order(first, last)
    people = query[PEOPLE.name]
    rows = [
        row
        for row in find_time_offs_inside(company, first, last)
        if (not people or row.person_id in people)
        # The date as rendered.
        and is_within(row.updated_at.astimezone(BERLIN).date(), query["updated_from"], query["updated_to"])
    ]
    page, frame = page_by_number(rows, call, first_only=True)
    return wrap_data([render_time_off(row, company) for row in page], **frame)


def _get_time_off(call: Call) -> Json:
    for row in find_absences_of_unit("DAILY", call.company):
        if str(row.id) == call.path["id"]:
            return wrap_data(render_time_off(row, call.company))
    raise StatusError(404)


def _list_time_off_types(call: Call) -> Json:
    limit, offset = call.query["limit"], call.query["offset"]
    return wrap_data([render_time_off_type(row) for row in list(call.company.absence_types)[offset : offset + limit]])


# Absences in hours


def render_absence_period(row: Absence, company: Company) -> Json:
    """Renders an absence in hours; its duration is in minutes."""
    kind = company.absence_types[row.type_id]
    days = [
        {"date": part.day.isoformat(), "effective_duration": round(part.amount * 60)}
        for part in split_into_days(row, company.today)
    ]
    created = _format_milliseconds(_add_milliseconds(row.created_at, row, company))
    return {
        "type": "AbsencePeriod",
        "attributes": {
            **pick_fields(row, "comment", id="uuid", created_by="person_id"),
            "measurement_unit": UNITS[kind.unit],
            "effective_duration": sum(part["effective_duration"] for part in days),
            "employee": render_short_employee(row.person_id, company),
            "absence_type": {
                "type": "AbsenceType",
                "attributes": {"id": kind.uuid, "name": kind.name, "time_off_type_id": kind.id},
            },
            "certificate": CERTIFICATE,
            "start": _format_local(row.starts_at, row),
            "end": row.ends_at and _format_local(row.ends_at, row),
            "half_day_start": False,
            "half_day_end": False,
            "origin": ORIGINS[row.id % len(ORIGINS)],
            "status": row.approval.lower(),
            "created_at": created,
            "updated_at": _format_milliseconds(_add_milliseconds(row.updated_at, row, company)),
            "approved_at": created if row.approval == "APPROVED" else None,
            "breakdowns": days,
        },
    }


def find_absence_periods_overlapping(company: Company, first: date | None, last: date | None) -> list[Absence]:
    """Returns the absences in hours that overlap a window of dates."""
    return [
        row
        for row in find_absences_of_unit("HOURLY", company)
        if (last is None or row.starts_at.date() <= last)
        and (first is None or row.ends_at is None or row.ends_at.date() >= first)
    ]


def _add_milliseconds(value: datetime, row: Absence, company: Company) -> datetime:
    """Adds milliseconds, which only this endpoint has. Timestamps of today or later stay as they are."""
    if value.date() >= company.today:
        return value
    return value + timedelta(milliseconds=row.id % MILLISECONDS)


def _format_local(value: datetime, row: Absence) -> str:
    """Formats a local time of an absence in UTC."""
    return _format_milliseconds(value.replace(tzinfo=ZoneInfo(row.timezone)).astimezone(UTC))


def _format_milliseconds(value: datetime) -> str:
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _list_absence_periods(call: Call) -> Json:
    company, query = call.company, call.query
    first, last = query["start_date"], query["end_date"]
    check_order(first, last)
    people, kinds, periods = query[PEOPLE.name], query[TYPES.name], query[PERIODS.name]
    if any(company.absence_types.find(kind) is None for kind in kinds):
        raise StatusError(404)
    rows = [
        row
        for row in find_absence_periods_overlapping(company, first, last)
        if (not people or row.person_id in people)
        and (not kinds or company.absence_types[row.type_id].uuid in kinds)
        and (not periods or row.uuid in periods)
        and is_within(_add_milliseconds(row.updated_at, row, company), query["updated_from"], query["updated_to"])
    ]
    page, frame = page_by_number(rows, call)
    return wrap_data([render_absence_period(row, company) for row in page], **frame)


_UPDATED_DAYS = Parameter("updated_from", parse_day), Parameter("updated_to", parse_day)
_UPDATED = Parameter("updated_from", parse_timestamp), Parameter("updated_to", parse_timestamp)

ROUTES = (
    Route(f"{PATH}/time-off-types", ABSENCES, _list_time_off_types, make_paging_parameters()),
    Route(
        f"{PATH}/time-offs",
        ABSENCES,
        _list_time_offs,
        (*make_window_parameters(), *_UPDATED_DAYS, PEOPLE, *make_paging_parameters()),
        modes=MODES,
    ),
    Route(f"{PATH}/time-offs/{{id}}", ABSENCES, _get_time_off),
    Route(
        f"{PATH}/absence-periods",
        ABSENCES,
        _list_absence_periods,
        (*make_window_parameters(), *_UPDATED, PEOPLE, TYPES, PERIODS, *make_paging_parameters()),
        modes=MODES,
    ),
)
