"""Streams that are not list endpoints of v2: those of v1, and those that clients derive from other bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.personio.careers import LANGUAGES, positions
from hr_sandbox.personio.render.people import picture_url
from hr_sandbox.personio.v1 import absence_periods, reports, time_offs, working_time
from hr_sandbox.personio.v1.employees import attributes_of, balances, employee

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.http.messages import Json

Window = tuple["date | None", "date | None"]


def _pictures(company: Company, root: str) -> Iterator[Json]:
    """Yield the persons with a picture, and its URL."""
    return ({"person_id": str(row.id), "url": picture_url(row, root)} for row in company.people if row.has_picture)


def _employees(company: Company, root: str) -> Iterator[Json]:
    return (employee(row, company, root) for row in company.people)


def _balances(company: Company) -> Iterator[Json]:
    return ({"_employee_id": row.id, **body} for row in company.people for body in balances(row, company))


# Without a window all rows are returned. Streams without dates ignore it.
DERIVED: dict[str, Callable[[Company, str, Window], list[Json]]] = {
    "profile_pictures": lambda company, root, _: list(_pictures(company, root)),
    "employees": lambda company, root, _: list(_employees(company, root)),
    "employee_attributes": lambda company, *_: attributes_of(company),
    "absence_balances": lambda company, *_: list(_balances(company)),
    "document_categories": lambda company, *_: reports.categories(company),
    "attendances": lambda company, _, window: [
        working_time.attendance(row, company) for row in working_time.work_periods(company, *window)
    ],
    "attendance_projects": lambda company, *_: [working_time.project(row) for row in company.projects],
    "time_offs": lambda company, _, window: [
        time_offs.time_off(row, company) for row in time_offs.inside(company, *window)
    ],
    "time_off_types": lambda company, *_: [time_offs.time_off_type(row) for row in company.absence_types],
    "absence_periods_v1": lambda company, _, window: [
        absence_periods.absence_period(row, company) for row in absence_periods.overlapping(company, *window)
    ],
    "custom_reports": lambda company, *_: [reports.report(row) for row in company.custom_reports],
    "custom_report_rows": lambda company, *_: list(reports.items(company)),
    "custom_report_columns": lambda company, *_: reports.columns(company),
    "open_positions": lambda company, *_: [
        {"_language": language, **body} for language in LANGUAGES for body in positions(company)
    ],
}
