"""Attendances and projects."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.endpoint import Endpoint, ItemEndpoint, ListEndpoint, Values, by_key
from hr_sandbox.personio.errors import ApiError, problem
from hr_sandbox.personio.filters import (
    Filter,
    boolean,
    compared,
    day,
    exact,
    listed,
    one_of,
    plain_time,
    some_of,
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
    # What runs has no end yet: it comes behind everything that has one.
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
    """A moment whose zone is not written, because it must not be."""
    return plain_time(text).replace(tzinfo=UTC)


def _projects(company: Company, values: Values) -> list[Project]:
    top = values.get("top_level_only", False)
    return [row for row in company.projects if not (top and row.parent_id)]


def _members(company: Company, values: Values) -> list[Person]:
    """Those of a project that exists; its parts have none, nor has one that is for everybody."""
    row = company.projects.find(values["id"])
    if row is None:
        raise ApiError(problem(404))
    return [company.people[number] for number in row.member_ids]


_INCLUDE = Filter("include", some_of(*render.INCLUDED), status=422)

ENDPOINTS: tuple[Endpoint, ...] = (
    ListEndpoint(
        path="/v2/attendance-periods",
        stream="attendance_periods",
        right=ATTENDANCES,
        rows=_attendances,
        render=render.attendance,
        limit_status=422,
        links=Links(host=""),
        filters=(
            listed("id", lambda row: str(row.uuid)),
            listed("person.id", lambda row: str(row.person_id)),
            listed("project.id", lambda row: str(row.project_id)),
            exact("status", render.approval, one_of(*STATES)),
            *compared("start.date_time", lambda row: row.starts_at, INCLUSIVE, plain_time, REFUSED_TIME),
            *compared("end.date_time", lambda row: row.ends_at, INCLUSIVE, plain_time, REFUSED_TIME),
            *compared("attribution_date", lambda row: row.day, INCLUSIVE, day),
            *compared("updated_at", lambda row: row.updated_at, INCLUSIVE, _utc, REFUSED_TIME),
            Filter("sort", one_of(*_ORDERS, *(f"-{name}" for name in _ORDERS))),
        ),
    ),
    ItemEndpoint(
        path="/v2/attendance-periods/{id}",
        stream="attendance_periods",
        right=ATTENDANCES,
        find=by_key(lambda company: company.attendances),
        render=render.attendance,
    ),
    ListEndpoint(
        path="/v2/projects",
        stream="projects",
        right=ATTENDANCES,
        rows=_projects,
        render=render.project,
        default_limit=200,
        max_limit=200,
        limit_status=422,
        links=Links(carries_query=True),
        filters=(
            listed("id", lambda row: str(row.id)),
            listed("name", lambda row: str(row.name)),
            listed("project_code", lambda row: str(row.code)),
            listed("parent_project.id", lambda row: str(row.parent_id)),
            exact("status", lambda row: str(row.status), one_of("ACTIVE", "ARCHIVED")),
            Filter("top_level_only", boolean),
            _INCLUDE,
        ),
    ),
    ItemEndpoint(
        path="/v2/projects/{id}",
        stream="projects",
        right=ATTENDANCES,
        find=by_key(lambda company: company.projects),
        render=render.project,
        filters=(_INCLUDE,),
    ),
    ListEndpoint(
        path="/v2/projects/{id}/members",
        stream="project_members",
        right=ATTENDANCES,
        rows=_members,
        render=render.member,
        default_limit=200,
        max_limit=200,
        limit_status=422,
        passes=lambda company, *_: [{"id": str(row.id)} for row in company.projects],
        marks=lambda values, row: {"_project_id": values["id"], "_person_id": str(row.id)},
    ),
)
