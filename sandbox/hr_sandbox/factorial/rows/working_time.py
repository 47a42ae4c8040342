"""Working time: shifts and daily totals; projects, subprojects, workers and their time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import SATURDAY
from hr_sandbox.factorial.fake_values import WORKER, find_company_id, list_keys
from hr_sandbox.factorial.rows.common import builds, find_latest_employments
from hr_sandbox.factorial.tables import to_api_id
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.company import Record
    from hr_sandbox.company.model.people import Attendance, Project
    from hr_sandbox.factorial.rows.common import Row

PLACES = ("office", "work_from_home", "business_trip", None)
AHEAD = 14  # days with estimated times
DAYS = ("workday", "saturday", "sunday")
ANY_DAY = "2000-01-01"  # the date of values that are only a time
WEEKS = 6  # weeks that were reviewed


@builds("attendance/shifts")
def list_shifts(company: Company) -> Iterator[Row]:
    """Yields all shifts. Times are local to the workplace and have no zone."""
    places = {row.person_id: row.office_id for row in company.employments}
    for row in company.attendances:
        yield _make_shift(row, places.get(row.person_id))


def _make_shift(row: Attendance, place: int | None) -> Row:
    number = stable_number("shift", row.id)
    work = row.type == "WORK"
    length = row.ends_at - row.starts_at if row.ends_at else timedelta()
    return {
        **pick_fields(row, "id", "created_at", "updated_at", employee_id="person_id", date="day"),
        **pick_fields(row, reference_date="day", observations="comment"),
        "clock_in": row.starts_at.time(),
        "clock_out": row.ends_at.time() if row.ends_at else None,
        "clock_in_with_seconds": f"{row.starts_at:%H:%M}:{number % 60:02}",
        "minutes": int(length.total_seconds()) // 60,
        "in_source": "automatic" if row.automatic else "desktop",
        "out_source": None if row.ends_at is None else ("automatic" if row.automatic else "mobile"),
        "location_type": PLACES[number % 4],
        "half_day": None if number % 50 else "beginning_of_day",
        "workable": work,
        "workplace_id": place,
        "time_settings_break_configuration_id": None if work else 1 + number % 3,
        **dict.fromkeys(("in_location_latitude", "out_location_latitude"), 48 + number % 900 / 1000),
        **dict.fromkeys(("in_location_longitude", "out_location_longitude"), 11 + number % 800 / 1000),
    }


@builds("attendance/open_shifts")
def list_open_shifts(company: Company) -> Iterator[Row]:
    """Yields shifts that are still open."""
    for row in company.attendances:
        if row.ends_at is None:
            yield {
                **pick_fields(row, "id", employee_id="person_id", date="day", reference_date="day"),
                "clock_in": f"{ANY_DAY}T{row.starts_at.time().isoformat()}.000Z",
                "clock_out": None,
                "status": "opened",
                "workable": row.type == "WORK",
            }


@builds("attendance/worked_times")
def list_worked_times(company: Company) -> Iterator[Row]:
    """Yields one row per person and day with working time."""
    minutes: dict[tuple[int, date], int] = {}
    for row in company.attendances:
        if row.ends_at:
            length = int((row.ends_at - row.starts_at).total_seconds()) // 60
            minutes[row.person_id, row.day] = minutes.get((row.person_id, row.day), 0) + (
                length if row.type == "WORK" else -length
            )
    for (person_id, day), total in minutes.items():
        yield {
            "id": f"{to_api_id(person_id)}_{day}",
            "employee_id": person_id,
            "date": day,
            "tracked_minutes": total,
            "multiplied_minutes": total,
            "pending_minutes": 0,
            "minutes": total,
            "time_unit": "minute",
            "day_type": DAYS[max(day.weekday() - SATURDAY + 1, 0)],
            "worked_time_blocks": [_make_time_block(person_id, day, total)],
            "_attendable": not stable_chance(5, "attendable", person_id),
        }


def _make_time_block(person_id: int, day: date, minutes: int) -> Row:
    return {
        "minutes": minutes,
        "time_type": "regular",
        "extra_hour": False,
        "raw_minutes_in_cents": minutes * 100,
        "equivalent_minutes_in_cents": minutes * 100,
        "pool_type": "payroll",
        "date": day.isoformat(),
        "approved": True,
        "workable": True,
        "employee_id": str(to_api_id(person_id)),
        "time_range_category_id": str(to_api_id(7)),
        "time_range_category_name": "Normal",
    }


@builds("attendance/estimated_times")
def list_estimated_times(company: Company) -> Iterator[Row]:
    """Yields the planned time of each active person, up to two weeks ahead."""
    first = min((row.day for row in company.attendances), default=company.today)
    for person_id, job in find_latest_employments(company).items():
        day, last = max(first, job.start_date), company.today + timedelta(AHEAD)
        if job.end_date:
            last = min(last, job.end_date)
        daily = round(job.weekly_working_hours * 12)
        while day <= last:
            expected = daily if day.weekday() < SATURDAY else 0
            yield {
                "id": f"{to_api_id(person_id)}_{day}",
                "employee_id": person_id,
                "date": day,
                "expected_minutes": float(expected),
                "regular_minutes": float(expected),
                "overtime_minutes": 0.0,
                "minutes": float(expected),
                "breaks": [],
                "shifts": [],
                "time_unit": "minute",
                "estimated_half_days": 2 if expected else 0,
                "source": "contract_hours" if expected else "none",
            }
            day += timedelta(1)


@builds("attendance/reviews")
def list_reviews(company: Company) -> Iterator[Row]:
    """Yields the managers' weekly reviews of attendance."""
    monday = company.today - timedelta(company.today.weekday())
    people = sorted({row.person_id for row in company.attendances})
    for index in range(1, WEEKS + 1):
        day = monday - timedelta(7 * index)
        for person_id in people:
            if not stable_chance(30, "review", person_id, index):
                yield {"id": person_id * 100_000 + day.toordinal() % 100_000, "employee_id": person_id, "date": day}


