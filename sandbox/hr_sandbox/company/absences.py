"""Generates absences. They lie within employments, do not overlap, and are planned up to a year ahead."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import SATURDAY, Generator, next_workday
from hr_sandbox.company.model.people import Absence, AbsenceDay, AbsenceType, Employment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company

PER_YEAR = 2.5
PLANNED_DAYS = 365
LEAVE_DAYS = 45
ILL_NOW_DAYS = 12
SEVERAL_SHARE = 0.15  # of the absences in hours
WORK_BEGINS, WORK_ENDS = 9, 17
FIRST, SECOND = "FIRST_HALF", "SECOND_HALF"
MIDNIGHT = time()
ILLNESS = "SICK_LEAVE"


class Absences(Generator):
    """Generates the absences of people."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._types = list(company.absence_types)
        self._shares = [share for *_, share in seed_data.ABSENCE_TYPES]
        self._leave = next(row for row in self._types if row.category == "PARENTAL_LEAVE")
        self._vacation = self._types[0]

    def generate(self, employments: list[Employment]) -> None:
        """Generates a person's absences, from the first employment to next year's plans."""
        for employment in employments:
            if employment.type == "INTERNAL":
                self._generate_during(employment)

    def _generate_during(self, employment: Employment) -> None:
        rng, today = self.rng, self.company.today
        horizon = today + timedelta(PLANNED_DAYS)
        last = min(employment.end_date or horizon, horizon)
        leave_from = today - timedelta(LEAVE_DAYS) if employment.status == "LEAVE" else None
        day = employment.start_date
        while True:
            pace = PER_YEAR if day < today else PER_YEAR / 2
            day = next_workday(day + timedelta(1 + int(rng.random.expovariate(pace / 365))))
            if leave_from and day >= leave_from - timedelta(1):
                self._add_long_leave(employment, next_workday(leave_from))
                return
            if day >= last:
                return
            kind = rng.weighted_choice(self._types, self._shares) if day <= today else self._vacation
            limit = min(last, leave_from - timedelta(1)) if leave_from else last
            if kind.unit == "HOURLY":
                self._add_hours(employment, kind, day)
            else:
                day = self._add_days(employment, kind, day, limit)

    def _add_long_leave(self, employment: Employment, first: date) -> None:
        """Adds the leave that the employment's status refers to. Some have no end yet."""
        end = None if self.rng.chance(0.5) else self.company.today + timedelta(self.rng.integer(20, 300))
        if end and employment.end_date:
            end = min(end, employment.end_date)
        until = self._make_start(end + timedelta(1)) if end else None
        self._add_absence(employment, self._leave, self._make_start(first), until, (FIRST, SECOND if until else None))

    def _add_days(self, employment: Employment, kind: AbsenceType, first: date, last: date) -> date:
        rng, today = self.rng, self.company.today
        recent = 0 <= (today - first).days < ILL_NOW_DAYS and employment.end_date is None
        if recent and kind.category == ILLNESS:
            self._add_absence(employment, kind, self._make_start(first), None, (FIRST, None))
            return last
        final = min(first + timedelta(rng.weighted_choice((0, 1, 2, 4, 6, 13), (30, 15, 15, 15, 15, 10))), last)
        halves = (FIRST, SECOND)
        if rng.chance(0.12):
            halves = rng.choice(((SECOND, SECOND), (FIRST, FIRST))) if first == final else (SECOND, SECOND)
        self._add_absence(employment, kind, self._make_start(first), self._make_start(final + timedelta(1)), halves)
        return final + timedelta(1)

    def _add_hours(self, employment: Employment, kind: AbsenceType, day: date) -> None:
        start = datetime.combine(day, time(self.rng.integer(8, 14), self.rng.choice((0, 15, 30))))
        end = start + timedelta(minutes=self.rng.choice((45, 60, 90, 120, 240)))
        self._add_absence(employment, kind, start, end, (None, None))

    @staticmethod
    def _make_start(day: date) -> datetime:
        return datetime.combine(day, MIDNIGHT)

    def _add_absence(
        self,
        employment: Employment,
        kind: AbsenceType,
        start: datetime,
        end: datetime | None,
        halves: tuple[str | None, str | None],
    ) -> None:
        rng, today = self.rng, self.company.today
        lead = 0 if kind.category == ILLNESS else rng.integer(1, 60)
        known_since = self.company.people[employment.person_id].created_at
        created_at = max(rng.timestamp(min(start.date() - timedelta(lead), today)), known_since)
        pending = start.date() > today and rng.chance(0.3)
        self.company.absences.create(
            uuid=rng.uuid(),
            person_id=employment.person_id,
            type_id=kind.id,
            starts_at=start,
            ends_at=end,
            start_half=halves[0],
            end_half=halves[1],
            timezone=self.company.offices[employment.office_id].timezone,
            comment=rng.choice(seed_data.COMMENTS),
            approval="PENDING" if pending else rng.weighted_choice(("APPROVED", "REJECTED"), (95, 5)),
            created_at=created_at,
            updated_at=rng.draw_later(created_at, 0.25),
        )


def extend_over_days(company: Company, rng: SeededRandom) -> None:
    """Extends some absences in hours to the morning of a later day, if nothing overlaps."""
    hourly = {row.id for row in company.absence_types if row.unit == "HOURLY"}
    for row in company.absences:
        if row.type_id not in hourly or not rng.chance(SEVERAL_SHARE):
            continue
        day = next_workday(row.starts_at.date() + timedelta(rng.integer(1, 2)))
        end = datetime.combine(day, time(rng.integer(10, 12), rng.choice((0, 30))))
        others = [other for other in company.absences.find_by_owner(row.person_id) if other is not row]
        free = all(other.starts_at >= end or (other.ends_at or end) <= row.starts_at for other in others)
        stints = company.employments.find_by_owner(row.person_id)
        if free and any(
            stint.start_date <= row.starts_at.date() and (stint.end_date is None or day <= stint.end_date)
            for stint in stints
        ):
            row.ends_at = end


def split_into_days(row: Absence, today: date) -> Iterator[AbsenceDay]:
    """Returns the days of an absence. Weekends count zero, and an open absence lasts until today."""
    first = row.starts_at.date()
    if row.start_half is None:
        yield from _split_hours(row.starts_at, row.ends_at or row.starts_at)
        return
    last = (row.ends_at.date() if row.ends_at else max(today, first) + timedelta(1)) - timedelta(1)
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        amount = 0.0 if day.weekday() >= SATURDAY else 1.0
        if (day == first and row.start_half == SECOND) or (day == last and row.end_half == FIRST):
            amount /= 2
        yield AbsenceDay(number, day, amount)


def _split_hours(start: datetime, end: datetime) -> Iterator[AbsenceDay]:
    """Returns the hours of each day: the usual working time if there are several days, and none on weekends."""
    first, last = start.date(), end.date()
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        begins = start if day == first else datetime.combine(day, time(WORK_BEGINS))
        ends = end if day == last else datetime.combine(day, time(WORK_ENDS))
        worked = first == last or day.weekday() < SATURDAY
        yield AbsenceDay(number, day, round(max((ends - begins).total_seconds(), 0) / 3600, 2) if worked else 0.0)
