"""Employees, teams and custom fields."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import to_ascii
from hr_sandbox.factorial.fake_values import ACCESS, list_keys
from hr_sandbox.factorial.rows.common import builds, find_latest_employments
from hr_sandbox.factorial.tables import to_api_id
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Employment, Person
    from hr_sandbox.factorial.rows.common import Row

GENDERS = {"FEMALE": "female", "MALE": "male", "DIVERSE": "other"}
REASONS = {"EMPLOYEE": "voluntary", "FIRED": "dismissal", "CONTRACT_EXPIRED": "end_of_contract", "RETIREMENT": "others"}
MEMBERSHIP = 10_000  # a membership's id is the person's id and the team's id
KINDS = {
    "string": "text",
    "int": "money",
    "double": "cents",
    "date": "date",
    "boolean": "checkbox",
    "string_list": "multiple_choice",
}


@builds("employees/employees")
def list_employees(company: Company) -> Iterator[Row]:
    """Yields all employees, including former ones."""
    current = find_latest_employments(company)
    managers = _find_managers(current.values())
    for person in company.people:
        yield {**_make_employee(company, person, current.get(person.id)), "_manages": person.id in managers}


def _find_managers(employments: Iterable[Employment]) -> set[int | None]:
    return {row.supervisor_id for row in employments}


@builds("performance/target_managers")
def list_target_managers(company: Company) -> Iterator[Row]:
    """Yields those who review their reports: one row per manager, with the manager's id as an employee."""
    managers = _find_managers(find_latest_employments(company).values())
    processes = list_keys("performance/review_processes")
    for person in company.people:
        if person.id in managers:
            yield {
                "id": str(to_api_id(person.id)),
                "performance_review_process_id": stable_choice(processes, "reviews", person.id),
                "manager_access_id": person.id + ACCESS,
                "manager_full_name": f"{person.first_name} {person.last_name}",
            }


def _make_employee(company: Company, person: Person, job: Employment | None) -> Row:
    ended = job.end_date if job else None
    end = job.termination if job else None
    has_left = ended is not None and ended < company.today
    office = company.offices.find(str(job.office_id)) if job else None
    birthday = person.attributes.get("birthday")
    born = date.fromisoformat(birthday) if isinstance(birthday, str) else None
    name = to_ascii(person.first_name) or "private"
    return {
        **pick_fields(person, "id", "first_name", "last_name", "preferred_name", "email", "created_at"),
        **pick_fields(person, login_email="email"),
        "access_id": person.id + ACCESS,
        "full_name": f"{person.first_name} {person.last_name}",
        "gender": GENDERS.get(person.gender),
        "personal_email": f"{name}.{person.id}@mail.example" if stable_number(person.id, "mail") % 4 else None,
        "birthday_on": born,
        "age_number": (company.today - born).days * 100 // 36525 if born else None,
        "city": person.attributes.get("city"),
        "country": office.country.lower() if office else None,
        "location_id": job.office_id if job else None,
        "legal_entity_id": job.legal_entity_id if job else None,
        "manager_id": job.supervisor_id if job else None,
        "timeoff_manager_id": job.supervisor_id if job else None,
        "terminated_on": ended,
        "is_terminating": ended is not None and not has_left,
        "termination_reason": end.reason if end else None,
        "termination_reason_type": REASONS.get(end.type, "others") if end else None,
        "termination_observations": None if not has_left else (end.reason if end else None),
        "termination_type_description": end.type.replace("_", " ").capitalize() if end else None,
        # Documented as false for former employees, but also true for some active ones.
        "active": not has_left and not stable_chance(3, "active", person.id),
        "attendable": not stable_chance(5, "attendable", person.id),
        "updated_at": max(person.updated_at, job.updated_at) if job else person.updated_at,
    }


@builds("teams/teams")
def list_teams(company: Company) -> Iterator[Row]:
    """Yields teams with their current and former members."""
    members: dict[int, list[int]] = {}
    for row in find_latest_employments(company).values():
        if row.team_id is not None:
            members.setdefault(row.team_id, []).append(row.person_id)
    for team in company.teams:
        people = sorted(members.get(team.id, ()))
        yield {
            **pick_fields(team, "id", "name", "description", parent_team_id="parent_id"),
            "employee_ids": people,
            "lead_ids": people[:1],
            "depth": 1 if team.parent_id else 0,
        }


@builds("teams/memberships")
def list_memberships(company: Company) -> Iterator[Row]:
    """Yields the members of teams."""
    leads = {team["id"]: team["lead_ids"] for team in list_teams(company)}
    for row in find_latest_employments(company).values():
        if row.team_id is not None:
            yield {
                "id": row.person_id * MEMBERSHIP + row.team_id,
                **pick_fields(row, "team_id", employee_id="person_id"),
                "lead": row.person_id in leads[row.team_id],
                # For a single employee, these fields contain the source of the membership.
                "direct": True,
                "source_team_ids": [row.team_id],
                "parent_team_ids": [],
            }


@builds("custom_fields/fields")
def list_custom_fields(company: Company) -> Iterator[Row]:
    """Yields the custom fields."""
    for index, row in enumerate(company.attributes):
        label = row.label or ""
        yield {"id": 700 + index, "label_text": label, "field_type": KINDS[row.type], "slug": row.id, "position": index}


@builds("custom_fields/resource_fields")
def list_employee_fields(company: Company) -> Iterator[Row]:
    """Yields the custom fields of employees."""
    for index, _ in enumerate(company.attributes):
        yield {"id": 800 + index, "field_id": 700 + index}


@builds("custom_fields/values")
def list_custom_field_values(company: Company) -> Iterator[Row]:
    """Yields the values of custom fields."""
    places = {row.id: (index, row) for index, row in enumerate(company.attributes)}
    for person in company.people:
        for name, value in person.attributes.items():
            index, row = places[name]
            day = date.fromisoformat(value) if row.type == "date" and isinstance(value, str) else None
            yield {
                "id": person.id * 100 + index,
                "custom_field_identifier": row.id,
                **pick_fields(person, "updated_at", valuable_id="id", _employee_id="id"),
                "valuable_type": "Employee",
                "field_id": 700 + index,
                "label": row.label or "",
                "value": ", ".join(value) if isinstance(value, list) else value,
                "date_value": day,
                "long_text_value": None,
                "single_choice_value": None,
                "cents_value": round(value * 100) if row.type == "double" and isinstance(value, float) else None,
            }


@builds("payroll/family_situations")
def list_family_situations(company: Company) -> Iterator[Row]:
    """Yields one family situation per employee."""
    for person in company.people:
        yield {"id": person.id + 50_000, "employee_id": person.id}


@builds("payroll_employees/german_employee_data")
def list_german_data(company: Company) -> Iterator[Row]:
    """Yields payroll data of employees in Germany."""
    german = {row.id for row in company.legal_entities if row.country == "DE"}
    for row in find_latest_employments(company).values():
        if row.legal_entity_id in german:
            yield {"id": row.person_id + 60_000, "employee_id": row.person_id}


@builds("payroll_employees/identifiers")
def list_identifiers(company: Company) -> Iterator[Row]:
    """Yields identifiers. A few are foreign, of employees who work abroad."""
    for row in find_latest_employments(company).values():
        where = company.legal_entities[row.legal_entity_id].country
        country = "de" if where == "DE" else ("it", "pt", None)[row.person_id % 3]
        if country:
            yield {"id": row.person_id + 70_000, "employee_id": row.person_id, "country": country}
