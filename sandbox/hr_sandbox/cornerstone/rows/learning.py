"""Trainings, transcripts, assignments and purchases, languages, requisitions and applicants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rows.common import builds, to_ticks_or_none
from hr_sandbox.cornerstone.snapshot import ASSIGNMENTS, COMPLETED, CULTURES, STATUSES, TRAINING_TYPES
from hr_sandbox.cornerstone.timestamps import DAY
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model.documents import Application
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot, Transcript

NAMES = dict(STATUSES)
TYPE_NAMES = {code: title for code, _, title, _ in TRAINING_TYPES}
HOURS = DAY // 24
PASSED = 60
PROXY = 700  # added to an assignment's id in the table of its users


@builds("training_core", "vw_rpt_training")
def list_trainings(snapshot: Snapshot) -> Iterator[Row]:
    """Yields all trainings."""
    for row in snapshot.trainings:
        starts = row.created + 30 * DAY if row.parent_id else None
        yield {
            **pick_fields(row, "object_id", lo_object_id="object_id", lo_object_type="type", object_type="type"),
            **pick_fields(row, lo_title="title", lo_hours="hours", lo_price="price", lo_create_dt="created"),
            **pick_fields(row, lo_modified_dt="modified", related_lo_id="parent_id"),
            "lo_type": TYPE_NAMES[row.type],
            "lo_active": "Y" if row.active else "N",
            "lo_status_type": "ACTV" if row.active else "IN",
            "lo_root_id": row.parent_id or row.object_id,
            "lo_version": stable_choice(("1.0", "2.0", "", None), "version", row.index),
            "lo_start_dt": starts,
            "lo_end_dt": starts and starts + 3 * HOURS,
            "ref": f"LO-{row.index:04}",
            "lo_ref": f"LO-{row.index:04}",
            "is_latest_training_version": True,
            "deactivation_dt": None if row.active else row.modified,
        }


@builds("training_local_core")
def list_local_trainings(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the titles of trainings in one to three languages. Some have the culture 0."""
    for row in snapshot.trainings:
        cultures = (0,) if row.index % 29 == 0 else range(1, 2 + stable_number("cultures", row.index) % 3)
        for culture in cultures:
            usual = culture <= 1
            yield {
                "object_id": row.object_id,
                "culture_id": culture,
                "title": row.title if usual else f"{row.title} [{culture}]",
                "is_default": usual,
            }


@builds("training_type_core")
def list_training_types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yields the types of trainings. Their codes are padded with blanks."""
    for code, number, title, _ in TRAINING_TYPES:
        yield {"object_type": f"{code:4}", "object_type_id": number, "description": title}


@builds("training_type_local_core")
def list_local_training_types(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the titles of the types."""
    for row in list_training_types(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "description": f"{row['description']} ({name})"}


@builds("training_cf_core", "vw_rpt_training_cf")
def list_training_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the custom fields of trainings."""
    for row in snapshot.trainings:
        yield {"object_id": row.object_id, "train_cf_object_id": row.object_id}


@builds("curriculum_structure_core", "vw_rpt_training_curricula")
def list_curricula(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the content of curricula."""
    parts = [row for row in snapshot.trainings if row.type != "CURR"]
    for curriculum in snapshot.trainings:
        if curriculum.type != "CURR":
            continue
        for place in range(2 + stable_number("parts", curriculum.index) % 5):
            child = parts[(curriculum.index * 7 + place * 11) % len(parts)]
            yield {
                **pick_fields(curriculum, curriculum_object_id="object_id", parent_object_id="object_id"),
                **pick_fields(curriculum, curriculum_section_object_id="object_id"),
                **pick_fields(child, "object_id", curriculum_child_object_id="object_id"),
                "display_seq": place + 1,
                "curriculum_version": "1.0",
            }


