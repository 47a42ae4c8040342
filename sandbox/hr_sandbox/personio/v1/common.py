"""What many bodies of v1 have in them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Absence, AbsenceType
    from hr_sandbox.http.messages import Json

When = TypeVar("When", bound=date)
BERLIN = ZoneInfo("Europe/Berlin")  # where the account is
UNITS = {"DAILY": "day", "HOURLY": "hour"}
CERTIFICATE = {"status": "not-required"}
# v1 has other categories than v2, and fewer.
CATEGORIES = {"PARENTAL_LEAVE": "maternity_parental_leave", "OVERTIME": "other"}


def stamp(timestamp: datetime) -> str:
    """A timestamp as some lists write it: the zone without a colon."""
    return timestamp.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S%z")


def midnight(day: date) -> str:
    """A day, written in the same way."""
    return stamp(datetime.combine(day, time(), BERLIN))


def category(row: AbsenceType) -> str:
    """The category of a kind of absence."""
    return CATEGORIES.get(row.category, row.category.lower())


def of_unit(unit: str, company: Company) -> list[Absence]:
    """The absences of a unit."""
    kinds = {row.id for row in company.absence_types if row.unit == unit}
    return [row for row in company.absences if row.type_id in kinds]


def short_employee(person_id: int, company: Company) -> Json:
    """A person within another record."""
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


def within(timestamp: When, first: When | None, last: When | None) -> bool:
    """Whether a day or a timestamp lies between two others, both included; one that is not there is no limit."""
    return (first is None or timestamp >= first) and (last is None or timestamp <= last)
