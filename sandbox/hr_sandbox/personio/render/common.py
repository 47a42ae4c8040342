"""What many bodies have in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from hr_sandbox.http.messages import Json


def iso(value: date | datetime | None) -> str | None:
    """A day, or a local time, as text."""
    return None if value is None else value.isoformat()


def ref(value: object | None) -> Json | None:
    """A record by its id alone."""
    return None if value is None else {"id": str(value)}
