"""Formats the parts that many bodies of v2 share."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from hr_sandbox.clock import format_rfc3339
from hr_sandbox.http.messages import pick_fields

if TYPE_CHECKING:
    from hr_sandbox.company.model.people import Person
    from hr_sandbox.http.messages import Json


def format_date(value: Any) -> Any:  # noqa: ANN401  any field of a record
    """Formats a UTC timestamp with Z, and a date or local time without a zone. Other values stay as they are."""
    if not isinstance(value, date):
        return value
    return format_rfc3339(value) if isinstance(value, datetime) and value.tzinfo else value.isoformat()


def render_fields(record: object, *names: str, **renamed: str) -> Json:
    """Returns fields of a record with formatted dates: under their own names, or as `member="field"`."""
    return {member: format_date(value) for member, value in pick_fields(record, *names, **renamed).items()}


def render_reference(key: object | None) -> Json | None:
    """Returns a reference to a record by its id, or None."""
    return None if key is None else {"id": str(key)}


def make_picture_url(row: Person, root: str) -> str:
    """Returns the URL of a person's picture, if there is one."""
    return f"{root}/v1/company/employees/{row.id}/profile-picture"
