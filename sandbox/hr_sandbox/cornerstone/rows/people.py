"""Users: all persons of the company, and the vendor's system users."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.portal import CENTER, DIVISION, ENTITY, GRADE, LOCATION, POSITION, TEAM
from hr_sandbox.cornerstone.rows.common import ACTIVE, INACTIVE, SYSTEM_USERS, builds, full, login, ref, when
from hr_sandbox.cornerstone.rows.units import places, units_by_id
from hr_sandbox.cornerstone.snapshot import uuid
from hr_sandbox.http.render import pick_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model import Person
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

GENDERS = {"male": "M", "female": "F"}
COLUMNS_OF = {
    DIVISION: "user_div",
    POSITION: "user_pos",
    GRADE: "user_grade",
    CENTER: "user_center",
    LOCATION: "user_location",
    TEAM: f"user_ou_{TEAM}",
    ENTITY: f"user_ou_{ENTITY}",
}


@builds("users_core", "vw_rpt_user_base")
def users(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the users of the object."""
    for number, first, last in SYSTEM_USERS:
        yield {
            "user_id": number,
            "user_name_first": first,
            "user_name_last": last,
            "user_login": f"csod{-number}",
            "user_ref": f"csod{-number}",
            "user_email": None,
            "user_status_id": ACTIVE,
            "user_guid": uuid("user", number),
            "user_mgr_id": None,
            "user_appr_id": None,
            "user_hire_dt_last": None,
            "user_hire_dt_orig": None,
            "user_termination_dt": None,
        }
    for person in snapshot.people:
        yield _user(snapshot, person)


def _user(snapshot: Snapshot, person: Person) -> Row:
    job, today = snapshot.employments.get(person.id), snapshot.company.today
    stints = snapshot.company.employments.of(person.id)
    first = min((row.start_date for row in stints), default=None)
    active = snapshot.is_active(person.id)
    manager = job and job.supervisor_id
    born = person.attributes.get("birthday")
    return {
        **pick_fields(person, user_id="id", user_name_first="first_name", user_name_last="last_name"),
        **pick_fields(person, user_email="email", user_has_photo="has_picture"),
        "user_ref": ref(person),
        "user_login": login(person),
        "user_guid": uuid("user", person.id),
        "user_gender": GENDERS.get(person.gender.lower(), "U"),
        "user_status_id": ACTIVE if active else INACTIVE,
        "user_absent": bool(job and job.status == "LEAVE"),
        "user_mgr_id": manager,
        "user_appr_id": manager,
        "user_type_id": 1 + (person.id % 11 == 0),
        "user_create_dt": when(person.created_at),
        "user_birth_dt": when(date.fromisoformat(born)) if isinstance(born, str) else None,
        "user_hire_dt_last": when(job.start_date) if job else None,
        "user_hire_dt_orig": when(first),
        "user_termination_dt": when(job.end_date) if job and not active else None,
        "user_tenure_months": (today - first).days // 30 if first and first <= today else 0,
        "user_is_rehired_employee": len(stints) > 1,
        "user_city": person.attributes.get("city"),
    }


@builds("vw_rpt_user")
def wide_users(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the users of the view, with their managers and units."""
    people, units = snapshot.company.people, units_by_id(snapshot)
    for row in users(snapshot):
        number = row["user_mgr_id"]
        manager = people[number] if number is not None and number in people else None
        row |= {
            "user_mgr_name_first": manager and manager.first_name,
            "user_mgr_name_last": manager and manager.last_name,
            "user_mgr_ref": manager and ref(manager),
            "user_mgr_email": manager and manager.email,
            "user_appr_name_first": manager and manager.first_name,
            "user_appr_name_last": manager and manager.last_name,
            "user_appr_ref": manager and ref(manager),
            "user_ou_info_user_id": row["user_id"],
            "user_dynamic_relation_user_id": row["user_id"],
            "user_dynamic_relation_16384": full(manager),
            "user_dynamic_relation_ref_16384": manager and ref(manager),
        }
        mine = dict(places(snapshot, row["user_id"]))
        for kind, name in COLUMNS_OF.items():
            unit = units.get(mine.get(kind, 0))
            above = units.get(unit["parent_id"]) if unit and unit["parent_id"] else None
            row |= {
                f"user_ou_id{kind}": unit and unit["ou_id"],
                f"{name}_id": unit and unit["ou_id"],
                name: unit and unit["title"],
                f"{name}_ref": unit and unit["ref"],
                f"{name}_parent": above and above["title"],
                f"{name}_parent_title": above and above["title"],
                f"{name}_parent_ref": above and above["ref"],
            }
        yield row


@builds("users_cf_core", "vw_rpt_user_cf")
def user_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the custom fields of users."""
    for row in users(snapshot):
        number = row["user_id"]
        person = snapshot.company.people[number] if number > 0 else None
        yield {
            "user_id": number,
            "user_cf_user_id": number,
            "_attributes": {} if person is None else dict(person.attributes),
        }
