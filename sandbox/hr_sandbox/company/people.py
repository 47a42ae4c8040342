"""Generates people and their employments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator, email_name, next_workday
from hr_sandbox.company.model.people import (
    AttributeValue,
    Department,
    Employment,
    Job,
    Office,
    Person,
    Team,
    Termination,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company

GENDERS = ("FEMALE", "MALE", "DIVERSE", "UNSPECIFIED")
LANGUAGES = ("Deutsch", "English", "français", "polski", "日本語", "Türkçe")
SHIRTS = ("S", "M", "L", "XL; überlang")
BULK_IMPORTS = 6
ONBOARDING_SHARE = 0.02


class People(Generator):
    """Generates the people of a company."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._offices = list(company.offices)
        shares = {plan.city: plan.share for plan in seed_data.OFFICES}
        self._shares = [shares.get(row.city, 1) for row in self._offices]

    def draw_hiring_days(self, count: int) -> list[date]:
        """Returns the first working days, oldest first: more in later years, a few in the future."""
        today = self.company.today
        first = today - timedelta(365 * seed_data.YEARS)
        span = (today - first).days
        planned = int(count * ONBOARDING_SHARE)
        days = [first + timedelta(int(span * self.rng.random.random() ** 0.75)) for _ in range(count - planned)]
        days += [today + timedelta(self.rng.integer(3, 80)) for _ in range(planned)]
        return [next_workday(day) for day in sorted(days)]

    def generate_person(self, first_day: date) -> tuple[Person, Office]:
        """Generates a person who starts on this day. Returns the person and the office."""
        rng = self.rng
        office = rng.weighted_choice(self._offices, self._shares)
        gender = rng.weighted_choice(GENDERS, (47, 47, 3, 3))
        first_name, last_name = rng.person_name(rng.choice(office.locales), male=gender == "MALE")
        created_at = rng.timestamp(min(first_day, self.company.today) - timedelta(rng.integer(1, 45)))
        person = self.company.people.create(
            step=rng.integer(1, 4),
            email="",
            first_name=first_name,
            last_name=last_name,
            preferred_name=f"{first_name} {last_name}" if rng.chance(0.9) else first_name,
            gender=gender,
            has_picture=rng.chance(0.8),
            created_at=created_at,
            updated_at=rng.draw_later(created_at, 0.85),
            attributes=self._draw_attributes(office, first_day),
        )
        person.email = self.make_email(person)
        return person, office

    def make_email(self, person: Person) -> str:
        """Returns a unique address. It contains the number, because names repeat."""
        return f"{email_name(person.first_name, person.last_name)}.{person.id}@{self.company.domain}"

    def _draw_attributes(self, office: Office, first_day: date) -> dict[str, AttributeValue]:
        rng = self.rng
        values: dict[str, AttributeValue | None] = {
            "city": office.city if rng.chance(0.9) else None,
            "dynamic_12345": f"{rng.integer(1000, 1900)}",
            "dynamic_12399": rng.choice(("A-1", "B-7", "Ü-3")) if rng.chance(0.4) else None,
            "dynamic_20417": rng.integer(0, 3) if rng.chance(0.7) else None,
            "dynamic_20418": rng.integer(0, 900) / 10 if rng.chance(0.6) else None,
            "dynamic_20502": self._draw_date(first_day, 0, 2000) if rng.chance(0.3) else None,
            "dynamic_20777": rng.chance(0.5) if rng.chance(0.8) else None,
            "dynamic_30001": sorted({rng.choice(LANGUAGES) for _ in range(rng.integer(0, 3))})
            if rng.chance(0.7)
            else None,
            "dynamic_9f3c1a.77": rng.choice(SHIRTS) if rng.chance(0.5) else None,
            "birthday": self._draw_date(first_day, -23000, -7000) if rng.chance(0.95) else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _draw_date(self, day: date, low: int, high: int) -> str:
        return (day + timedelta(self.rng.integer(low, high))).isoformat()

    def simulate_bulk_imports(self) -> None:
        """Simulates imports that updated many persons in the same second, the last of them most recently.

        Such records are where a strict `updated_at.gt` loses rows.
        """
        rng = self.rng
        today = self.company.today
        timestamps = [
            datetime.combine(rng.day(today - timedelta(2000), today - timedelta(30)), time(2, 30), UTC)
            for _ in range(BULK_IMPORTS)
        ]
        for person in self.company.people:
            timestamp = rng.choice(timestamps)
            if person.updated_at < timestamp and rng.chance(0.5):
                person.updated_at = timestamp
        latest = sorted(self.company.people, key=lambda row: (row.updated_at, row.id))[-4:]
        for person in latest:
            person.updated_at = latest[-1].updated_at


Stint = tuple[date, date | None]

FULL_TIME = {"DE": 40, "PL": 40, "FR": 35, "GB": 37.5, "JP": 40}
PROBATION_DAYS = 181
CONTRACT_DAYS = 730  # of a fixed-term contract
RENEWAL_DAYS = 365
SPAN = 12  # the most direct reports
SEASONAL_HELPER = 5  # the seasonal worker, who returns for every trade fair
SEASONS = 53  # more employments than fit on a page
MAX_FAIR_DAYS = 20  # days
SHORTEST = 90  # days of an employment before anything else happens


class Careers(Generator):
    """Generates the employments of people, in the order in which they are hired."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._jobs: dict[str, list[Job]] = {}
        for job in company.jobs:
            self._jobs.setdefault(job.family, []).append(job)
        self._departments: dict[str, list[Department]] = {}
        for department in company.departments:
            self._departments.setdefault(department.family, []).append(department)
        self._teams: dict[int, list[Team]] = {}
        for team in company.teams:
            self._teams.setdefault(team.department_id, []).append(team)
        self._cost_centers = [row.id for row in company.cost_centers]
        self._leads: dict[str, list[int]] = {}
        self._reports: dict[int, int] = {}

    def generate_employments(self, person: Person, office: Office, first_day: date) -> list[Employment]:
        """Generates all employments of a person who starts on this day, oldest first."""
        position = len(self.company.people)
        external = position > SEASONAL_HELPER and self.rng.chance(0.05)
        family = self.rng.choice(tuple(seed_data.FAMILIES))
        if position == 1:
            stints: list[Stint] = [(first_day, None)]
        elif position == SEASONAL_HELPER:
            family = "marketing"
            stints = list(self._split_into_seasons(first_day))
        else:
            stints = list(self._draw_stints(first_day))
        return [
            self._add_employment(person, office, family, stint, following=following, external=external)
            for stint, following in zip(stints, [*stints[1:], None], strict=True)
        ]

    def generate_open_employment(self, person: Person, office: Office, first_day: date) -> Employment:
        """Generates one open employment for a person who is hired by a control."""
        family = self.rng.choice([row for row in seed_data.FAMILIES if row in self._jobs and row in self._departments])
        heads = [row.person_id for row in self.company.employments if row.supervisor_id is None]
        heads.sort(key=lambda head: not self._is_employed(head, first_day))
        self._leads = {"management": heads} if heads else {}
        return self._add_employment(person, office, family, (first_day, None), following=None, external=False)

    def _split_into_seasons(self, first_day: date) -> Iterator[Stint]:
        every = (self.company.today - first_day).days // SEASONS
        for index in range(SEASONS if every > MAX_FAIR_DAYS else 1):
            day = first_day + timedelta(index * every)
            yield day, day + timedelta(self.rng.integer(4, MAX_FAIR_DAYS) - 1)

    def _draw_stints(self, first_day: date) -> Iterator[Stint]:
        """Returns the first and last day of each employment. The next one follows directly or after a break."""
        rng, today = self.rng, self.company.today
        start = first_day
        while True:
            room = (today - start).days
            if room < SHORTEST or rng.chance(0.55):
                yield start, None
                return
            end = start + timedelta(rng.integer(SHORTEST, max(SHORTEST, room + 60)))
            yield start, end
            gap = rng.weighted_choice((0, None, rng.integer(100, 700)), (45, 38, 17))
            if gap is None or end + timedelta(gap + 1) >= today:
                return
            start = next_workday(end + timedelta(gap + 1)) if gap else end + timedelta(1)

    def _add_employment(
        self,
        person: Person,
        office: Office,
        family: str,
        stint: Stint,
        *,
        following: Stint | None,
        external: bool,
    ) -> Employment:
        rng, company = self.rng, self.company
        start, end = stint
        department = rng.choice(self._departments[family])
        teams = self._teams.get(department.id, [])
        job = rng.choice(self._jobs[family])
        full = FULL_TIME[office.country]
        created_at = max(rng.timestamp(min(start - timedelta(rng.integer(1, 40)), company.today)), person.created_at)
        first = not self._leads
        row = company.employments.create(
            uuid=rng.uuid(),
            person_id=person.id,
            title="Geschäftsführerin" if first else job.name,
            status="ACTIVE",
            type="EXTERNAL" if external else "INTERNAL",
            weekly_working_hours=full if rng.chance(0.75) else rng.choice((20, 24, 30, 32.5)),
            full_time_weekly_working_hours=full,
            start_date=start,
            end_date=end,
            probation_end_date=self._find_probation_end(start, end) if rng.chance(0.8) else None,
            contract_end_date=self._find_contract_end(start, end) if rng.chance(0.1) else None,
            supervisor_id=None if first else self._choose_supervisor(family, person.id, start),
            office_id=office.id,
            legal_entity_id=office.legal_entity_id,
            department_id=department.id,
            team_id=rng.choice(teams).id if teams and rng.chance(0.85) else None,
            job_id=None if external else job.id,
            cost_centers=self._draw_cost_centers(),
            termination=self._draw_termination(start, end, following),
            created_at=created_at,
            updated_at=rng.draw_later(created_at, 0.6),
        )
        row.status = self._draw_status(row)
        row.updated_at = self._find_last_update(row)
        if first or (end is None and not external and rng.chance(0.15)):
            self._leads.setdefault("management" if first else family, []).append(person.id)
        return row

    @staticmethod
    def _find_probation_end(start: date, end: date | None) -> date | None:
        """Returns the end of the probation period, or None if the employment is shorter."""
        day = start + timedelta(PROBATION_DAYS)
        return day if end is None or day <= end else None

    def _find_contract_end(self, start: date, end: date | None) -> date:
        """Returns the end of the contract. A fixed-term contract is renewed until the employment ends."""
        if end is not None:
            return end
        day = start + timedelta(CONTRACT_DAYS)
        while day < self.company.today:
            day += timedelta(RENEWAL_DAYS)
        return day

    @staticmethod
    def _find_last_update(row: Employment) -> datetime:
        """Returns the last update: not before the termination was entered or the employment became inactive."""
        days = [row.termination.decided_on] if row.termination else []
        if row.status == "INACTIVE" and row.end_date:
            days.append(row.end_date)
        # Uses the time of creation, so that it draws no more random values than an open employment.
        timestamps = [datetime.combine(day, row.created_at.timetz()) for day in days]
        return max([row.updated_at, *timestamps])

    def _draw_status(self, row: Employment) -> str:
        today = self.company.today
        if row.start_date > today:
            return "ONBOARDING"
        if row.end_date is not None and row.end_date < today:
            return "INACTIVE"
        settled = row.supervisor_id is not None and (today - row.start_date).days > SHORTEST
        return "LEAVE" if settled and row.type == "INTERNAL" and self.rng.chance(0.04) else "ACTIVE"

    def _choose_supervisor(self, family: str, person_id: int, day: date) -> int:
        """Returns a person who was hired earlier, so that there is no cycle, and who is employed on the day."""
        head = self._leads["management"][0]
        leads = self._leads.get(family, [])
        open_leads = [lead for lead in leads[-8:] if lead != person_id and self._reports.get(lead, 0) < SPAN]
        present = [lead for lead in open_leads if self._is_employed(lead, day)]
        lead = self.rng.choice(present or [head]) if open_leads else head
        self._reports[lead] = self._reports.get(lead, 0) + 1
        return lead

    def _is_employed(self, person_id: int, day: date) -> bool:
        stints = self.company.employments.find_by_owner(person_id)
        return any(row.start_date <= day and (row.end_date is None or day <= row.end_date) for row in stints)

    def _draw_cost_centers(self) -> list[tuple[int, float]]:
        first, second = self.rng.choice(self._cost_centers), self.rng.choice(self._cost_centers)
        if first == second or self.rng.chance(0.85):
            return [(first, 100)]
        weight = self.rng.choice((50, 60, 62.5, 80))
        return [(first, weight), (second, 100 - weight)]

    def _draw_termination(self, start: date, end: date | None, following: Stint | None) -> Termination | None:
        if end is None or (following and following[0] == end + timedelta(1)):
            return None
        kind, reason = self.rng.choice(seed_data.TERMINATIONS)
        decided = max(start, min(end, self.company.today) - timedelta(self.rng.integer(10, 90)))
        decided = min(decided, self.rng.latest.date())
        return Termination(end, end - timedelta(self.rng.integer(0, 3)), decided, kind, reason)
