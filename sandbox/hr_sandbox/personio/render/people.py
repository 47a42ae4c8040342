"""Persons, employments, absences, pay and org units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.clock import rfc3339
from hr_sandbox.company.model import Team
from hr_sandbox.personio.render.common import iso, ref

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hr_sandbox.company.model import (
        Absence,
        AbsenceDay,
        AbsenceType,
        Company,
        Compensation,
        CompensationType,
        Department,
        Employment,
        Person,
        Table,
        Termination,
    )
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import RenderContext


def person_status(company: Company, row: Person) -> str:
    """Return the status: active if the latest employment is active, on leave or not started yet."""
    latest = company.latest_employment(row.id)
    if latest is None:
        return "UNSPECIFIED"
    return "INACTIVE" if latest.status == "INACTIVE" else "ACTIVE"


def picture_url(row: Person, root: str) -> str:
    """Return the URL of a person's picture, if there is one."""
    return f"{root}/v1/company/employees/{row.id}/profile-picture"


def person(row: Person, context: RenderContext) -> Json:
    """Render a person. Employments are ids only."""
    return {
        "id": str(row.id),
        "email": row.email,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "first_name": row.first_name,
        "last_name": row.last_name,
        "preferred_name": row.preferred_name,
        "gender": row.gender,
        "profile_picture": {"url": picture_url(row, context.root)} if row.has_picture else None,
        "status": person_status(context.company, row),
        "custom_attributes": list(_attributes(row, context.company)),
        "employments": [{"id": employment.uuid} for employment in reversed(context.company.employments.of(row.id))],
        "_meta": {"links": {"employments": {"href": f"{context.root}/v2/persons/{row.id}/employments"}}},
    }


def _attributes(row: Person, company: Company) -> Iterator[Json]:
    for definition in company.attributes:
        if definition.id in row.attributes:
            body: Json = {
                "id": definition.id,
                "type": definition.type,
                "value": row.attributes[definition.id],
            }
            if definition.global_id:
                body["global_id"] = definition.global_id
            if definition.label:
                body["label"] = definition.label
            yield body


def employment(row: Employment, context: RenderContext) -> Json:
    """Render an employment."""
    company = context.company
    units = [("team", row.team_id), ("department", row.department_id)]
    links = {"person": {"href": f"{context.root}/v2/persons/{row.person_id}"}}
    if row.supervisor_id is not None:
        links["supervisor"] = {"href": f"{context.root}/v2/persons/{row.supervisor_id}"}
    return {
        "id": row.uuid,
        "status": row.status,
        "weekly_working_hours": row.weekly_working_hours,
        "full_time_weekly_working_hours": row.full_time_weekly_working_hours,
        "probation_end_date": iso(row.probation_end_date),
        "employment_start_date": iso(row.start_date),
        "employment_end_date": iso(row.end_date),
        "type": row.type,
        "contract_end_date": iso(row.contract_end_date),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "position": {"title": row.title},
        "supervisor": ref(row.supervisor_id),
        "office": ref(row.office_id),
        "legal_entity": ref(row.legal_entity_id),
        "job": None if row.job_id is None else ref(company.jobs[row.job_id].uuid),
        "sub_company": ref(row.legal_entity_id),
        "org_units": [{"type": kind, "id": str(number)} for kind, number in units if number is not None],
        "cost_centers": [
            {"id": company.cost_centers[number].uuid, "weight": weight} for number, weight in row.cost_centers
        ],
        "person": ref(row.person_id),
        "termination": _termination(row.termination),
        "_meta": {"links": links},
    }


def _termination(row: Termination | None) -> Json | None:
    if row is None:
        return None
    return {
        "termination_date": iso(row.ends_on),
        "last_working_date": iso(row.last_working_day),
        "terminated_at": iso(row.decided_on),
        "type": row.type,
        "reason": row.reason,
    }


def absence_type(row: AbsenceType, _view: RenderContext) -> Json:
    """Render an absence type."""
    return {"id": row.uuid, "name": row.name, "category": row.category, "unit": row.unit}


def absence_period(row: Absence, context: RenderContext) -> Json:
    """Render an absence. Times are local to the office and have no zone."""
    return {
        "id": row.uuid,
        "person": ref(row.person_id),
        "absence_type": ref(context.company.absence_types[row.type_id].uuid),
        "starts_from": _timestamp(row.starts_at, row.start_half),
        "ends_at": None if row.ends_at is None else _timestamp(row.ends_at, row.end_half),
        "timezone_id": row.timezone,
        "comment": row.comment,
        "approval": {"status": row.approval},
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def breakdown(row: AbsenceDay, context: RenderContext) -> Json:
    """Render one day of an absence. Only the path names the absence."""
    absence = context.company.absences.find(context.values["id"])
    unit = "HOUR" if absence and absence.start_half is None else "DAY"
    return {"date": iso(row.day), "effective_duration": {"unit": unit, "value": row.amount}}


def _timestamp(value: datetime, half: str | None) -> Json:
    return {"date_time": value.isoformat(), "type": half}


def compensation_type(row: CompensationType, _view: RenderContext) -> Json:
    """Render a compensation type."""
    return {"id": row.uuid, "name": row.name, "category": row.category}


def compensation(row: Compensation, context: RenderContext) -> Json:
    """Render a compensation, which has the same body in each month."""
    return {
        "id": row.uuid,
        "person": ref(row.person_id),
        "type": compensation_type(context.company.compensation_types[row.type_id], context),
        "amount": {"value": row.amount, "currency": row.currency},
        "interval": row.interval,
        "effective_from": iso(row.effective_from),
        "legal_entity": ref(row.legal_entity_id),
        "weekly_working_hours": row.weekly_working_hours,
        "full_time_weekly_working_hours": row.full_time_weekly_working_hours,
    }


def org_unit(row: Department | Team, context: RenderContext) -> Json:
    """Render a department or team of a list. Its parents, if requested, are ids only."""
    return _org_unit(row, context, ())


def org_unit_by_id(row: Department | Team, context: RenderContext) -> Json:
    """Render a single department or team. Its parents have names."""
    return _org_unit(row, context, ("name", "description", "abbreviation"))


def _org_unit(row: Department | Team, context: RenderContext, shown: tuple[str, ...]) -> Json:
    kind = context.values["type"]
    body: Json = {
        "id": str(row.id),
        "type": kind,
        "name": row.name,
        "description": row.description,
        "abbreviation": row.abbreviation,
        "parent_id": None if row.parent_id is None else str(row.parent_id),
    }
    if context.values.get("include_parent_chain"):
        body["parent_chain"] = [
            {"id": str(parent.id), "type": kind, **{name: getattr(parent, name) for name in shown}}
            for parent in _parents(row, context.company)
        ]
    return body


def _parents(row: Department | Team, company: Company) -> Iterator[Department | Team]:
    table: Table[Department] | Table[Team] = company.teams if isinstance(row, Team) else company.departments
    seen = {row.id}
    while row.parent_id is not None and row.parent_id not in seen and row.parent_id in table:
        row = table[row.parent_id]
        seen.add(row.id)
        yield row
