"""Languages, statuses, requisitions, applicants and purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rows.common import builds, when
from hr_sandbox.cornerstone.snapshot import CULTURES, STATUSES
from hr_sandbox.cornerstone.timestamps import DAY
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model import Application
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

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


def applicant_status(row: Application) -> str:
    """Return the status of an application."""
    return STEPS.get(row.transitions[-1].stage.kind, NEW) if row.transitions else NEW


@builds("culture_core", "vw_rpt_culture")
def cultures(_snapshot: Snapshot) -> Iterator[Row]:
    """Yield the portal's languages."""
    for number, name, title in CULTURES:
        yield {"culture_id": number, "culture_name": name, "title": title}


@builds("vw_rpt_transcript_status")
def statuses(_snapshot: Snapshot) -> Iterator[Row]:
    """Yield the statuses of transcripts."""
    for number, name in STATUSES:
        yield {"status_id": number, "status": name}


@builds("transcript_status_local_core")
def local_statuses(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the titles of the statuses."""
    for row in statuses(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "status_name": f"{row['status']} ({name})"}


@builds("user_type_local_core")
def user_types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yield the types of users."""
    for number, name in ((1, "Employee"), (2, "Contractor")):
        for culture, _, _ in CULTURES:
            yield {"user_type_id": number, "culture_id": culture, "user_type": name, "is_default": culture == 1}


@builds("vw_rpt_recruiting")
def requisitions(snapshot: Snapshot) -> Iterator[Row]:
    """Yield open and closed requisitions."""
    for row in snapshot.company.openings:
        yield {
            "_key": (row.id,),
            "ats_req_id": row.id,
            "ats_req_status": "Open" if row.published else "Draft",
            "ats_req_ref": f"req{row.id}",
            "ats_req_title": row.name,
            "ats_req_create_dt": when(row.created_at),
        }


@builds("vw_rpt_applicant")
def applicants(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the applicant of each application."""
    for row in snapshot.company.applications:
        yield {
            "_key": (row.id,),
            "job_applicant_id": row.id,
            "job_requisition_id": row.opening_id,
            "applicant_status": applicant_status(row),
            "applicant_email": snapshot.company.candidates[row.candidate_id].email,
            "applied_dt": when(row.applied_on),
        }


@builds("training_purchase_core", "vw_rpt_transaction")
def purchases(snapshot: Snapshot) -> Iterator[Row]:
    """Yield payments and refunds for trainings."""
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
