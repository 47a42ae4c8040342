"""Parts that many bodies share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from hr_sandbox.http.messages import Json


def iso(value: date | datetime | None) -> str | None:
    """Format a date or a local time."""
    return None if value is None else value.isoformat()


def ref(value: object | None) -> Json | None:
    """Refer to a record by its id."""
    return None if value is None else {"id": str(value)}
