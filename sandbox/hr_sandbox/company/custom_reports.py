"""Generates custom reports, the older kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import Generator

if TYPE_CHECKING:
    from datetime import date

POINT, TIMEFRAME, HISTORY = "point_in_time", "timeframe", "historical_data"
AWAY, PERIODS = "absence_", ":periods"
HISTORY_DAYS = 3 * 365
OFFICE = "office_id"

_PEOPLE = ("first_name", "last_name", "status", "department", "cost_center", "weekly_working_hours", "fix_salary")


class CustomReports(Generator):
    """Generates the custom reports of an otherwise complete company."""

    def generate(self) -> None:
        """Generates all reports."""
        company, today = self.company, self.company.today
        office = next(iter(company.offices))
        vacation = next(iter(company.absence_types))
        own = next(row.id for row in company.attributes if row.type == "string")
        away = ("first_name", "last_name", f"{AWAY}{vacation.id}", f"{AWAY}{vacation.id}{PERIODS}")
        changes = ("department", "weekly_working_hours", "fix_salary")
        since = today - timedelta(HISTORY_DAYS)
        here, nowhere = (((OFFICE, "eq", str(number)),) for number in (office.id, 0))
        self._add_report("Personalliste", (POINT, "up_to_date", "today"), (today, today), (*_PEOPLE, own))
        self._add_report(f"Team {office.city}", (POINT, "updating", "fixed"), (today, today), _PEOPLE[:4], here)
        self._add_report(
            "Urlaub seit Januar",
            (TIMEFRAME, "up_to_date", "year_to_date"),
            (today.replace(month=1, day=1), today),
            away,
        )
        self._add_report("Changes of three years", (HISTORY, "up_to_date", "fixed"), (since, today), changes)
        self._add_report(
            "空のレポート",
            (TIMEFRAME, "update_failed", "last_thirty_days"),
            (today - timedelta(30), today),
            away,
            nowhere,
        )

    def _add_report(
        self,
        name: str,
        kind: tuple[str, str, str],
        days: tuple[date, date],
        columns: tuple[str, ...],
        filters: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        table, rng = self.company.custom_reports, self.rng
        author = rng.choice(list(self.company.people))
        created_at = rng.timestamp(self.company.today - timedelta(rng.integer(30, 900)))
        updated_at = rng.draw_later(created_at, 0.5)
        table.create(
            rng.uuid(),
            name,
            f"{name} ({self.company.name})",
            (author.first_name, author.last_name),
            *kind,
            *days,
            columns,
            filters,
            created_at,
            updated_at,
            rng.draw_later(updated_at, 1),
        )
