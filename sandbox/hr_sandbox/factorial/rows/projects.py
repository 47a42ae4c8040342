"""Projects, subprojects, workers and their time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.factorial.id_pools import COMPANY, WORKER, keys_of
from hr_sandbox.factorial.ids import to_api_id
from hr_sandbox.factorial.rows.common import builds
from hr_sandbox.http.render import pick_fields
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Attendance, Project, Record
    from hr_sandbox.factorial.rows.common import Row

RATE = 45  # labour cost in cents per minute
CLIENTS = "finance/contacts"


def _minutes(company: Company) -> dict[tuple[int, int], int]:
    """Return minutes of work by project or subproject, and by person."""
    found: dict[tuple[int, int], int] = {}
    for row in _booked(company):
        key = (row.project_id or 0, row.person_id)
        found[key] = found.get(key, 0) + _length(row)
    return found


def _booked(company: Company) -> Iterator[Attendance]:
    for row in company.attendances:
        if row.project_id and row.project_id in company.projects and row.ends_at and row.type == "WORK":
            yield row


def _length(row: Attendance) -> int:
    return int((row.ends_at - row.starts_at).total_seconds()) // 60 if row.ends_at else 0


def _whole(company: Company, number: int) -> Project:
    """Return the project of a subproject, or the project itself."""
    row = company.projects[number]
    return company.projects[row.parent_id] if row.parent_id else row


def _status(row: Project) -> str:
    return "active" if row.status == "ACTIVE" else "closed"


@builds("project_management/projects")
def projects(company: Company) -> Iterator[Row]:
    """Yield projects with their costs so far."""
    minutes: dict[int, int] = {}
    for (number, _), count in _minutes(company).items():
        whole = _whole(company, number).id
        minutes[whole] = minutes.get(whole, 0) + count
    clients = keys_of(CLIENTS)
    for row in company.projects:
        if row.parent_id is None:
            labour, fixed, used = (
                minutes.get(row.id, 0) * RATE,
                stable_number(row.id) % 900_000,
                stable_number("s", row.id) % 90_000,
            )
            yield {
                **pick_fields(row, "id", "name", "code", "description", is_billable="billable"),
                **pick_fields(row, start_date="starts_on", due_date="ends_on", _updated_at="updated_at"),
                "status": _status(row),
                "employees_assignment": "company" if row.for_all else "manual",
                "inputed_minutes": minutes.get(row.id, 0),
                "fixed_cost_cents": fixed,
                "labor_cost_cents": labour,
                "spending_cost_cents": used,
                "total_cost_cents": fixed + labour + used,
                "client_id": clients[stable_number("client", row.client) % len(clients)] if row.client else None,
            }


@builds("project_management/subprojects")
def subprojects(company: Company) -> Iterator[Row]:
    """Yield subprojects."""
    minutes: dict[int, int] = {}
    for (number, _), count in _minutes(company).items():
        minutes[number] = minutes.get(number, 0) + count
    for row in company.projects:
        if row.parent_id is not None:
            yield {
                **pick_fields(row, "id", "name", "description", "code", project_id="parent_id"),
                **pick_fields(row, start_date="starts_on", due_date="ends_on", is_billable="billable"),
                **pick_fields(row, _updated_at="updated_at"),
                "status": _status(row),
                "inputed_minutes": minutes.get(row.id, 0),
                "labor_cost_cents": minutes.get(row.id, 0) * RATE,
            }


@builds("project_management/project_workers")
def workers(company: Company) -> Iterator[Row]:
    """Yield members of projects, and everyone who recorded time on an open project."""
    minutes: dict[tuple[int, int], int] = {}
    for (number, person_id), count in _minutes(company).items():
        key = (_whole(company, number).id, person_id)
        minutes[key] = minutes.get(key, 0) + count
    members = {(row.id, person_id) for row in company.projects for person_id in row.member_ids}
    for project_id, person_id in sorted(members | set(minutes)):
        count = minutes.get((project_id, person_id), 0)
        yield {
            "id": project_id * WORKER + person_id,
            "project_id": project_id,
            "employee_id": person_id,
            "assigned": (project_id, person_id) in members,
            "inputed_minutes": count,
            "labor_cost_cents": count * RATE,
            "company_labor_cost_cents": count * RATE * 5 // 4,
            "spending_cost_cents": stable_number("spent", project_id, person_id) % 20_000,
            "_updated_at": company.projects[project_id].updated_at,
        }


@builds("project_management/time_records")
def time_records(company: Company) -> Iterator[Row]:
    """Yield one record per shift on a project."""
    for row in _booked(company):
        number = row.project_id or 0
        whole = _whole(company, number)
        yield {
            **pick_fields(row, "id", employee_id="person_id", attendance_shift_id="id", date="day"),
            **pick_fields(row, observations="comment", _updated_at="updated_at"),
            "project_worker_id": whole.id * WORKER + row.person_id,
            "project_id": whole.id,
            "subproject_id": number if number != whole.id else None,
            "project_task_id": None,
            "imputed_minutes": _length(row),
            "clock_in": f"{row.starts_at.isoformat()}.000Z",
            "clock_out": f"{row.ends_at.isoformat()}.000Z" if row.ends_at else None,
        }


@builds("project_management/imputable_projects")
def imputable(company: Company) -> Iterator[Row]:
    """Yield projects on which time can be recorded."""
    for row in company.projects:
        if row.parent_id is None and row.status == "ACTIVE":
            names = {"id": row.id, "name": row.name, "code": row.code, "status": "active"}
            yield {**names, "start_date": row.starts_on, "due_date": row.ends_on}


@builds("project_management/exportable_expenses")
def exportable(company: Company) -> Iterator[Row]:
    """Yield expenses in export format: without ids, and with texts only."""
    people = list(company.people)
    for project in company.projects:
        if project.parent_id is None:
            for index in range(stable_number("exported", project.id) % 12):
                number = stable_number("export", project.id, index)
                # Keep the person the same even if others come or go.
                person = min(people, key=lambda row: stable_number(number, row.id))
                yield {
                    "employee_name": f"{person.first_name} {person.last_name}",
                    "preferred_name": person.preferred_name,
                    "date": company.today - timedelta(number % 500),
                    "project_name": project.name,
                    "subproject_name": None,
                    "amount": f"{number % 50_000 / 100:.2f}",
                    "currency": "EUR",
                    "expense_status": "approved" if number % 5 else "",
                    "expense_link": f"https://app.example/expenses/{number}",
                    "_project_id": project.id,
                    "_key": f"{project.id}/{index}",
                }


@builds("project_management/expense_records")
def expense_records(company: Company) -> Iterator[Row]:
    """Yield the expenses of workers."""
    for key in keys_of("project_management/expense_records"):
        day = company.today - timedelta(1 + stable_number("record", key) % 700)
        yield {"id": key, "effective_on": day, "_updated_at": datetime.combine(day, time(12), UTC)}


@builds("marketplace/installation_settings")
def installation(company: Company) -> Iterator[Row]:
    """Yield the settings of the one integration."""
    yield {
        "leave_types": [{**row, "forfait_jours": False} for row in _codes(company.absence_types, "L")],
        "timeoff_allowance_code": [
            {"id": str(to_api_id(int(key))), "value": f"A{key}"} for key in keys_of("timeoff/allowances")[:2]
        ],
        "legal_entities": _codes(company.legal_entities, "E"),
        "locations": _codes(company.offices, "O"),
        "company_code": "4711",
        "consultant_id": "29098",
        "_company_id": COMPANY,
        "_integration_uuid": INTEGRATION,
        "_key": "installation",
    }


def _codes(rows: Iterable[Record], letter: str) -> list[Row]:
    return [{"id": str(to_api_id(row.id)), "value": f"{letter}{row.id}"} for row in rows]


INTEGRATION = "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"
