"""Parts that many bodies of v1 share."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model import AbsenceType
    from hr_sandbox.http.messages import Json

BERLIN = ZoneInfo("Europe/Berlin")  # the account's zone
UNITS = {"DAILY": "day", "HOURLY": "hour"}
CERTIFICATE = {"status": "not-required"}
# v1 has fewer categories than v2, with other names.
CATEGORIES = {"PARENTAL_LEAVE": "maternity_parental_leave", "OVERTIME": "other"}


def format_timestamp(timestamp: datetime) -> str:
    """Format a timestamp with a zone offset without a colon."""
    return timestamp.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S%z")


def format_midnight(day: date) -> str:
    """Format a date as midnight in the same format."""
    return format_timestamp(datetime.combine(day, time(), BERLIN))


def category(row: AbsenceType) -> str:
    """Return the category of an absence type."""
    return CATEGORIES.get(row.category, row.category.lower())


def short_employee(person_id: int, company: Company) -> Json:
    """Render a person inside another record."""
    row = company.people[person_id]
    parts = (
        ("id", "id", row.id, "integer"),
        ("first_name", "First name", row.first_name, "standard"),
        ("last_name", "Last name", row.last_name, "standard"),
        ("email", "Email", row.email, "standard"),
    )
    return {
        "type": "Employee",
        "attributes": {
            key: {"label": label, "value": value, "type": kind, "universal_id": key}
            for key, label, value, kind in parts
        },
    }
