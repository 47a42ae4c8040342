"""Recruiting: openings, candidates, applications and their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hr_sandbox.clock import rfc3339
from hr_sandbox.personio import modes
from hr_sandbox.personio.render.parts import iso, ref

if TYPE_CHECKING:
    from datetime import datetime

    from hr_sandbox.company.model import Application, Candidate, Category, Opening, Stage, Transition
    from hr_sandbox.personio.endpoint import View
    from hr_sandbox.vendor import Json


def moment(value: datetime, zone: str | None, view: View) -> Json | str:
    """A moment as recruiting writes it: an object of a local time and its zone, or of UTC.

    Where the clocks are put back an hour comes twice, so the text says which one it is.
    """
    if zone is None or view.mode in {modes.UTC, modes.PLAIN}:
        text, zone = rfc3339(value), zone or "UTC"
    else:
        local = value.astimezone(ZoneInfo(zone))
        is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        text = (local if is_twice else local.replace(tzinfo=None)).isoformat()
    if view.mode == modes.PLAIN:
        return text
    zone = "Mars/Olympus_Mons" if view.mode == modes.NOWHERE else zone
    return {"date_time" if view.mode == modes.UNDERSCORE else "date-time": text, "timezone": zone}


def _zone(row: Opening, view: View) -> str:
    return view.company.offices[row.office_id].timezone


def stage(row: Stage) -> Json:
    """A stage; those of the system have no id."""
    return {"id": None if row.id is None else str(row.id), "name": row.name, "type": row.type, "kind": row.kind}


def category(row: Category, view: View) -> Json:
    """A category with its own stages."""
    company = next(iter(view.company.legal_entities))
    return {
        "id": str(row.id),
        "name": row.name,
        "stages": [stage(part) for part in row.stages],
        "company": ref(company.id),
    }


def opening(row: Opening, view: View) -> Json:
    """An opening; Personio calls it a job."""
    company = view.company
    return {
        "id": str(row.id),
        **_summary(row, view),
        "hiring_team": [{"person": ref(number), "role": "RECRUITER"} for number in row.recruiter_ids],
        "company": ref(company.offices[row.office_id].legal_entity_id),
        "created_at": moment(row.created_at, _zone(row, view), view),
        "updated_at": moment(row.updated_at, _zone(row, view), view),
    }


def _summary(row: Opening, view: View) -> Json:
    department = view.company.departments[row.department_id]
    kind = view.company.categories[row.category_id]
    return {
        "name": row.name,
        "department": {"id": str(department.id), "name": department.name},
        "category": {"id": str(kind.id), "name": kind.name},
    }


def candidate(row: Candidate, view: View) -> Json:
    """A candidate; the applications are ids only."""
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
        "applications": [ref(other.id) for other in view.company.applications.of(row.id)],
        "created_at": moment(row.created_at, None, view),
        "updated_at": moment(row.updated_at, None, view),
    }


def application(row: Application, view: View) -> Json:
    """An application; of one that was anonymized nobody knows the names any more."""
    company = view.company
    who = company.candidates[row.candidate_id]
    job = company.openings[row.opening_id]
    names = ("first_name", "last_name", "email")
    return {
        "id": str(row.id),
        "application_date": iso(row.applied_on),
        "candidate": {"id": str(who.id), **{name: None if row.anonymized else getattr(who, name) for name in names}},
        "job": {"id": str(job.id), **_summary(job, view)},
        "current_stage": stage(row.transitions[-1].stage),
        "channel": {"id": str(sum(map(ord, row.channel))), "name": row.channel},
        "hiring_team": [{"person": ref(number), "role": "RECRUITER"} for number in job.recruiter_ids],
        "is_anonymized": row.anonymized,
        "created_at": moment(row.created_at, _zone(job, view), view),
        "updated_at": moment(row.updated_at, _zone(job, view), view),
    }


def transition(row: Transition, view: View) -> Json:
    """A step of an application; it has no id."""
    of = view.company.applications.find(view.values["id"])
    zone = _zone(view.company.openings[of.opening_id], view) if of else None
    return {"entered_at": moment(row.entered_at, zone, view), "stage": stage(row.stage)}
