"""Absences and compensations."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.absences import split_into_days
from hr_sandbox.company.generator import first_of_month_after
from hr_sandbox.company.model.people import AbsenceDay
from hr_sandbox.http.limits import Rate
from hr_sandbox.personio.endpoint import DEFAULT_RATE, ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.errors import make_invalid_value
from hr_sandbox.personio.filters import (
    Filter,
    filter_any_of,
    filter_comparisons,
    parse_day,
    parse_list,
    parse_local_time,
)
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import format_date, render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import people
    from hr_sandbox.http.messages import Json

LONG_HOURS = 1.5
AFTER_BREAK = 10_000_000  # larger than any day's id

_declare_absences = partial(ListEndpoint, permission="personio:absences:read", rate=Rate(10, 10))
_declare_pay = partial(ListEndpoint, permission="personio:compensations:read")


def _find_absences(company: Company, values: Values) -> list[people.Absence]:
    wanted = values.get("absence_type.id")
    kinds = {row.id for row in company.absence_types if wanted is None or row.uuid in wanted}
    return [row for row in company.absences if row.type_id in kinds]


def _ends_after(row: people.Absence, timestamp: Any) -> bool:  # noqa: ANN401  what a filter parsed
    return row.ends_at is None or row.ends_at > timestamp


# The date filters ask which absences overlap a window, whichever end a filter is named after: an absence
# passes `gte` if it has not ended by then, and `lte` if it has begun by then.
_OVERLAPS = tuple(
    Filter(f"{end}.date_time.{mark}", parse_local_time, accepts)
    for end in ("starts_from", "ends_at")
    for mark, accepts in (("gte", _ends_after), ("lte", lambda row, timestamp: row.starts_at <= timestamp))
)


def _render_absence_period(row: people.Absence, context: RenderContext) -> Json:
    """Renders an absence. Times are local to the office and have no zone."""
    return {
        **render_fields(row, "comment", "created_at", "updated_at", id="uuid", timezone_id="timezone"),
        "person": render_reference(row.person_id),
        "absence_type": render_reference(context.company.absence_types[row.type_id].uuid),
        "starts_from": _render_end(row.starts_at, row.start_half),
        "ends_at": row.ends_at and _render_end(row.ends_at, row.end_half),
        "approval": {"status": row.approval},
    }


def _render_end(value: datetime, half: str | None) -> Json:
    return {"date_time": format_date(value), "type": half}


def _find_breakdowns(company: Company, values: Values) -> list[AbsenceDay]:
    """Returns the days of an existing absence. A day has two rows if the hours span a break."""
    row = find_or_fail(company.absences, values["id"])
    if row.start_half is not None or row.id % 3:
        return list(split_into_days(row, company.today))
    parts = []
    for part in split_into_days(row, company.today):
        if part.amount < LONG_HOURS:
            parts.append(part)
            continue
        before = round(part.amount / 2, 2)
        parts.append(AbsenceDay(part.id, part.day, before))
        parts.append(AbsenceDay(part.id + AFTER_BREAK, part.day, round(part.amount - before, 2)))
    return parts


def _render_breakdown(row: AbsenceDay, context: RenderContext) -> Json:
    """Renders one day of an absence. Only the path names the absence."""
    absence = context.company.absences.find(context.values["id"])
    unit = "HOUR" if absence and absence.start_half is None else "DAY"
    return {"date": format_date(row.day), "effective_duration": {"unit": unit, "value": row.amount}}


def _find_compensations(company: Company, values: Values) -> list[people.Compensation]:
    """Returns the compensations in effect in the window, except those of zero."""
    first, last = _read_window(company, values)
    return [row for row in company.compensations if row.amount and row.is_in_effect(first, last)]


def _read_window(company: Company, values: Values) -> tuple[date, date]:
    """Returns the window of compensations: at most a month, by default the current one."""
    first, last = values.get("start_date"), values.get("end_date")
    if first is None and last is None:
        month = first_of_month_after(company.today, 0)
        return month, first_of_month_after(month, 1) - timedelta(1)
    if first is None or last is None:
        raise make_invalid_value("start_date" if first is None else "end_date")
    if last < first or last >= _add_month(first):
        raise make_invalid_value("end_date")
    return first, last


def _add_month(first: date) -> date:
    """Returns the same day of the next month, or the first day after it if that month is too short."""
    following = first_of_month_after(first, 1)
    last = first_of_month_after(first, 2) - timedelta(1)
    return min(following + timedelta(first.day - 1), last + timedelta(1))


def _split_by_month(_company: Company, first: date, last: date) -> Iterator[Values]:
    """Yields the months of a window of dates, cut at its ends."""
    month = first_of_month_after(first, 0)
    while month <= last:
        end = min(first_of_month_after(month, 1) - timedelta(1), last)
        yield {"start_date": max(month, first), "end_date": end}
        month = first_of_month_after(month, 1)


def _render_type(row: people.CompensationType, _context: RenderContext) -> Json:
    return render_fields(row, "name", "category", id="uuid")


def _render_compensation(row: people.Compensation, context: RenderContext) -> Json:
    """Renders a compensation, which has the same body in each month."""
    return {
        **render_fields(row, "interval", "effective_from", id="uuid"),
        **render_fields(row, "weekly_working_hours", "full_time_weekly_working_hours"),
        "person": render_reference(row.person_id),
        "type": _render_type(context.company.compensation_types[row.type_id], context),
        "amount": {"value": row.amount, "currency": row.currency},
        "legal_entity": render_reference(row.legal_entity_id),
    }


ENDPOINTS: tuple[ListEndpoint, ...] = (
    _declare_absences(
        "/v2/absence-types",
        "absence_types",
        lambda row, _: render_fields(row, "name", "category", "unit", id="uuid"),
        rate=DEFAULT_RATE,
        links=Links(last_page="none"),
        table="absence_types",
    ),
    _declare_absences(
        "/v2/absence-periods",
        "absence_periods",
        _render_absence_period,
        rows=_find_absences,
        links=Links(carries_query=True),
        filters=(
            filter_any_of("id", "uuid"),
            Filter("absence_type.id", parse_list),
            filter_any_of("person.id", "person_id"),
            *_OVERLAPS,
            *filter_comparisons("updated_at", "updated_at", ("gte", "lte")),
        ),
        table="absences",
    ),
    _declare_absences(
        "/v2/absence-periods/{id}/breakdowns",
        "absence_period_breakdowns",
        _render_breakdown,
        rows=_find_breakdowns,
        default_limit=28,
        max_limit=28,
        slices=lambda company, *_: [{"id": row.uuid} for row in company.absences],
        extra_fields=lambda values, row: {"_absence_period_id": values["id"], "_number": 1 + (row.id > AFTER_BREAK)},
    ),
    _declare_pay(
        "/v2/compensations",
        "compensations",
        _render_compensation,
        rows=_find_compensations,
        links=Links(carries_query=True, last_page="null"),
        slices=_split_by_month,
        extra_fields=lambda values, _: {"_month": first_of_month_after(values["start_date"], 0).isoformat()},
        filters=(
            Filter("start_date", parse_day),
            Filter("end_date", parse_day),
            filter_any_of("person.id", "person_id"),
            filter_any_of("legal_entity.id", "legal_entity_id"),
        ),
    ),
    _declare_pay(
        "/v2/compensations/types",
        "compensation_types",
        _render_type,
        rows=lambda company, _: list(company.compensation_types),
        links=Links(last_page="null"),
    ),
)
