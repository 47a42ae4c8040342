"""Recruiting: openings, candidates, applications and their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hr_sandbox.clock import rfc3339
from hr_sandbox.personio import modes
from hr_sandbox.personio.render.common import iso, ref

if TYPE_CHECKING:
    from datetime import datetime

    from hr_sandbox.company.model import Application, Candidate, Category, Opening, Stage, Transition
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import RenderContext


def timestamp(value: datetime, zone: str | None, context: RenderContext) -> Json | str:
    """Render a timestamp of recruiting: an object of a local time and its zone, or of UTC.

    The hour that occurs twice when clocks are set back is written with its offset.
    """
    if zone is None or context.mode in {modes.UTC, modes.PLAIN}:
        text, zone = rfc3339(value), zone or "UTC"
    else:
        local = value.astimezone(ZoneInfo(zone))
        is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        text = (local if is_twice else local.replace(tzinfo=None)).isoformat()
    if context.mode == modes.PLAIN:
        return text
    zone = "Mars/Olympus_Mons" if context.mode == modes.UNKNOWN_ZONE else zone
    return {"date_time" if context.mode == modes.UNDERSCORE else "date-time": text, "timezone": zone}


def _zone(row: Opening, context: RenderContext) -> str:
    return context.company.offices[row.office_id].timezone


def stage(row: Stage) -> Json:
    """Render a stage. System stages have no id."""
    return {"id": None if row.id is None else str(row.id), "name": row.name, "type": row.type, "kind": row.kind}


def category(row: Category, context: RenderContext) -> Json:
    """Render a category with its stages."""
    company = next(iter(context.company.legal_entities))
    return {
        "id": str(row.id),
        "name": row.name,
        "stages": [stage(part) for part in row.stages],
        "company": ref(company.id),
    }


def opening(row: Opening, context: RenderContext) -> Json:
    """Render an opening, which Personio calls a job."""
    company = context.company
    return {
        "id": str(row.id),
        **_summary(row, context),
        "hiring_team": [{"person": ref(number), "role": "RECRUITER"} for number in row.recruiter_ids],
        "company": ref(company.offices[row.office_id].legal_entity_id),
        "created_at": timestamp(row.created_at, _zone(row, context), context),
        "updated_at": timestamp(row.updated_at, _zone(row, context), context),
    }


def _summary(row: Opening, context: RenderContext) -> Json:
    department = context.company.departments[row.department_id]
    kind = context.company.categories[row.category_id]
    return {
        "name": row.name,
        "department": {"id": str(department.id), "name": department.name},
        "category": {"id": str(kind.id), "name": kind.name},
    }


def candidate(row: Candidate, context: RenderContext) -> Json:
    """Render a candidate. Applications are ids only."""
    return {
        "id": str(row.id),
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": row.email,
        "gender": row.gender,
        "phone": row.phone,
        "location": row.location,
        "birthday": iso(row.birthday),
        "linkedin_profile": row.profile,
        "available_from": iso(row.available_from),
        "applications": [ref(other.id) for other in context.company.applications.of(row.id)],
        "created_at": timestamp(row.created_at, None, context),
        "updated_at": timestamp(row.updated_at, None, context),
    }


def application(row: Application, context: RenderContext) -> Json:
    """Render an application. Anonymized ones have no names."""
    company = context.company
    who = company.candidates[row.candidate_id]
    job = company.openings[row.opening_id]
    names = ("first_name", "last_name", "email")
    return {
        "id": str(row.id),
        "application_date": iso(row.applied_on),
        "candidate": {"id": str(who.id), **{name: None if row.anonymized else getattr(who, name) for name in names}},
        "job": {"id": str(job.id), **_summary(job, context)},
        "current_stage": stage(row.transitions[-1].stage),
        "channel": {"id": str(sum(map(ord, row.channel))), "name": row.channel},
        "hiring_team": [{"person": ref(number), "role": "RECRUITER"} for number in job.recruiter_ids],
        "is_anonymized": row.anonymized,
        "created_at": timestamp(row.created_at, _zone(job, context), context),
        "updated_at": timestamp(row.updated_at, _zone(job, context), context),
    }


def transition(row: Transition, context: RenderContext) -> Json:
    """Render a stage transition. It has no id."""
    of = context.company.applications.find(context.values["id"])
    zone = _zone(context.company.openings[of.opening_id], context) if of else None
    return {"entered_at": timestamp(row.entered_at, zone, context), "stage": stage(row.stage)}
