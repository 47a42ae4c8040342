"""Attendances and projects."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hr_sandbox.clock import rfc3339
from hr_sandbox.personio.render.common import iso, ref

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Attendance, Person, Project
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import RenderContext

INCLUDED = ("tracked_minutes", "sub_projects_tracked_minutes", "sub_projects_count", "tracked_periods_count")


def approval(row: Attendance) -> str:
    """Return the state of an attendance. Requests that were not answered in time have expired."""
    return "EXPIRED" if row.approval == "REJECTED" and row.id % 2 else row.approval


def attendance(row: Attendance, _view: RenderContext) -> Json:
    """Render work or a break. Times are local to the office and have no zone."""
    return {
        "id": row.uuid,
        "person": ref(row.person_id),
        "type": row.type,
        "approval": {"status": approval(row)},
        "start": {"date_time": iso(row.starts_at)},
        "end": {"date_time": iso(row.ends_at)} if row.ends_at else None,
        "attribution_date": iso(row.day),
        "comment": row.comment,
        "project": ref(row.project_id),
        "is_auto_generated": row.automatic,
        "is_holiday": False,
        "is_on_time_off": row.on_time_off,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def project(row: Project, context: RenderContext) -> Json:
    """Render a project with the requested sums."""
    center = context.company.cost_centers[row.cost_center_id].uuid if row.cost_center_id else None
    body: Json = {
        "id": str(row.id),
        "name": row.name,
        "project_code": row.code,
        "description": row.description,
        "client_name": row.client,
        "project_type": row.type,
        "billable": row.billable,
        "assigned_to_all": row.for_all,
        "cost_center": ref(center),
        "parent_project": ref(row.parent_id),
        "status": row.status,
        "start": {"date": iso(row.starts_on)} if row.starts_on else None,
        "end": {"date": iso(row.ends_on)} if row.ends_on else None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
    if "include" in context.values:
        sums = _sums(row, context.company)
        body |= {name: sums[name] for name in INCLUDED if name in context.values["include"]}
    return body


def _sums(row: Project, company: Company) -> dict[str, int]:
    tracked = _tracked(company, company.version)
    parts = [other.id for other in company.projects if other.parent_id == row.id]
    minutes, periods = tracked.get(row.id, (0, 0))
    return {
        "tracked_minutes": minutes,
        "sub_projects_tracked_minutes": sum(tracked.get(number, (0, 0))[0] for number in parts),
        "sub_projects_count": len(parts),
        "tracked_periods_count": periods,
    }


@lru_cache(maxsize=2)
def _tracked(company: Company, _version: int) -> dict[int, tuple[int, int]]:
    """Return minutes and periods by project, cached per version of the company."""
    sums: dict[int, tuple[int, int]] = {}
    for row in company.attendances:
        if row.project_id is not None and row.ends_at is not None:
            minutes, periods = sums.get(row.project_id, (0, 0))
            worked = int((row.ends_at - row.starts_at).total_seconds()) // 60
            sums[row.project_id] = (minutes + worked, periods + 1)
    return sums


def member(row: Person, _view: RenderContext) -> Json:
    """Render a member of a project: a reference to a person."""
    return {"person": ref(row.id)}
