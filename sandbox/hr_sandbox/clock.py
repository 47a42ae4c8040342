"""The time of edits, tokens and errors: the machine's own."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present second in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def rfc3339(timestamp: datetime) -> str:
    """A UTC timestamp as vendors write it: to the second, with Z."""
    return f"{timestamp.replace(tzinfo=None).isoformat()}Z"