RATE = 45  # labour cost in cents per minute
CLIENTS = "finance/contacts"


def _sum_minutes(company: Company) -> dict[tuple[int, int], int]:
    """Returns minutes of work by project or subproject, and by person."""
    found: dict[tuple[int, int], int] = {}
    for row in _list_booked_work(company):
        key = (row.project_id or 0, row.person_id)
        found[key] = found.get(key, 0) + _count_minutes(row)
    return found


def _list_booked_work(company: Company) -> Iterator[Attendance]:
    for row in company.attendances:
        if row.project_id and row.project_id in company.projects and row.ends_at and row.type == "WORK":
            yield row


def _count_minutes(row: Attendance) -> int:
    return int((row.ends_at - row.starts_at).total_seconds()) // 60 if row.ends_at else 0


def _find_main_project(company: Company, number: int) -> Project:
    """Returns the project of a subproject, or the project itself."""
    row = company.projects[number]
    return company.projects[row.parent_id] if row.parent_id else row


def _convert_status(row: Project) -> str:
    return "active" if row.status == "ACTIVE" else "closed"


@builds("project_management/projects")
def list_projects(company: Company) -> Iterator[Row]:
    """Yields projects with their costs so far."""
    minutes: dict[int, int] = {}
    for (number, _), count in _sum_minutes(company).items():
        whole = _find_main_project(company, number).id
        minutes[whole] = minutes.get(whole, 0) + count
    clients = list_keys(CLIENTS)
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
                "status": _convert_status(row),
                "employees_assignment": "company" if row.for_all else "manual",
                "inputed_minutes": minutes.get(row.id, 0),
                "fixed_cost_cents": fixed,
                "labor_cost_cents": labour,
                "spending_cost_cents": used,
                "total_cost_cents": fixed + labour + used,
                "client_id": clients[stable_number("client", row.client) % len(clients)] if row.client else None,
            }


