"""Organizational units. Each kind of unit of the company is a type."""

from __future__ import annotations

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
from hr_sandbox.cornerstone.rows.common import SYSTEM_USERS, builds
from hr_sandbox.cornerstone.snapshot import CULTURES
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.snapshot import Snapshot

FIRST = {row.id: row.first for row in UNIT_TYPES}
GROUPS = ("Alle Mitarbeitenden", "Führungskräfte", "Remote", "Werkstatt")
SYSTEM_UNIT = -10_010
MEMBER = 2  # the status of a membership


@builds("ou_cf_core", "ou_core", "vw_rpt_ou", "vw_rpt_ou_cf", "vw_rpt_ou_cf2")
def units(snapshot: Snapshot) -> Iterator[Row]:
    """Return all units including groups."""
    company = snapshot.company
    yield _unit(SYSTEM_UNIT, DIVISION, "System", "SYS", None, active=True)
    for division in company.departments:
        above = division.parent_id and FIRST[DIVISION] + division.parent_id
        yield _unit(FIRST[DIVISION] + division.id, DIVISION, division.name, division.abbreviation, above, active=True)
    for job in company.jobs:
        yield _unit(FIRST[POSITION] + job.id, POSITION, job.name, f"JOB{job.id}", None)
    for grade in sorted({job.grade for job in company.jobs if job.grade}):
        yield _unit(FIRST[GRADE] + grade, GRADE, f"Grade {grade}", f"G{grade}", None)
    for center in company.cost_centers:
        yield _unit(FIRST[CENTER] + center.id, CENTER, center.name, f"CC{center.id}", None)
    for office in company.offices:
        yield _unit(FIRST[LOCATION] + office.id, LOCATION, office.name, office.city, None)
    for index, name in enumerate(GROUPS, 1):
        yield _unit(FIRST[GROUP] + index, GROUP, name, None, None, active=True)
    for team in company.teams:
        above = team.parent_id and FIRST[TEAM] + team.parent_id
        yield _unit(FIRST[TEAM] + team.id, TEAM, team.name, team.abbreviation, above)
    for entity in company.legal_entities:
        yield _unit(FIRST[ENTITY] + entity.id, ENTITY, entity.name, entity.country, None, active=True)


def _unit(
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
def units_by_id(snapshot: Snapshot) -> dict[int, Row]:
    """Return the units by id."""
    return {row["ou_id"]: row for row in units(snapshot)}


def places(snapshot: Snapshot, person_id: int) -> Iterator[tuple[int, int]]:
    """Return the types and ids of a user's units, without groups."""
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
def groups(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the members of groups."""
    managers = {row.supervisor_id for row in snapshot.employments.values()}
    for number, _, _ in SYSTEM_USERS:
        for index in (1, 2):
            yield _member(number, GROUP, FIRST[GROUP] + index)
    for person in snapshot.people:
        chosen = [1] if snapshot.is_active(person.id) else []
        chosen += [2] if person.id in managers else []
        chosen += [index for index in (3, 4) if stable_chance(25, "group", person.id, index)]
        for index in chosen:
            yield _member(person.id, GROUP, FIRST[GROUP] + index)


def _member(user_id: int, kind: int, ou_id: int) -> Row:
    both = {"user_id": user_id, "ou_id": ou_id}
    return {**both, "ou_type_id": kind, "status_id": MEMBER, "group__ou_id": ou_id}


@builds("user_ou_core", "vw_rpt_user_ou")
def memberships(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the members of units and groups."""
    for person in snapshot.people:
        for kind, number in places(snapshot, person.id):
            yield _member(person.id, kind, number)
    yield from groups(snapshot)


@builds("ou_hierarchy_core")
def hierarchy(snapshot: Snapshot) -> Iterator[Row]:
    """Yield each unit with all of its ancestors and itself."""
    found = units_by_id(snapshot)
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
def types(_snapshot: Snapshot) -> Iterator[Row]:
    """Yield the types of units, including custom ones."""
    for row in UNIT_TYPES:
        yield {"type_id": row.id, "title": row.title, "is_custom": row.custom}


@builds("ou_type_local_core")
def local_types(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the titles of the types in each language."""
    for row in types(snapshot):
        for culture, name, _ in CULTURES:
            yield {**row, "culture_id": culture, "title": f"{row['title']} ({name})", "is_default": culture == 1}


@builds("ou_local_core")
def local_units(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the titles of units in two languages."""
    for row in units(snapshot):
        for culture in (1, 2):
            yield {
                "ou_id": row["ou_id"],
                "culture_id": culture,
                "title": row["title"],
                "description": None,
                "is_default": culture == 1,
            }


@builds("user_ou_pivoted_core", "vw_rpt_user_ou_info")
def pivoted(snapshot: Snapshot) -> Iterator[Row]:
    """Yield a row per user with a column per type of unit."""
    for person in snapshot.people:
        mine = dict(places(snapshot, person.id))
        row: Row = {"user_id": person.id}
        for pattern in PIVOT_TABLES.values():
            row |= {pattern.format(kind.id): mine.get(kind.id) for kind in UNIT_TYPES}
        yield row
