"""Streams that no list answers alone: what a client makes of other bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.personio.careers import positions
from hr_sandbox.personio.render.people import picture_url
from hr_sandbox.personio.v1.api import categories
from hr_sandbox.personio.v1.employees import attributes_of, balances, employee

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.vendor import Json


def _pictures(company: Company, root: str) -> list[Json]:
    """Who has a picture, and where it is."""
    return [{"person_id": str(row.id), "url": picture_url(row, root)} for row in company.people if row.has_picture]


def _employees(company: Company, root: str) -> list[Json]:
    return [employee(row, company, root) for row in company.people]


def _balances(company: Company, _root: str) -> list[Json]:
    return [{"_employee_id": row.id, **body} for row in company.people for body in balances(row, company)]


DERIVED: dict[str, Callable[[Company, str], list[Json]]] = {
    "profile_pictures": _pictures,
    "employees": _employees,
    "employee_attributes": lambda company, _: attributes_of(company),
    "absence_balances": _balances,
    "document_categories": lambda company, _: categories(company),
    "open_positions": lambda company, _: positions(company),
}
