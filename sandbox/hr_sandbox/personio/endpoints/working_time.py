"""Attendances and projects."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ListEndpoint, Values, find_by_id
from hr_sandbox.personio.errors import problem
from hr_sandbox.personio.filters import (
    Filter,
    any_of,
    boolean,
    comparisons,
    day,
    equals,
    one_of,
    plain_time,
    subset_of,
)
from hr_sandbox.personio.links import Links
from hr_sandbox.personio.render import working_time as render

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Attendance, Person, Project

ATTENDANCES = "personio:attendances:read"
STATES = ("PENDING", "CONFIRMED", "REJECTED", "EXPIRED")
INCLUSIVE = ("gte", "lte")
REFUSED_TIME = "Invalid request content"

_ORDERS: dict[str, Callable[[Attendance], Any]] = {
    "person.id": lambda row: row.person_id,
    "start.date_time": lambda row: row.starts_at,
    # Running periods have no end and sort last.
    "end.date_time": lambda row: (row.ends_at is None, row.ends_at or row.starts_at),
    "updated_at": lambda row: row.updated_at,
    "status": render.approval,
}


def _attendances(company: Company, values: Values) -> list[Attendance]:
    sort = values.get("sort")
    if sort is None:
        return list(company.attendances)
    order = _ORDERS[sort.removeprefix("-")]
    return sorted(company.attendances, key=lambda row: (order(row), row.id), reverse=sort.startswith("-"))


def _utc(text: str) -> datetime:
    """Parse a UTC timestamp, which must be written without a zone."""
    return plain_time(text).replace(tzinfo=UTC)


def _projects(company: Company, values: Values) -> list[Project]:
    top = values.get("top_level_only", False)
    return [row for row in company.projects if not (top and row.parent_id)]


def _members(company: Company, values: Values) -> list[Person]:
    """Return the members of an existing project. Subprojects and projects that are open to all have none."""
    row = company.projects.find(values["id"])
    if row is None:
        raise ApiError(problem(404))
    return [company.people[number] for number in row.member_ids]


_INCLUDE = Filter("include", subset_of(*render.INCLUDED), status=422)

ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        path="/v2/attendance-periods",
        stream="attendance_periods",
        permission=ATTENDANCES,
        rows=_attendances,
        render=render.attendance,
        limit_status=422,
        links=Links(host=""),
        filters=(
            any_of("id", lambda row: str(row.uuid)),
            any_of("person.id", lambda row: str(row.person_id)),
            any_of("project.id", lambda row: str(row.project_id)),
            equals("status", render.approval, one_of(*STATES)),
            *comparisons("start.date_time", lambda row: row.starts_at, INCLUSIVE, plain_time, REFUSED_TIME),
            *comparisons("end.date_time", lambda row: row.ends_at, INCLUSIVE, plain_time, REFUSED_TIME),
            *comparisons("attribution_date", lambda row: row.day, INCLUSIVE, day),
            *comparisons("updated_at", lambda row: row.updated_at, INCLUSIVE, _utc, REFUSED_TIME),
            Filter("sort", one_of(*_ORDERS, *(f"-{name}" for name in _ORDERS))),
        ),
        find=find_by_id(lambda company: company.attendances),
    ),
    ListEndpoint(
        path="/v2/projects",
        stream="projects",
        permission=ATTENDANCES,
        rows=_projects,
        render=render.project,
        default_limit=200,
        max_limit=200,
        limit_status=422,
        links=Links(carries_query=True),
        filters=(
            any_of("id", lambda row: str(row.id)),
            any_of("name", lambda row: str(row.name)),
            any_of("project_code", lambda row: str(row.code)),
            any_of("parent_project.id", lambda row: str(row.parent_id)),
            equals("status", lambda row: str(row.status), one_of("ACTIVE", "ARCHIVED")),
            Filter("top_level_only", boolean),
            _INCLUDE,
        ),
        find=find_by_id(lambda company: company.projects),
        item_filters=(_INCLUDE,),
    ),
    ListEndpoint(
        path="/v2/projects/{id}/members",
        stream="project_members",
        permission=ATTENDANCES,
        rows=_members,
        render=render.member,
        default_limit=200,
        max_limit=200,
        limit_status=422,
        slices=lambda company, *_: [{"id": str(row.id)} for row in company.projects],
        extra_fields=lambda values, row: {"_project_id": values["id"], "_person_id": str(row.id)},
    ),
)
