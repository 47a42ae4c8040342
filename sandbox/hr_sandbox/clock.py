"""The time of edits, tokens and errors: the machine's own."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present second in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def rfc3339(moment: datetime) -> str:
    """A UTC moment as vendors write it: to the second, with Z."""
    return f"{moment.replace(tzinfo=None).isoformat()}Z"
