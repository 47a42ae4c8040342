"""Calendar helpers."""

from __future__ import annotations

from datetime import date, timedelta

SATURDAY = 5


def months_after(day: date, months: int) -> date:
    """Return the first day of the month that is this many months after the day's own."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def workday(day: date) -> date:
    """Return the day, or the Monday after it on a weekend."""
    return day + timedelta(7 - day.weekday()) if day.weekday() >= SATURDAY else day
