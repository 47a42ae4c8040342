"""Users (all people of the company, and the vendor's own), and their organizational units."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.portal import (
    CENTER,
    DIVISION,
    ENTITY,
    GRADE,
    GROUP,
    LOCATION,
    PIVOT_TABLES,
    POSITION,
    TEAM,
    UNIT_TYPES,
)
from hr_sandbox.cornerstone.rows.common import (
    ACTIVE,
    INACTIVE,
    SYSTEM_USERS,
    builds,
    make_full_name,
    make_login,
    make_user_id,
    to_ticks_or_none,
)
from hr_sandbox.cornerstone.snapshot import CULTURES, stable_uuid
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model.people import Person
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

FIRST = {row.id: row.first for row in UNIT_TYPES}
GROUPS = ("Alle Mitarbeitenden", "Führungskräfte", "Remote", "Werkstatt")
SYSTEM_UNIT = -10_010
MEMBER = 2  # the status of a membership


@builds("ou_cf_core", "ou_core", "vw_rpt_ou", "vw_rpt_ou_cf", "vw_rpt_ou_cf2")
def list_units(snapshot: Snapshot) -> Iterator[Row]:
    """Returns all units including groups."""
    company = snapshot.company
    yield _make_unit(SYSTEM_UNIT, DIVISION, "System", "SYS", None, active=True)
    for division in company.departments:
        above = division.parent_id and FIRST[DIVISION] + division.parent_id
        yield _make_unit(
            FIRST[DIVISION] + division.id, DIVISION, division.name, division.abbreviation, above, active=True
        )
    for job in company.jobs:
        yield _make_unit(FIRST[POSITION] + job.id, POSITION, job.name, f"JOB{job.id}", None)
    for grade in sorted({job.grade for job in company.jobs if job.grade}):
        yield _make_unit(FIRST[GRADE] + grade, GRADE, f"Grade {grade}", f"G{grade}", None)
    for center in company.cost_centers:
        yield _make_unit(FIRST[CENTER] + center.id, CENTER, center.name, f"CC{center.id}", None)
    for office in company.offices:
        yield _make_unit(FIRST[LOCATION] + office.id, LOCATION, office.name, office.city, None)
    for index, name in enumerate(GROUPS, 1):
        yield _make_unit(FIRST[GROUP] + index, GROUP, name, None, None, active=True)
    for team in company.teams:
        above = team.parent_id and FIRST[TEAM] + team.parent_id
        yield _make_unit(FIRST[TEAM] + team.id, TEAM, team.name, team.abbreviation, above)
    for entity in company.legal_entities:
        yield _make_unit(FIRST[ENTITY] + entity.id, ENTITY, entity.name, entity.country, None, active=True)


def _make_unit(
    number: int, kind: int, title: str, ref: str | None, parent: int | None, *, active: bool | None = None
) -> Row:
    return {
        "ou_id": number,
        "type_id": kind,
        "title": title,
        "ref": ref,
        "parent_id": parent,
        "active": not stable_chance(12, "unit", number) if active is None else active,
    }


@lru_cache(2)
def index_units(snapshot: Snapshot) -> dict[int, Row]:
    """Returns the units by id."""
    return {row["ou_id"]: row for row in list_units(snapshot)}


def list_units_of_user(snapshot: Snapshot, person_id: int) -> Iterator[tuple[int, int]]:
    """Returns the types and ids of a user's units, except groups."""
    job = snapshot.employments.get(person_id)
    if job is None:
        return
    position = snapshot.company.jobs[job.job_id] if job.job_id else None
    found = (
        (DIVISION, job.department_id),
        (POSITION, job.job_id),
        (GRADE, position and position.grade),
        (CENTER, job.cost_centers[0][0] if job.cost_centers else None),
        (LOCATION, job.office_id),
        (TEAM, job.team_id),
        (ENTITY, job.legal_entity_id),
    )
    for kind, number in found:
        if number:
            yield kind, FIRST[kind] + number