@builds("training_ilt_session_core")
def list_sessions(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the sessions of events."""
    for row in snapshot.trainings:
        if row.parent_id:
            starts = row.created + 30 * DAY
            yield {
                **pick_fields(row, "object_id", event_object_id="parent_id"),
                "start_dt": starts,
                "end_dt": starts + 3 * HOURS,
            }


@builds("transcript_core", "vw_rpt_transcript")
def list_transcripts(snapshot: Snapshot) -> Iterator[Row]:
    """Yields all transcripts."""
    for row in snapshot.transcripts:
        yield make_transcript_row(row)


def make_transcript_row(row: Transcript) -> Row:
    """Returns the row of a transcript."""
    return {
        **pick_fields(row, "reg_num", transc_user_id="user_id", user_lo_status_id="status_id"),
        **pick_fields(row, is_latest_reg_num="latest", user_lo_create_dt="created", user_lo_reg_dt="created"),
        **pick_fields(row, user_lo_start_dt="started", user_lo_comp_dt="completed"),
        **pick_fields(row, user_lo_last_modified_dt="modified", user_lo_last_access_dt="started"),
        **pick_fields(row, user_lo_score="score"),
        "transc_object_id": row.training.object_id,
        "user_lo_status": NAMES[row.status_id],
        "is_latest_version_on_transcript": True,
        "is_assigned": row.assignment_id is not None,
        "is_removed": False,
        "user_lo_pass": None if row.score is None else row.score > PASSED,
        "user_lo_pct_complete": 100.0
        if row.status_id == COMPLETED
        else float(stable_number(row.user_id, row.created) % 100),
    }


@builds("transcript_cf_core", "vw_rpt_transcript_cf")
def list_transcript_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the custom fields of transcripts, once per training and person."""
    for row in snapshot.transcripts:
        if row.latest:
            user_id, object_id = row.user_id, row.training.object_id
            yield {
                **dict.fromkeys(("user_id", "transc_cf_user_id"), user_id),
                **dict.fromkeys(("object_id", "transc_cf_object_id"), object_id),
            }


@builds("training_assignment_core")
def list_assignments(snapshot: Snapshot) -> Iterator[Row]:
    """Yields all assignments."""
    for number in range(1, ASSIGNMENTS + 1):
        yield {
            "assignment_id": number,
            "object_id": snapshot.trainings[number % len(snapshot.trainings)].object_id,
            "is_active": number % 5 != 0,
            "status_id": "DONE" if number % 3 else "ACTV",
        }


@builds("training_assignment_user_core")
def list_assigned_users(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the users of each assignment."""
    seen = sorted({(row.assignment_id, row.user_id) for row in snapshot.transcripts if row.assignment_id})
    for number, user_id in seen:
        removed = stable_chance(5, "removed", number, user_id)
        yield {"proxy_id": PROXY + number, "user_id": user_id, "is_dynamic_removed": removed}


@builds("transcript_assignment_core", "transcript_src_assignment_core")
def list_sources(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the assignment of each transcript."""
    for row in snapshot.transcripts:
        if row.assignment_id:
            yield {
                **pick_fields(row, "user_id", "reg_num", "assignment_id", create_dt="created", modify_dt="modified"),
                "object_id": row.training.object_id,
                "original_object_id": row.training.object_id,
                "proxy_id": PROXY + row.assignment_id,
            }


# The vendor's names of the stages of an application.
STEPS = {
    "SCREENING": "In Review",
    "ASSESSMENT": "Assessment",
    "INTERVIEW": "Interview",
    "OFFER": "Offer Letter",
    "ACCEPTED": "Hired",
    "REJECTED": "Closed",
    "WITHDRAWN": "Withdrawn",
}
NEW = "New Submission"
APPLICANT_STATUSES = (NEW, *STEPS.values())


def translate_applicant_status(row: Application) -> str:
    """Returns the status of an application."""
    return STEPS.get(row.transitions[-1].stage.kind, NEW) if row.transitions else NEW


@builds("culture_core", "vw_rpt_culture")
def list_cultures(_snapshot: Snapshot) -> Iterator[Row]:
    """Yields the portal's languages."""
    for number, name, title in CULTURES:
        yield {"culture_id": number, "culture_name": name, "title": title}


@builds("vw_rpt_transcript_status")
def list_statuses(_snapshot: Snapshot) -> Iterator[Row]:
    """Yields the statuses of transcripts."""
    for number, name in STATUSES:
        yield {"status_id": number, "status": name}


@builds("transcript_status_local_core")
def list_local_statuses(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the titles of the statuses."""
    for row in list_statuses(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "status_name": f"{row['status']} ({name})"}


@builds("user_type_local_core")
def list_user_types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yields the types of users."""
    for number, name in ((1, "Employee"), (2, "Contractor")):
        for culture, _, _ in CULTURES:
            yield {"user_type_id": number, "culture_id": culture, "user_type": name, "is_default": culture == 1}


@builds("vw_rpt_recruiting")
def list_requisitions(snapshot: Snapshot) -> Iterator[Row]:
    """Yields open and closed requisitions."""
    for row in snapshot.company.openings:
        yield {
            "_key": (row.id,),
            **pick_fields(row, ats_req_id="id", ats_req_title="name"),
            "ats_req_status": "Open" if row.published else "Draft",
            "ats_req_ref": f"req{row.id}",
            "ats_req_create_dt": to_ticks_or_none(row.created_at),
        }


@builds("vw_rpt_applicant")
def list_applicants(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the applicant of each application."""
    for row in snapshot.company.applications:
        yield {
            "_key": (row.id,),
            **pick_fields(row, job_applicant_id="id", job_requisition_id="opening_id"),
            "applicant_status": translate_applicant_status(row),
            "applicant_email": snapshot.company.candidates[row.candidate_id].email,
            "applied_dt": to_ticks_or_none(row.applied_on),
        }


@builds("training_purchase_core", "vw_rpt_transaction")
def list_purchases(snapshot: Snapshot) -> Iterator[Row]:
    """Yields payments and refunds for trainings."""
    for row in snapshot.transcripts:
        if not row.training.price:
            continue
        refunded = stable_chance(8, "refund", row.user_id, row.training.index)
        for back in (False, True)[: 1 + refunded]:
            number = row.user_id * 1000 + (row.reg_num - 1) * 240 + row.training.index * 2 + back
            timestamp = row.created + (stable_number("refund", number) % 20 * DAY if back else 0)
            yield {
                "purchase_id": number,
                "transaction_id": number,
                "_key": (number,),
                "purchase_dt": min(timestamp, snapshot.latest),
                "transaction_dt": min(timestamp, snapshot.latest),
                "user_id": row.user_id,
                "object_id": row.training.object_id,
                "amount": -row.training.price if back else row.training.price,
                "currency_code": stable_choice(("EUR", "EUR", "PLN", "JPY"), "currency", row.user_id),
                "is_refund": back,
            }
