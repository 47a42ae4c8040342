"""Helpers for building rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.http.table import Builders

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Absence, Employment

Row = dict[str, Any]
ZERO_DECIMAL_CURRENCIES = frozenset({"JPY"})  # currencies without a minor unit
builds = Builders()


def find_latest_employments(company: Company) -> dict[int, Employment]:
    """Returns the latest employment of each person."""
    found: dict[int, Employment] = {}
    for row in company.employments:
        best = found.get(row.person_id)
        if best is None or (row.start_date, row.id) > (best.start_date, best.id):
            found[row.person_id] = row
    return found


def find_last_day_away(row: Absence) -> date | None:
    """Returns the last day of an absence. Absences in days end at the following midnight."""
    if row.ends_at is None:
        return None
    return row.ends_at.date() if row.start_half is None else (row.ends_at - timedelta(1)).date()


def to_cents(amount: float) -> int:
    """Returns hundredths, which the vendor uses for money, hours and percentages."""
    return round(amount * 100)


def to_minor_units(amount: float, currency: str) -> int:
    """Returns an amount in the currency's minor unit."""
    return round(amount) if currency in ZERO_DECIMAL_CURRENCIES else to_cents(amount)
