"""Streams that are not list endpoints of v2: those of v1, and those that clients derive from other bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.personio.careers import LANGUAGES, list_positions
from hr_sandbox.personio.render import make_picture_url
from hr_sandbox.personio.v1 import absences, employees, reports, working_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.http.messages import Json

Window = tuple["date | None", "date | None"]


def _list_pictures(company: Company, root: str) -> Iterator[Json]:
    """Yields the people with a picture, and its URL."""
    return ({"person_id": str(row.id), "url": make_picture_url(row, root)} for row in company.people if row.has_picture)


def _list_employees(company: Company, root: str) -> Iterator[Json]:
    return (employees.render_employee(row, company, root) for row in company.people)


def _list_balances(company: Company) -> Iterator[Json]:
    return (
        {"_employee_id": row.id, **body} for row in company.people for body in employees.compute_balances(row, company)
    )


# Without a window all rows are returned. Streams without dates ignore it.
DERIVED: dict[str, Callable[[Company, str, Window], list[Json]]] = {
    "profile_pictures": lambda company, root, _: list(_list_pictures(company, root)),
    "employees": lambda company, root, _: list(_list_employees(company, root)),
    "employee_attributes": lambda company, *_: employees.describe_attributes(company),
    "absence_balances": lambda company, *_: list(_list_balances(company)),
    "document_categories": lambda company, *_: reports.render_categories(company),
    "attendances": lambda company, _, window: [
        working_time.render_attendance(row, company) for row in working_time.find_work_periods(company, *window)
    ],
    "attendance_projects": lambda company, *_: [working_time.render_project(row) for row in company.projects],
    "time_offs": lambda company, _, window: [
        absences.render_time_off(row, company) for row in absences.find_time_offs_inside(company, *window)
    ],
    "time_off_types": lambda company, *_: [absences.render_time_off_type(row) for row in company.absence_types],
    "absence_periods_v1": lambda company, _, window: [
        absences.render_absence_period(row, company)
        for row in absences.find_absence_periods_overlapping(company, *window)
    ],
    "custom_reports": lambda company, *_: [reports.render_report(row) for row in company.custom_reports],
    "custom_report_rows": lambda company, *_: list(reports.render_all_items(company)),
    "custom_report_columns": lambda company, *_: reports.describe_columns(company),
    "open_positions": lambda company, *_: [
        {"_language": language, **body} for language in LANGUAGES for body in list_positions(company)
    ],
}
