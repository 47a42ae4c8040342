"""Helpers for building rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.timestamps import to_ticks
from hr_sandbox.http.table import Builders

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.model.people import Person

Row = dict[str, Any]
builds = Builders()
ACTIVE, INACTIVE = 1, 2
SYSTEM_USERS = ((-6005, "CSOD", "Support"), (-7, "System", "User"))


def to_ticks_or_none(day: date | None) -> int | None:
    """Converts a date or timestamp to ticks."""
    return None if day is None else to_ticks(day)


def make_user_id(person: Person) -> str:
    """Returns a person's User ID."""
    return f"NLI-{person.id:05}"


def make_login(person: Person) -> str:
    """Returns a person's login name."""
    return f"{person.email.partition('@')[0]}.{person.id}"


def make_full_name(person: Person | None) -> str | None:
    """Returns a person's full name."""
    return None if person is None else f"{person.first_name} {person.last_name}"
