"""Generates openings of recent years and their applications. Some applicants were hired."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator, email_name
from hr_sandbox.company.model.documents import Candidate, Opening, Stage, Transition

if TYPE_CHECKING:
    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company
    from hr_sandbox.company.model.people import Employment, Person

YEARS_BACK = 2
MAX_CANDIDATES = 3000
MAX_DAYS = 60  # days from an application to its end
NEW = Stage(None, None, "SYSTEM", "UNASSIGNED")
FINAL_STAGES = {kind: Stage(None, None, "SYSTEM", kind) for kind in ("ACCEPTED", "REJECTED", "WITHDRAWN")}
OWN_FAMILIES = {"engineering": 1, "production": 2}  # job family -> category; the first category is the default
SENIORITIES = ("entry-level", "experienced", "executive", "student")


class Recruiting(Generator):
    """Generates the openings and applications of a company that has people."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._first = company.today - timedelta(365 * YEARS_BACK)

    def generate(self) -> None:
        """Generates all records."""
        self._add_categories()
        self._add_openings(4 + len(self.company.people) // 12)
        hired = [row for row in self.company.people if self._find_start(row) > self._first and self.rng.chance(0.6)]
        for person in hired[-MAX_CANDIDATES // 4 :]:
            self._add_hired_applicant(person)
        for _ in range(min(len(self.company.people) * 3 // 4, MAX_CANDIDATES)):
            self._add_rejected_applicants()

    def _add_categories(self) -> None:
        number = 300
        for name, own in seed_data.RECRUITING:
            stages = []
            for stage, kind in own:
                number += 1
                stages.append(Stage(number, stage, "CUSTOM", kind))
            self.company.categories.create(name, tuple(stages))

    def _add_openings(self, count: int) -> None:
        rng, company = self.rng, self.company
        jobs, offices, departments = list(company.jobs), list(company.offices), list(company.departments)
        people = [row.person_id for row in company.employments if row.status == "ACTIVE"]
        categories = list(company.categories)
        for _ in range(count):
            job, office = rng.choice(jobs), rng.choice(offices)
            created_at = rng.timestamp(rng.day(self._first - timedelta(60), company.today - timedelta(15)))
            old = (company.today - created_at.date()).days > 240  # noqa: PLR2004  most are filled by then
            company.openings.create(
                step=rng.integer(1, 40),
                name=f"{job.name} ({rng.choice(('m/w/d', 'all genders', 'h/f', office.city))})",
                category_id=categories[OWN_FAMILIES.get(job.family, 0)].id,
                department_id=next(row.id for row in departments if row.family == job.family),
                office_id=office.id,
                job_id=job.id,
                recruiter_ids=sorted({rng.choice(people) for _ in range(rng.integer(1, 3))}) if people else [],
                published=not old or rng.chance(0.1),
                schedule=rng.weighted_choice(("full-time", "part-time"), (85, 15)),
                seniority=rng.weighted_choice(SENIORITIES, (30, 55, 5, 10)),
                created_at=created_at,
                updated_at=rng.draw_later(created_at, 0.7),
            )

    def _find_start(self, person: Person) -> date:
        first: Employment | None = next(iter(self.company.employments.find_by_owner(person.id)), None)
        return first.start_date if first else date.min

    def _add_hired_applicant(self, person: Person) -> None:
        """Adds an application for each hired person if there was a suitable opening."""
        rng = self.rng
        job = self.company.employments.find_by_owner(person.id)[0].job_id
        until = person.created_at.date() - timedelta(5)
        fitting = [row for row in self.company.openings if row.job_id == job and row.created_at.date() < until]
        if fitting:
            opening = rng.choice(fitting)
            candidate = self._add_candidate(person.first_name, person.last_name, person.gender, opening, until)
            self._add_application(candidate, opening, "ACCEPTED", until)

    def _add_rejected_applicants(self) -> None:
        rng = self.rng
        openings = list(self.company.openings)
        opening = rng.choice(openings)
        locale, male = rng.choice(self.company.offices[opening.office_id].locales), rng.chance(0.5)
        first_name, last_name = rng.person_name(locale, male=male)
        gender = rng.weighted_choice(("MALE" if male else "FEMALE", None), (70, 30))
        candidate = self._add_candidate(first_name, last_name, gender, opening, self.company.today - timedelta(2))
        end = rng.weighted_choice((None, "REJECTED", "WITHDRAWN"), (30, 58, 12) if opening.published else (0, 80, 20))
        self._add_application(candidate, opening, end, self.company.today)
        if rng.chance(0.15):
            later = [row for row in openings if row.created_at > candidate.created_at]
            if later:
                self._add_application(candidate, rng.choice(later), "REJECTED", self.company.today)

    def _add_candidate(
        self, first_name: str, last_name: str, gender: str | None, opening: Opening, until: date
    ) -> Candidate:
        rng, company = self.rng, self.company
        number = company.candidates.next_id(rng.integer(1, 5))
        name = email_name(first_name, last_name)
        created_at = rng.timestamp(rng.day(opening.created_at.date() + timedelta(1), until))
        return company.candidates.add(
            Candidate(
                id=number,
                first_name=first_name,
                last_name=last_name,
                email=f"{name}.{number}@mail.example",
                gender=gender,
                phone=f"+49 30 {rng.integer(100_000, 999_999)}" if rng.chance(0.6) else None,
                location=company.offices[opening.office_id].city if rng.chance(0.7) else None,
                birthday=rng.day(date(1960, 1, 1), date(2004, 1, 1)) if rng.chance(0.2) else None,
                profile=f"https://profiles.example/{name}-{number}" if rng.chance(0.4) else None,
                available_from=company.today + timedelta(rng.integer(0, 120)) if rng.chance(0.3) else None,
                created_at=created_at,
                updated_at=rng.draw_later(created_at, 0.4),
            )
        )

    def _add_application(self, candidate: Candidate, opening: Opening, end: str | None, until: date) -> None:
        rng, company = self.rng, self.company
        day = min(max(candidate.created_at.date(), opening.created_at.date() + timedelta(1)), until)
        created_at = max(rng.timestamp(day), candidate.created_at)
        stages = company.categories[opening.category_id].stages
        passed = [NEW, *stages[: len(stages) if end == "ACCEPTED" else rng.integer(0, len(stages))]]
        passed += [FINAL_STAGES[end]] if end else []
        latest = min(datetime.combine(until + timedelta(1), time(), UTC), rng.latest)
        span = min(int((latest - created_at).total_seconds()), MAX_DAYS * 86_400)
        if span <= len(passed):
            passed = passed[:1]
        seconds = [0, *sorted(rng.random.sample(range(1, span), len(passed) - 1))] if len(passed) > 1 else [0]
        transitions = [
            Transition(index, created_at + timedelta(seconds=offset), stage)
            for index, (stage, offset) in enumerate(zip(passed, seconds, strict=True), 1)
        ]
        company.applications.create(
            step=rng.integer(1, 6),
            candidate_id=candidate.id,
            opening_id=opening.id,
            applied_on=created_at.date(),
            channel=rng.choice(seed_data.CHANNELS),
            anonymized=end == "REJECTED" and rng.chance(0.05),
            created_at=created_at,
            updated_at=rng.draw_later(transitions[-1].entered_at, 0.3),
            transitions=transitions,
        )
