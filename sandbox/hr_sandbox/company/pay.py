"""Generates compensations: salaries with raises, hourly wages, bonuses, allowances."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import Generator, first_of_month_after
from hr_sandbox.company.seed_data import RATES

if TYPE_CHECKING:
    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company
    from hr_sandbox.company.model.people import Compensation, Employment

HOURS_PER_YEAR = 2080
DAY = timedelta(1)


class Pay(Generator):
    """Generates the compensations of people."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._types = {row.category: row.id for row in company.compensation_types}

    def generate(self, employments: list[Employment]) -> None:
        """Generates all compensations of a person."""
        for employment in employments:
            self._add_salary(employment)
            if employment.type == "INTERNAL":
                self._add_bonuses(employment)
                if self.rng.chance(0.15) and "RECURRING" in self._types:
                    amount = self._convert_to_local(employment, 600) / 12
                    self._add_compensation(
                        employment, "RECURRING", round(amount, 2), "MONTHLY", (employment.start_date, None)
                    )

    def _add_salary(self, employment: Employment) -> None:
        rng = self.rng
        hourly = employment.type == "EXTERNAL" or employment.job_id is None
        base = self.company.jobs[employment.job_id].pay if employment.job_id else 52_000
        share = employment.weekly_working_hours / employment.full_time_weekly_working_hours
        yearly = base * rng.integer(85, 130) / 100 * (1 if hourly else share)
        interval = None if hourly else rng.weighted_choice(("MONTHLY", "YEARLY"), (70, 30))
        divisor = {None: HOURS_PER_YEAR, "MONTHLY": 12, "YEARLY": 1}[interval]
        days = [employment.start_date, *self._draw_raises(employment)]
        for start, following in zip(days, [*days[1:], None], strict=True):
            amount = self._convert_to_local(employment, yearly) / divisor
            amount = round(amount, 2) if hourly or rng.chance(0.3) else round(amount)
            end = following - DAY if following else employment.end_date
            self._add_compensation(employment, "HOURLY" if hourly else "FIXED_SALARY", amount, interval, (start, end))
            yearly *= 1 + rng.integer(10, 70) / 1000

    def _draw_raises(self, employment: Employment) -> list[date]:
        """Returns the dates of raises: most on the first of a month, a few within a month."""
        rng = self.rng
        last = min(employment.end_date or self.company.today, self.company.today + timedelta(60))
        days = []
        month = first_of_month_after(employment.start_date, rng.integer(9, 20))
        while month < last:
            day = month + timedelta(rng.integer(5, 24)) if rng.chance(0.12) else month
            if day < last:
                days.append(day)
            month = first_of_month_after(month, rng.integer(9, 24))
        return days

    def _add_bonuses(self, employment: Employment) -> None:
        for year in range(employment.start_date.year + 1, self.company.today.year + 1):
            payday = date(year, 3, 1)
            last = min(employment.end_date or self.company.today, self.company.today)
            if employment.start_date <= payday <= last and self.rng.chance(0.3):
                amount = round(self._convert_to_local(employment, self.rng.integer(8, 60) * 100), 2)
                last_day = first_of_month_after(payday, 1) - DAY
                self._add_compensation(employment, "ONE_TIME", amount, None, (payday, last_day))

    def _convert_to_local(self, employment: Employment, euros: float) -> float:
        return euros * RATES[self.company.legal_entities[employment.legal_entity_id].currency]

    def _add_compensation(
        self,
        employment: Employment,
        category: str,
        amount: float,
        interval: str | None,
        days: tuple[date, date | None],
    ) -> Compensation:
        entity = self.company.legal_entities[employment.legal_entity_id]
        start, end = days
        last = min(filter(None, (end, employment.end_date)), default=None)
        return self.company.compensations.create(
            uuid=self.rng.uuid(),
            person_id=employment.person_id,
            type_id=self._types[category],
            amount=amount,
            currency=entity.currency,
            interval=interval,
            effective_from=start,
            effective_to=last,
            legal_entity_id=entity.id,
            weekly_working_hours=employment.weekly_working_hours,
            full_time_weekly_working_hours=employment.full_time_weekly_working_hours,
        )
