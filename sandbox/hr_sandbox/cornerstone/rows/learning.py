"""Trainings, transcripts and assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rows.common import builds
from hr_sandbox.cornerstone.snapshot import ASSIGNMENTS, COMPLETED, CULTURES, STATUSES, TRAINING_TYPES
from hr_sandbox.cornerstone.timestamps import DAY
from hr_sandbox.http.render import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot, Transcript

NAMES = dict(STATUSES)
TYPE_NAMES = {code: title for code, _, title, _ in TRAINING_TYPES}
HOURS = DAY // 24
PASSED = 60
PROXY = 700  # added to an assignment's id in the table of its users


@builds("training_core", "vw_rpt_training")
def trainings(snapshot: Snapshot) -> Iterator[Row]:
    """Yield all trainings."""
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
def local_trainings(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the titles of trainings in one to three languages. Some have the culture 0."""
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
def training_types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yield the types of trainings. Their codes are padded with blanks."""
    for code, number, title, _ in TRAINING_TYPES:
        yield {"object_type": f"{code:4}", "object_type_id": number, "description": title}


@builds("training_type_local_core")
def local_training_types(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the titles of the types."""
    for row in training_types(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "description": f"{row['description']} ({name})"}


@builds("training_cf_core", "vw_rpt_training_cf")
def training_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the custom fields of trainings."""
    for row in snapshot.trainings:
        yield {"object_id": row.object_id, "train_cf_object_id": row.object_id}


@builds("curriculum_structure_core", "vw_rpt_training_curricula")
def curricula(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the content of curricula."""
    parts = [row for row in snapshot.trainings if row.type != "CURR"]
    for curriculum in snapshot.trainings:
        if curriculum.type != "CURR":
            continue
        for place in range(2 + stable_number("parts", curriculum.index) % 5):
            child = parts[(curriculum.index * 7 + place * 11) % len(parts)]
            yield {
                "curriculum_object_id": curriculum.object_id,
                "object_id": child.object_id,
                "parent_object_id": curriculum.object_id,
                "display_seq": place + 1,
                "curriculum_child_object_id": child.object_id,
                "curriculum_section_object_id": curriculum.object_id,
                "curriculum_version": "1.0",
            }


@builds("training_ilt_session_core")
def sessions(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the sessions of events."""
    for row in snapshot.trainings:
        if row.parent_id:
            starts = row.created + 30 * DAY
            yield {
                "object_id": row.object_id,
                "event_object_id": row.parent_id,
                "start_dt": starts,
                "end_dt": starts + 3 * HOURS,
            }


@builds("transcript_core", "vw_rpt_transcript")
def transcripts(snapshot: Snapshot) -> Iterator[Row]:
    """Yield all transcripts."""
    for row in snapshot.transcripts:
        yield transcript(row)


def transcript(row: Transcript) -> Row:
    """Return the row of a transcript."""
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
def transcript_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the custom fields of transcripts, once per training and person."""
    for row in snapshot.transcripts:
        if row.latest:
            both = row.user_id, row.training.object_id
            yield {
                "user_id": both[0],
                "object_id": both[1],
                "transc_cf_user_id": both[0],
                "transc_cf_object_id": both[1],
            }


@builds("training_assignment_core")
def assignments(snapshot: Snapshot) -> Iterator[Row]:
    """Yield all assignments."""
    for number in range(1, ASSIGNMENTS + 1):
        yield {
            "assignment_id": number,
            "object_id": snapshot.trainings[number % len(snapshot.trainings)].object_id,
            "is_active": number % 5 != 0,
            "status_id": "DONE" if number % 3 else "ACTV",
        }


@builds("training_assignment_user_core")
def assigned_users(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the users of each assignment."""
    seen = sorted({(row.assignment_id, row.user_id) for row in snapshot.transcripts if row.assignment_id})
    for number, user_id in seen:
        gone = stable_chance(5, "removed", number, user_id)
        yield {"proxy_id": PROXY + number, "user_id": user_id, "is_dynamic_removed": gone}


@builds("transcript_assignment_core", "transcript_src_assignment_core")
def sources(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the assignment of each transcript."""
    for row in snapshot.transcripts:
        if row.assignment_id:
            yield {
                **pick_fields(row, "user_id", "reg_num", "assignment_id", create_dt="created", modify_dt="modified"),
                "object_id": row.training.object_id,
                "original_object_id": row.training.object_id,
                "proxy_id": PROXY + row.assignment_id,
            }