@builds("project_management/subprojects")
def list_subprojects(company: Company) -> Iterator[Row]:
    """Yields subprojects."""
    minutes: dict[int, int] = {}
    for (number, _), count in _sum_minutes(company).items():
        minutes[number] = minutes.get(number, 0) + count
    for row in company.projects:
        if row.parent_id is not None:
            yield {
                **pick_fields(row, "id", "name", "description", "code", project_id="parent_id"),
                **pick_fields(row, start_date="starts_on", due_date="ends_on", is_billable="billable"),
                **pick_fields(row, _updated_at="updated_at"),
                "status": _convert_status(row),
                "inputed_minutes": minutes.get(row.id, 0),
                "labor_cost_cents": minutes.get(row.id, 0) * RATE,
            }


@builds("project_management/project_workers")
def list_workers(company: Company) -> Iterator[Row]:
    """Yields members of projects, and everyone who recorded time on an open project."""
    minutes: dict[tuple[int, int], int] = {}
    for (number, person_id), count in _sum_minutes(company).items():
        key = (_find_main_project(company, number).id, person_id)
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
def list_time_records(company: Company) -> Iterator[Row]:
    """Yields one record per shift on a project."""
    for row in _list_booked_work(company):
        number = row.project_id or 0
        whole = _find_main_project(company, number)
        yield {
            **pick_fields(row, "id", employee_id="person_id", attendance_shift_id="id", date="day"),
            **pick_fields(row, observations="comment", _updated_at="updated_at"),
            "project_worker_id": whole.id * WORKER + row.person_id,
            "project_id": whole.id,
            "subproject_id": number if number != whole.id else None,
            "project_task_id": None,
            "imputed_minutes": _count_minutes(row),
            "clock_in": f"{row.starts_at.isoformat()}.000Z",
            "clock_out": f"{row.ends_at.isoformat()}.000Z" if row.ends_at else None,
        }


@builds("project_management/imputable_projects")
def list_imputable_projects(company: Company) -> Iterator[Row]:
    """Yields projects on which time can be recorded."""
    for row in company.projects:
        if row.parent_id is None and row.status == "ACTIVE":
            names = {"id": row.id, "name": row.name, "code": row.code, "status": "active"}
            yield {**names, "start_date": row.starts_on, "due_date": row.ends_on}


@builds("project_management/exportable_expenses")
def list_exportable_expenses(company: Company) -> Iterator[Row]:
    """Yields expenses in export format: without ids, and with texts only."""
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
                    **pick_fields(project, project_name="name", _project_id="id"),
                    "subproject_name": None,
                    "amount": f"{number % 50_000 / 100:.2f}",
                    "currency": "EUR",
                    "expense_status": "approved" if number % 5 else "",
                    "expense_link": f"https://app.example/expenses/{number}",
                    "_key": f"{project.id}/{index}",
                }


@builds("project_management/expense_records")
def list_expense_records(company: Company) -> Iterator[Row]:
    """Yields the expenses of workers."""
    for key in list_keys("project_management/expense_records"):
        day = company.today - timedelta(1 + stable_number("record", key) % 700)
        yield {"id": key, "effective_on": day, "_updated_at": datetime.combine(day, time(12), UTC)}


@builds("marketplace/installation_settings")
def list_installation_settings(company: Company) -> Iterator[Row]:
    """Yields the settings of the one integration."""
    yield {
        "leave_types": [{**row, "forfait_jours": False} for row in _number_codes(company.absence_types, "L")],
        "timeoff_allowance_code": [
            {"id": str(to_api_id(int(key))), "value": f"A{key}"} for key in list_keys("timeoff/allowances")[:2]
        ],
        "legal_entities": _number_codes(company.legal_entities, "E"),
        "locations": _number_codes(company.offices, "O"),
        "company_code": "4711",
        "consultant_id": "29098",
        "_company_id": find_company_id(company),
        "_integration_uuid": INTEGRATION,
        "_key": "installation",
    }


def _number_codes(rows: Iterable[Record], letter: str) -> list[Row]:
    return [{"id": str(to_api_id(row.id)), "value": f"{letter}{row.id}"} for row in rows]


INTEGRATION = "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"
