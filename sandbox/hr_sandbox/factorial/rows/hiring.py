"""Recruiting: job postings, candidates, applications and their phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.factorial.fake_values import list_keys
from hr_sandbox.factorial.rows.common import builds
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.documents import Application, Opening, Stage
    from hr_sandbox.factorial.rows.common import Row

PHASES = 100  # ids per posting for its phases
KINDS = {"SCREENING": "screening", "INTERVIEW": "interview", "ASSESSMENT": "assessment", "OFFER": "offer"}
HIRED = "ACCEPTED"
ENDED = frozenset({HIRED, "REJECTED", "WITHDRAWN"})
SOURCES = "ats/candidate_sources"


@builds("ats/job_postings")
def list_job_postings(company: Company) -> Iterator[Row]:
    """Yields all job postings, including closed ones."""
    for row in company.openings:
        office = company.offices.find(str(row.office_id))
        yield {
            **pick_fields(row, "id", "created_at", title="name", location_id="office_id", _updated_at="updated_at"),
            "status": "published" if row.published else "archived",
            "schedule_type": "part_time" if "part" in row.schedule.lower() else "full_time",
            "legal_entity_id": office.legal_entity_id if office else None,
        }


def _list_stages(company: Company, opening: Opening) -> list[tuple[str, str]]:
    """Returns the name and kind of each phase."""
    own = company.categories[opening.category_id].stages
    middle = [(stage.name or "", KINDS.get(stage.kind, "normal")) for stage in own]
    return [("New", "initial"), *middle, ("Hired", "hired")]


def _find_phase(company: Company, opening: Opening, stage: Stage) -> int:
    """Returns the id of the phase of a stage."""
    names = [name for name, _ in _list_stages(company, opening)]
    place = names.index(stage.name) if stage.name in names else 0
    return opening.id * PHASES + (len(names) - 1 if stage.kind == HIRED else place)


@builds("ats/application_phases")
def list_phases(company: Company) -> Iterator[Row]:
    """Yields the phases of each posting with the number of applications."""
    inside: dict[int, list[Application]] = {}
    for row in company.applications:
        opening = company.openings[row.opening_id]
        reached = [step.stage for step in row.transitions if step.stage.kind not in ENDED - {HIRED}]
        inside.setdefault(_find_phase(company, opening, reached[-1]), []).append(row)
    hiring = list_keys("ats/hiring_stages")
    for opening in company.openings:
        for index, (name, kind) in enumerate(_list_stages(company, opening)):
            number = opening.id * PHASES + index
            there = inside.get(number, [])
            yield {
                "id": number,
                "ats_job_posting_id": opening.id,
                "name": name,
                "position": index,
                "editable": index > 0 and kind != "hired",
                "phase_type": kind,
                "applications_count": len(there),
                "active_applications_count": sum(row.transitions[-1].stage.kind not in ENDED for row in there),
                "ats_hiring_stage_id": hiring[index % len(hiring)],
            }


@builds("ats/candidates")
def list_candidates(company: Company) -> Iterator[Row]:
    """Yields all candidates."""
    applied: dict[int, list[Application]] = {}
    for application in company.applications:
        applied.setdefault(application.candidate_id, []).append(application)
    sources = list_keys(SOURCES)
    for row in company.candidates:
        yield {
            **pick_fields(row, "id", "first_name", "last_name", "email", "created_at", "updated_at"),
            **pick_fields(row, phone_number="phone", personal_url="profile"),
            "full_name": f"{row.first_name} {row.last_name}",
            "gender": row.gender.lower() if row.gender else "unanswered",
            "talent_pool": stable_chance(10, "pool", row.id),
            "ats_job_posting_ids": [application.opening_id for application in applied.get(row.id, ())],
            "source_id": sources[stable_number("source", row.id) % len(sources)],
            "medium": applied[row.id][0].channel if row.id in applied else None,
        }


@builds("ats/applications")
def list_applications(company: Company) -> Iterator[Row]:
    """Yields all applications with their last phase."""
    reasons = list_keys("ats/rejection_reasons")
    sources = list_keys(SOURCES)
    people = {row.email: row.id for row in company.people}
    for row in company.applications:
        opening = company.openings[row.opening_id]
        candidate = company.candidates[row.candidate_id]
        end = row.transitions[-1].stage.kind
        reached = [step.stage for step in row.transitions if step.stage.kind not in ENDED - {HIRED}]
        yield {
            **pick_fields(row, "id", "created_at", ats_job_posting_id="opening_id", ats_candidate_id="candidate_id"),
            **pick_fields(row, medium="channel"),
            "ats_application_phase_id": _find_phase(company, opening, reached[-1]),
            "qualified": end not in {"REJECTED", "WITHDRAWN"},
            "ats_rejection_reason_id": reasons[row.id % len(reasons)] if end == "REJECTED" else None,
            "employee_id": people.get(candidate.email),
            "phone": candidate.phone,
            "source_id": sources[stable_number("source", row.candidate_id) % len(sources)],
        }