@builds("user_groups_core", "vw_rpt_user_groups")
def list_group_members(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the members of groups."""
    managers = {row.supervisor_id for row in snapshot.employments.values()}
    for number, _, _ in SYSTEM_USERS:
        for index in (1, 2):
            yield _make_member(number, GROUP, FIRST[GROUP] + index)
    for person in snapshot.people:
        chosen = [1] if snapshot.is_active(person.id) else []
        chosen += [2] if person.id in managers else []
        chosen += [index for index in (3, 4) if stable_chance(25, "group", person.id, index)]
        for index in chosen:
            yield _make_member(person.id, GROUP, FIRST[GROUP] + index)


def _make_member(user_id: int, kind: int, ou_id: int) -> Row:
    both = {"user_id": user_id, "ou_id": ou_id}
    return {**both, "ou_type_id": kind, "status_id": MEMBER, "group__ou_id": ou_id}


@builds("user_ou_core", "vw_rpt_user_ou")
def list_memberships(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the members of units and groups."""
    for person in snapshot.people:
        for kind, number in list_units_of_user(snapshot, person.id):
            yield _make_member(person.id, kind, number)
    yield from list_group_members(snapshot)


@builds("ou_hierarchy_core")
def list_hierarchy(snapshot: Snapshot) -> Iterator[Row]:
    """Yields each unit with all of its ancestors and itself."""
    found = index_units(snapshot)
    for number in found:
        path = [number]
        while (above := found[path[-1]]["parent_id"]) is not None:
            path.append(above)
        for distance, ancestor in enumerate(path):
            between = "/".join(map(str, reversed(path[:distance])))
            yield {
                "descendant_ou_id": number,
                "ancestor_ou_id": ancestor,
                "distance": distance,
                "relative_path": f"/{between}/" if between else "/",
            }


@builds("ou_type_core", "vw_rpt_ou_type")
def list_types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yields the types of units, including custom ones."""
    for row in UNIT_TYPES:
        yield {"type_id": row.id, "title": row.title, "is_custom": row.is_custom}


@builds("ou_type_local_core")
def list_local_types(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the titles of the types in each language."""
    for row in list_types(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "title": f"{row['title']} ({name})", "is_default": culture == 1}


@builds("ou_local_core")
def list_local_units(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the titles of units in two languages."""
    for row in list_units(snapshot):
        for culture in (1, 2):
            yield {
                "ou_id": row["ou_id"],
                "culture_id": culture,
                "title": row["title"],
                "description": None,
                "is_default": culture == 1,
            }


@builds("user_ou_pivoted_core", "vw_rpt_user_ou_info")
def list_pivoted_units(snapshot: Snapshot) -> Iterator[Row]:
    """Yields a row per user with a column per type of unit."""
    for person in snapshot.people:
        mine = dict(list_units_of_user(snapshot, person.id))
        row: Row = {"user_id": person.id}
        for pattern in PIVOT_TABLES.values():
            row |= {pattern.format(kind.id): mine.get(kind.id) for kind in UNIT_TYPES}
        yield row


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
def list_users(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the users of the object."""
    for number, first, last in SYSTEM_USERS:
        yield {
            "user_id": number,
            "user_name_first": first,
            "user_name_last": last,
            "user_login": f"csod{-number}",
            "user_ref": f"csod{-number}",
            "user_email": None,
            "user_status_id": ACTIVE,
            "user_guid": stable_uuid("user", number),
            "user_mgr_id": None,
            "user_appr_id": None,
            "user_hire_dt_last": None,
            "user_hire_dt_orig": None,
            "user_termination_dt": None,
        }
    for person in snapshot.people:
        yield _make_user(snapshot, person)


def _make_user(snapshot: Snapshot, person: Person) -> Row:
    job, today = snapshot.employments.get(person.id), snapshot.company.today
    stints = snapshot.company.employments.find_by_owner(person.id)
    first = min((row.start_date for row in stints), default=None)
    active = snapshot.is_active(person.id)
    manager = job and job.supervisor_id
    born = person.attributes.get("birthday")
    return {
        **pick_fields(person, user_id="id", user_name_first="first_name", user_name_last="last_name"),
        **pick_fields(person, user_email="email", user_has_photo="has_picture"),
        "user_ref": make_user_id(person),
        "user_login": make_login(person),
        "user_guid": stable_uuid("user", person.id),
        "user_gender": GENDERS.get(person.gender.lower(), "U"),
        "user_status_id": ACTIVE if active else INACTIVE,
        "user_absent": bool(job and job.status == "LEAVE"),
        "user_mgr_id": manager,
        "user_appr_id": manager,
        "user_type_id": 1 + (person.id % 11 == 0),
        "user_create_dt": to_ticks_or_none(person.created_at),
        "user_birth_dt": to_ticks_or_none(date.fromisoformat(born)) if isinstance(born, str) else None,
        "user_hire_dt_last": to_ticks_or_none(job.start_date) if job else None,
        "user_hire_dt_orig": to_ticks_or_none(first),
        "user_termination_dt": to_ticks_or_none(job.end_date) if job and not active else None,
        "user_tenure_months": (today - first).days // 30 if first and first <= today else 0,
        "user_is_rehired_employee": len(stints) > 1,
        "user_city": person.attributes.get("city"),
    }


@builds("vw_rpt_user")
def list_wide_users(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the users of the view, with their managers and units."""
    people, units = snapshot.company.people, index_units(snapshot)
    for row in list_users(snapshot):
        number = row["user_mgr_id"]
        manager = people[number] if number is not None and number in people else None
        row |= {
            "user_mgr_name_first": manager and manager.first_name,
            "user_mgr_name_last": manager and manager.last_name,
            "user_mgr_ref": manager and make_user_id(manager),
            "user_mgr_email": manager and manager.email,
            "user_appr_name_first": manager and manager.first_name,
            "user_appr_name_last": manager and manager.last_name,
            "user_appr_ref": manager and make_user_id(manager),
            "user_ou_info_user_id": row["user_id"],
            "user_dynamic_relation_user_id": row["user_id"],
            "user_dynamic_relation_16384": make_full_name(manager),
            "user_dynamic_relation_ref_16384": manager and make_user_id(manager),
        }
        mine = dict(list_units_of_user(snapshot, row["user_id"]))
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
def list_user_fields(snapshot: Snapshot) -> Iterator[Row]:
    """Yields the custom fields of users."""
    for row in list_users(snapshot):
        number = row["user_id"]
        person = snapshot.company.people[number] if number > 0 else None
        yield {
            "user_id": number,
            "user_cf_user_id": number,
            "_attributes": {} if person is None else dict(person.attributes),
        }
