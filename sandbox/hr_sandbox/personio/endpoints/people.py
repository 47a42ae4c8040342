"""Persons, employments, absences, pay and org units."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.absences import days_of
from hr_sandbox.company.dates import months_after
from hr_sandbox.company.model import AbsenceDay
from hr_sandbox.http.limits import Rate
from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ListEndpoint, Values, find_by_id
from hr_sandbox.personio.errors import invalid_value, problem
from hr_sandbox.personio.filters import (
    Filter,
    any_of,
    boolean,
    comma_list,
    comparisons,
    day,
    equals,
    local_time,
    one_of,
)
from hr_sandbox.personio.links import Links
from hr_sandbox.personio.render import people as render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Absence, Compensation, Employment, Person, Table

PERSONS = "personio:persons:read"
ABSENCES = "personio:absences:read"
COMPENSATIONS = "personio:compensations:read"
ORG_UNITS = "personio:org-units:read"

PERSONS_RATE = Rate(30, 100)
ABSENCES_RATE = Rate(10, 10)

LONG_HOURS = 1.5
AFTER_BREAK = 10_000_000  # larger than any day's id

STRICT = ("", "gt", "lt")
INCLUSIVE = ("gte", "lte")


def _persons(company: Company, values: Values) -> list[Person]:
    status = values.get("status")
    return [row for row in company.people if status is None or render.person_status(company, row) == status]


def _absences(company: Company, values: Values) -> list[Absence]:
    wanted = values.get("absence_type.id")
    kinds = {row.id for row in company.absence_types if wanted is None or row.uuid in wanted}
    return [row for row in company.absences if row.type_id in kinds]


def _employments(company: Company, values: Values) -> list[Employment]:
    """Return the employments of an existing person, newest first."""
    if company.people.find(values["person_id"]) is None:
        raise ApiError(problem(404))
    rows = company.employments.of(int(values["person_id"]))
    return sorted(rows, key=lambda row: (row.start_date, row.id), reverse=True)


def _employment(company: Company, values: Values) -> Employment | None:
    row = company.employments.find(values["id"])
    return row if row and str(row.person_id) == values["person_id"] else None


def _ends_after(row: Absence, timestamp: Any) -> bool:  # noqa: ANN401  what a filter parsed
    return row.ends_at is None or row.ends_at > timestamp


def _breakdowns(company: Company, values: Values) -> list[AbsenceDay]:
    """Return the days of an existing absence. A day has two rows if the hours span a break."""
    row = company.absences.find(values["id"])
    if row is None:
        raise ApiError(problem(404))
    if row.start_half is not None or row.id % 3:
        return list(days_of(row, company.today))
    parts = []
    for part in days_of(row, company.today):
        if part.amount < LONG_HOURS:
            parts.append(part)
            continue
        before = round(part.amount / 2, 2)
        parts.append(AbsenceDay(part.id, part.day, before))
        parts.append(AbsenceDay(part.id + AFTER_BREAK, part.day, round(part.amount - before, 2)))
    return parts


# The date filters ask which absences overlap a window, whichever end a filter is named after: an absence
# passes `gte` if it has not ended by then, and `lte` if it has begun by then.
_OVERLAPS = tuple(
    Filter(f"{end}.date_time.{mark}", local_time, accepts)
    for end in ("starts_from", "ends_at")
    for mark, accepts in (("gte", _ends_after), ("lte", lambda row, timestamp: row.starts_at <= timestamp))
)


def window(company: Company, values: Values) -> tuple[date, date]:
    """Return the window of compensations: at most a month, by default the current one."""
    first, last = values.get("start_date"), values.get("end_date")
    if first is None and last is None:
        month = months_after(company.today, 0)
        return month, months_after(month, 1) - timedelta(1)
    if first is None or last is None:
        raise invalid_value("start_date" if first is None else "end_date")
    if last < first or last >= _month_later(first):
        raise invalid_value("end_date")
    return first, last


def _month_later(first: date) -> date:
    """Return the same day of the next month, or the first day after it if that month is too short."""
    following = months_after(first, 1)
    last = months_after(first, 2) - timedelta(1)
    return min(following + timedelta(first.day - 1), last + timedelta(1))


def _compensations(company: Company, values: Values) -> list[Compensation]:
    """Return the compensations in effect in the window, without those of zero."""
    first, last = window(company, values)
    return [row for row in company.compensations if row.amount and row.in_effect(first, last)]


def _months(_company: Company, first: date, last: date) -> Iterator[Values]:
    """Yield the months of a window of dates, cut at its ends."""
    month = months_after(first, 0)
    while month <= last:
        end = min(months_after(month, 1) - timedelta(1), last)
        yield {"start_date": max(month, first), "end_date": end}
        month = months_after(month, 1)


def _units(company: Company, values: Values) -> Table[Any]:
    return company.departments if values["type"] == "department" else company.teams


def _org_units(company: Company, values: Values) -> list[Any]:
    sort = values.get("sort", "id")
    name = sort.removeprefix("-")
    return sorted(_units(company, values), key=lambda row: (getattr(row, name), row.id), reverse=sort.startswith("-"))


_UNIT_TYPE = Filter("type", one_of("department", "team"), required=True)
_PARENTS = Filter("include_parent_chain", boolean)

ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        path="/v2/persons",
        stream="persons",
        permission=PERSONS,
        forbidden_status=401,
        rate=PERSONS_RATE,
        rows=_persons,
        render=render.person,
        default_limit=10,
        max_limit=50,
        filters=(
            any_of("id", lambda row: str(row.id)),
            any_of("email", lambda row: str(row.email)),
            equals("first_name", lambda row: str(row.first_name)),
            equals("last_name", lambda row: str(row.last_name)),
            equals("preferred_name", lambda row: str(row.preferred_name)),
            *comparisons("created_at", lambda row: row.created_at, STRICT),
            *comparisons("updated_at", lambda row: row.updated_at, STRICT),
            Filter("status", one_of("ACTIVE", "INACTIVE")),
        ),
        find=find_by_id(lambda company: company.people),
    ),
    ListEndpoint(
        path="/v2/persons/{person_id}/employments",
        stream="employments",
        permission=PERSONS,
        forbidden_status=401,
        rate=PERSONS_RATE,
        rows=_employments,
        render=render.employment,
        default_limit=10,
        max_limit=50,
        links=Links(path="/v2/employments"),  # a path that does not exist
        slices=lambda company, *_: [{"person_id": str(row.id)} for row in company.people],
        filters=(
            any_of("id", lambda row: str(row.uuid)),
            *comparisons("updated_at", lambda row: row.updated_at, STRICT),
        ),
        find=_employment,
    ),
    ListEndpoint(
        path="/v2/absence-types",
        stream="absence_types",
        permission=ABSENCES,
        rows=lambda company, _: list(company.absence_types),
        render=render.absence_type,
        links=Links(last_page="none"),
        find=find_by_id(lambda company: company.absence_types),
    ),
    ListEndpoint(
        path="/v2/absence-periods",
        stream="absence_periods",
        permission=ABSENCES,
        rate=ABSENCES_RATE,
        rows=_absences,
        render=render.absence_period,
        links=Links(carries_query=True),
        filters=(
            any_of("id", lambda row: str(row.uuid)),
            Filter("absence_type.id", comma_list),
            any_of("person.id", lambda row: str(row.person_id)),
            *_OVERLAPS,
            *comparisons("updated_at", lambda row: row.updated_at, INCLUSIVE),
        ),
        find=find_by_id(lambda company: company.absences),
    ),
    ListEndpoint(
        path="/v2/absence-periods/{id}/breakdowns",
        stream="absence_period_breakdowns",
        permission=ABSENCES,
        rate=ABSENCES_RATE,
        rows=_breakdowns,
        render=render.breakdown,
        default_limit=28,
        max_limit=28,
        slices=lambda company, *_: [{"id": row.uuid} for row in company.absences],
        extra_fields=lambda values, row: {"_absence_period_id": values["id"], "_number": 1 + (row.id > AFTER_BREAK)},
    ),
    ListEndpoint(
        path="/v2/compensations",
        stream="compensations",
        permission=COMPENSATIONS,
        rows=_compensations,
        render=render.compensation,
        links=Links(carries_query=True, last_page="null"),
        slices=_months,
        extra_fields=lambda values, _: {"_month": months_after(values["start_date"], 0).isoformat()},
        filters=(
            Filter("start_date", day),
            Filter("end_date", day),
            any_of("person.id", lambda row: str(row.person_id)),
            any_of("legal_entity.id", lambda row: str(row.legal_entity_id)),
        ),
    ),
    ListEndpoint(
        path="/v2/compensations/types",
        stream="compensation_types",
        permission=COMPENSATIONS,
        rows=lambda company, _: list(company.compensation_types),
        render=render.compensation_type,
        links=Links(last_page="null"),
    ),
    ListEndpoint(
        path="/v2/org-units",
        stream="org_units",
        permission=ORG_UNITS,
        rows=_org_units,
        render=render.org_unit,
        default_limit=20,
        links=Links(carries_query=True),
        slices=lambda *_: [{"type": "department"}, {"type": "team"}],
        filters=(_UNIT_TYPE, _PARENTS, Filter("sort", one_of("name", "-name", "id", "-id"))),
        find=lambda company, values: _units(company, values).find(values["id"]),
        item_filters=(_UNIT_TYPE, _PARENTS),
        item_render=render.org_unit_by_id,
    ),
)
