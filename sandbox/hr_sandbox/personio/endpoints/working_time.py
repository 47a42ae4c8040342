"""Attendances and projects."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.endpoint import ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.filters import (
    Filter,
    filter_any_of,
    filter_comparisons,
    filter_equal,
    parse_boolean,
    parse_day,
    parse_plain_time,
    parser_for_choice,
    parser_for_subset,
)
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import format_date, render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import people
    from hr_sandbox.http.messages import Json

STATES = ("PENDING", "CONFIRMED", "REJECTED", "EXPIRED")
INCLUDED = ("tracked_minutes", "sub_projects_tracked_minutes", "sub_projects_count", "tracked_periods_count")
INCLUSIVE = ("gte", "lte")
REFUSED_TIME = "Invalid request content"

_declare = partial(ListEndpoint, permission="personio:attendances:read", limit_status=422)


def _get_approval(row: people.Attendance) -> str:
    """Returns the state of an attendance. Requests that were not answered in time have expired."""
    return "EXPIRED" if row.approval == "REJECTED" and row.id % 2 else row.approval


_ORDERS: dict[str, Callable[[people.Attendance], Any]] = {
    "person.id": lambda row: row.person_id,
    "start.date_time": lambda row: row.starts_at,
    # Running periods have no end and sort last.
    "end.date_time": lambda row: (row.ends_at is None, row.ends_at or row.starts_at),
    "updated_at": lambda row: row.updated_at,
    "status": _get_approval,
}


def _sort_attendances(company: Company, values: Values) -> list[people.Attendance]:
    sort = values.get("sort")
    if sort is None:
        return list(company.attendances)
    order = _ORDERS[sort.removeprefix("-")]
    return sorted(company.attendances, key=lambda row: (order(row), row.id), reverse=sort.startswith("-"))


def _parse_utc(text: str) -> datetime:
    """Parses a UTC timestamp, which must be written without a zone."""
    return parse_plain_time(text).replace(tzinfo=UTC)


def _render_attendance(row: people.Attendance, _context: RenderContext) -> Json:
    """Renders work or a break. Times are local to the office and have no zone."""
    return {
        **render_fields(row, "type", "comment", "created_at", "updated_at", id="uuid", attribution_date="day"),
        **render_fields(row, is_auto_generated="automatic", is_on_time_off="on_time_off"),
        "person": render_reference(row.person_id),
        "approval": {"status": _get_approval(row)},
        "start": {"date_time": format_date(row.starts_at)},
        "end": {"date_time": format_date(row.ends_at)} if row.ends_at else None,
        "project": render_reference(row.project_id),
        "is_holiday": False,
    }


def _find_projects(company: Company, values: Values) -> list[people.Project]:
    top = values.get("top_level_only", False)
    return [row for row in company.projects if not (top and row.parent_id)]


def _find_members(company: Company, values: Values) -> list[people.Person]:
    """Returns the members of an existing project. Subprojects and projects that are open to all have none."""
    return [company.people[number] for number in find_or_fail(company.projects, values["id"]).member_ids]


def _render_project(row: people.Project, context: RenderContext) -> Json:
    """Renders a project with the requested sums."""
    center = context.company.cost_centers[row.cost_center_id].uuid if row.cost_center_id else None
    body: Json = {
        **render_fields(row, "name", "description", "billable", "status", "created_at", "updated_at"),
        **render_fields(row, project_code="code", client_name="client", project_type="type", assigned_to_all="for_all"),
        "id": str(row.id),
        "cost_center": render_reference(center),
        "parent_project": render_reference(row.parent_id),
        "start": {"date": format_date(row.starts_on)} if row.starts_on else None,
        "end": {"date": format_date(row.ends_on)} if row.ends_on else None,
    }
    if "include" in context.values:
        sums = _sum_project(row, context.company)
        body |= {name: sums[name] for name in INCLUDED if name in context.values["include"]}
    return body


def _sum_project(row: people.Project, company: Company) -> dict[str, int]:
    tracked = _sum_by_project(company, company.version)
    parts = [other.id for other in company.projects if other.parent_id == row.id]
    minutes, periods = tracked.get(row.id, (0, 0))
    sub_minutes = sum(tracked.get(number, (0, 0))[0] for number in parts)
    return dict(zip(INCLUDED, (minutes, sub_minutes, len(parts), periods), strict=True))


@lru_cache(maxsize=2)
def _sum_by_project(company: Company, _version: int) -> dict[int, tuple[int, int]]:
    """Returns minutes and periods by project, cached per version of the company."""
    sums: dict[int, tuple[int, int]] = {}
    for row in company.attendances:
        if row.project_id is not None and row.ends_at is not None:
            minutes, periods = sums.get(row.project_id, (0, 0))
            worked = int((row.ends_at - row.starts_at).total_seconds()) // 60
            sums[row.project_id] = (minutes + worked, periods + 1)
    return sums


_INCLUDE = Filter("include", parser_for_subset(*INCLUDED), status=422)

ENDPOINTS: tuple[ListEndpoint, ...] = (
    _declare(
        "/v2/attendance-periods",
        "attendance_periods",
        _render_attendance,
        rows=_sort_attendances,
        links=Links(host=""),
        filters=(
            filter_any_of("id", "uuid"),
            filter_any_of("person.id", "person_id"),
            filter_any_of("project.id", "project_id"),
            filter_equal("status", _get_approval, parser_for_choice(*STATES)),
            *filter_comparisons("start.date_time", "starts_at", INCLUSIVE, parse_plain_time, REFUSED_TIME),
            *filter_comparisons("end.date_time", "ends_at", INCLUSIVE, parse_plain_time, REFUSED_TIME),
            *filter_comparisons("attribution_date", "day", INCLUSIVE, parse_day),
            *filter_comparisons("updated_at", "updated_at", INCLUSIVE, _parse_utc, REFUSED_TIME),
            Filter("sort", parser_for_choice(*_ORDERS, *(f"-{name}" for name in _ORDERS))),
        ),
        table="attendances",
    ),
    _declare(
        "/v2/projects",
        "projects",
        _render_project,
        rows=_find_projects,
        default_limit=200,
        max_limit=200,
        links=Links(carries_query=True),
        filters=(
            filter_any_of("id"),
            filter_any_of("name"),
            filter_any_of("project_code", "code"),
            filter_any_of("parent_project.id", "parent_id"),
            filter_equal("status", "status", parser_for_choice("ACTIVE", "ARCHIVED")),
            Filter("top_level_only", parse_boolean),
            _INCLUDE,
        ),
        table="projects",
        item_filters=(_INCLUDE,),
    ),
    _declare(
        "/v2/projects/{id}/members",
        "project_members",
        lambda row, _: {"person": render_reference(row.id)},
        rows=_find_members,
        default_limit=200,
        max_limit=200,
        slices=lambda company, *_: [{"id": str(row.id)} for row in company.projects],
        extra_fields=lambda values, row: {"_project_id": values["id"], "_person_id": str(row.id)},
    ),
)
