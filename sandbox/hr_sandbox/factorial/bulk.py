"""Generates large numbers of shifts. They are computed from their index and never stored."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.factorial.id_pools import COMPANY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.factorial.fake_values import Row

CLOCKS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440))
# Members that differ between shifts.
VARYING = (
    "id",
    "employee_id",
    "date",
    "reference_date",
    "clock_in",
    "clock_out",
    "clock_in_with_seconds",
    "minutes",
    "created_at",
    "updated_at",
)
SECONDS = 19  # the length of a timestamp without a fraction
FIRST = 10_000_000  # the first id, above those of the company
YEARS = 5


class Bulk:
    """Shifts that are spread evenly over the days since 1 January five years back."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._people: list[int] = []
        self.rows = 0
        self.first_day = date(company.today.year - YEARS, 1, 1)
        self._days = (company.today - self.first_day).days

    def set(self, rows: int) -> None:
        """Set how many shifts there are."""
        self.rows = rows
        self._people = [row.id for row in self._company.people]

    def between(self, first: date | None, last: date | None) -> range:
        """Return the indexes of the shifts in a window. They are ordered by date."""
        start = max(((first or self.first_day) - self.first_day).days, 0)
        end = self._days if last is None else min((last - self.first_day).days + 1, self._days)
        # Round up to the first index on or after each date.
        return range(-(-start * self.rows // self._days), max(-(-end * self.rows // self._days), 0))

    def find(self, number: int) -> Row | None:
        """Return the shift with this id, or None."""
        return self.row(number - FIRST) if 0 <= number - FIRST < self.rows else None

    def rows_at(self, places: range) -> Iterator[Row]:
        """Yield the shifts at these indexes."""
        return (self.row(place) for place in places)

    def row(self, place: int) -> Row:
        """Return the shift at an index."""
        day = self.first_day + timedelta(place * self._days // self.rows)
        minutes = 240 + place % 240
        start = datetime.combine(day, time(6 + place % 6, place % 60))
        end = start + timedelta(minutes=minutes)
        stamp = end.replace(tzinfo=UTC)
        return {
            "company_id": COMPANY,
            "id": FIRST + place,
            "employee_id": self._people[place % len(self._people)],
            "date": day,
            "reference_date": day,
            "clock_in": start.time(),
            "clock_out": end.time(),
            "clock_in_with_seconds": f"{start.hour:02}:{start.minute:02}:{place % 60:02}",
            "minutes": minutes,
            "in_source": "desktop",
            "out_source": "mobile",
            "observations": None,
            "location_type": "office",
            "half_day": None,
            "workable": True,
            "workplace_id": None,
            "time_settings_break_configuration_id": None,
            "in_location_latitude": None,
            "in_location_longitude": None,
            "in_location_accuracy": None,
            "out_location_latitude": None,
            "out_location_longitude": None,
            "out_location_accuracy": None,
            "created_at": stamp,
            "updated_at": stamp,
        }

    def texts(self, places: range, render: Callable[[list[Row]], list[Row]]) -> Iterator[str]:
        """Yield the shifts at these indexes as JSON, formatted with a template.

        Args:
            places: the indexes.
            render: renders rows.
        """
        if not places:
            return
        body = render([self.row(places[0])])[0]
        number, timestamp = body["id"], body["created_at"] or body["updated_at"] or ""
        # Hidden attributes are null in all of them.
        marks = {name: f"%({name})s" for name in VARYING if body[name] is not None}
        pattern = json.dumps({**body, **marks}, separators=(",", ":")).replace('"%(minutes)s"', "%(minutes)s")
        if isinstance(number, int):
            pattern = pattern.replace('"%(id)s"', "%(id)s").replace('"%(employee_id)s"', "%(employee_id)s")
        begins = int(number) - FIRST - places[0]  # the offset that the vendor adds to ids
        ends = timestamp[SECONDS:]
        for place in places:
            day = (self.first_day + timedelta(place * self._days // self.rows)).isoformat()
            minutes, start = 240 + place % 240, (6 + place % 6) * 60 + place % 60
            stamp = f"{day}T{CLOCKS[start + minutes]}:00{ends}"
            yield pattern % {
                "id": begins + FIRST + place,
                "employee_id": begins + self._people[place % len(self._people)],
                "date": day,
                "reference_date": day,
                "clock_in": CLOCKS[start],
                "clock_out": CLOCKS[start + minutes],
                "clock_in_with_seconds": f"{CLOCKS[start]}:{place % 60:02}",
                "minutes": minutes,
                "created_at": stamp,
                "updated_at": stamp,
            }
