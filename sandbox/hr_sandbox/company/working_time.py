"""Generates projects and the working time of recent weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import SATURDAY, Generator
from hr_sandbox.company.seed_data import CLIENTS, PROJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company
    from hr_sandbox.company.model.people import Employment, Project

OLD_SHARE = 0.25
MEMBER_SHARE = 0.12
MAX_MEMBERS = 450


class ProjectGenerator(Generator):
    """Generates the projects of a company that has people."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._cost_centers = [row.id for row in company.cost_centers]

    def generate(self) -> None:
        """Generates all projects, each before its subprojects."""
        for number, (name, parts) in enumerate(PROJECTS):
            project = self._add_project(name, None, number)
            if not project.for_all:
                project.member_ids = self._draw_members()
            for index, part in enumerate(parts):
                self._add_project(f"{name}: {part}", project, index)

    def _add_project(self, name: str, parent: Project | None, number: int) -> Project:
        rng, today = self.rng, self.company.today
        internal = parent is None and number % 4 == 3  # noqa: PLR2004  every fourth one
        start = parent.starts_on if parent else today - timedelta(rng.integer(200, 1500))
        old = parent.status == "ARCHIVED" if parent else rng.chance(OLD_SHARE) and number > 0
        end = self._draw_end(start or today, old=old)
        created_at = rng.timestamp((start or today) - timedelta(rng.integer(1, 20)))
        return self.company.projects.create(
            step=rng.integer(1, 9),
            name=name,
            code=None if rng.chance(0.3) else f"P-{today.year % 100}{number:02}{len(self.company.projects):02}",
            description=None if rng.chance(0.5) else f"{name} @ {self.company.name}",
            client=None if internal else (parent.client if parent else rng.choice(CLIENTS)),
            type="INTERNAL" if internal else "CLIENT",
            billable=not internal,
            for_all=internal,
            cost_center_id=rng.choice(self._cost_centers) if rng.chance(0.7) else None,
            parent_id=parent.id if parent else None,
            status="ARCHIVED" if old else "ACTIVE",
            starts_on=None if internal else start,
            ends_on=None if internal else end,
            created_at=created_at,
            updated_at=rng.draw_later(created_at, 0.6),
        )

    def _draw_end(self, start: date, *, old: bool) -> date | None:
        today = self.company.today
        if old:
            return min(start + timedelta(self.rng.integer(90, 400)), today)
        return None if self.rng.chance(0.5) else today + timedelta(self.rng.integer(10, 500))

    def _draw_members(self) -> list[int]:
        people = [row.id for row in self.company.people if self.rng.chance(MEMBER_SHARE)]
        return people[:MAX_MEMBERS]


WORKING_DAYS = 60
MAX_PERSON_DAYS = 18_000  # a larger company has fewer days, so that it is still generated in seconds
MIN_DAYS = 3
REVIEW_DAYS = 10
COMMENTS = (None, None, None, None, None, "Kundentermin", "Mobiles Arbeiten", "réunion d'équipe", "Überstunden ✓")

Part = tuple[str, datetime, datetime | None]


class Attendances(Generator):
    """Generates the working time of current employees."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._open: dict[int, list[Project]] = {}
        for project in company.projects:
            self._allow_booking(project)

    def generate(self) -> None:
        """Generates the working time of all people."""
        working = [row for row in self.company.employments if row.status == "ACTIVE"]
        days = self._list_working_days(len(working))
        for employment in working:
            self._add_days(employment, days)

    def _allow_booking(self, project: Project) -> None:
        if project.status != "ACTIVE":
            return
        whose = self.company.projects[project.parent_id] if project.parent_id else project
        people = [row.id for row in self.company.people] if whose.for_all else whose.member_ids
        for number in people:
            self._open.setdefault(number, []).append(project)

    def _list_working_days(self, people: int) -> list[date]:
        """Returns the last working days before today, oldest first."""
        count = max(MIN_DAYS, min(WORKING_DAYS, MAX_PERSON_DAYS // max(people, 1)))
        days: list[date] = []
        day = self.company.today
        while len(days) < count:
            day -= timedelta(1)
            if day.weekday() < SATURDAY:
                days.append(day)
        return days[::-1]

    def _add_days(self, employment: Employment, days: list[date]) -> None:
        rng = self.rng
        away = self._find_days_away(employment.person_id, days[0])
        nightly = rng.chance(0.04)
        mode = rng.weighted_choice(("whole", "halves", "plain"), (50, 25, 25))
        share = employment.weekly_working_hours / 40
        week = 5 if share > 0.7 else 4  # noqa: PLR2004  part-time weeks have four days
        for day in days:
            if day < employment.start_date or day.weekday() >= week:
                continue
            if day in away and not rng.chance(0.02):
                continue
            if rng.chance(0.03):
                continue
            minutes = int(share * 480) + rng.integer(-6, 12) * 5
            start = datetime.combine(day, time(22) if nightly else time(7 + rng.integer(0, 2), rng.choice((0, 15, 30))))
            forgotten = day == days[-1] and rng.chance(0.08)
            parts = self._cut_at_today(self._split_day(start, minutes, mode))
            if forgotten:
                kind, begin, _ = parts[-1] if mode == "halves" else parts[0]
                parts = [*parts[:-1], (kind, begin, None)] if mode == "halves" else [(kind, begin, None)]
            self._add_attendances(employment, day, parts, on_time_off=day in away)

    @staticmethod
    def _split_day(start: datetime, minutes: int, mode: str) -> Iterator[Part]:
        """Splits a day into work and breaks. Breaks are within the work or between two periods of work."""
        pause = 30 if minutes > 360 else 0  # noqa: PLR2004  no break is required before six hours
        middle = start + timedelta(minutes=minutes // 2 // 5 * 5)
        end = start + timedelta(minutes=minutes + pause)
        if mode == "plain" or not pause:
            yield "WORK", start, start + timedelta(minutes=minutes)
        elif mode == "whole":
            yield "WORK", start, end
            yield "BREAK", middle, middle + timedelta(minutes=pause)
        else:
            yield "WORK", start, middle
            yield "BREAK", middle, middle + timedelta(minutes=pause)
            yield "WORK", middle + timedelta(minutes=pause), end

    def _cut_at_today(self, parts: Iterator[Part]) -> list[Part]:
        """Returns the parts of a day that began before today. A part that has not ended by then has no end."""
        midnight = datetime.combine(self.company.today, time())
        return [
            (kind, start, end if end and end <= midnight else None) for kind, start, end in parts if start < midnight
        ]

    def _find_days_away(self, person_id: int, since: date) -> set[date]:
        """Returns the days on which a person is absent all day."""
        today, away = self.company.today, set()
        for row in self.company.absences.find_by_owner(person_id):
            if row.start_half is None or row.approval == "REJECTED":
                continue
            day, end = max(row.starts_at.date(), since), (row.ends_at.date() if row.ends_at else today)
            while day < min(end, today):
                away.add(day)
                day += timedelta(1)
        return away

    def _add_attendances(self, employment: Employment, day: date, parts: list[Part], *, on_time_off: bool) -> None:
        rng, company = self.rng, self.company
        projects = self._open.get(employment.person_id)
        project = rng.choice(projects) if projects and rng.chance(0.7) else None
        recent = (company.today - day).days <= REVIEW_DAYS
        approval = rng.weighted_choice(("CONFIRMED", "PENDING", "REJECTED"), (60, 39, 1) if recent else (97, 2, 1))
        automatic = rng.chance(0.05)
        comment = rng.choice(COMMENTS)
        last = parts[-1][2] or parts[-1][1]
        created_at = min(last.replace(tzinfo=UTC) + timedelta(seconds=rng.integer(1, 900)), rng.latest)
        updated_at = created_at
        if rng.chance(0.2):
            updated_at = min(created_at + timedelta(seconds=rng.integer(60, 500_000)), rng.latest)
        for kind, start, end in parts:
            work = kind == "WORK"
            company.attendances.create(
                uuid=rng.uuid(),
                person_id=employment.person_id,
                type=kind,
                starts_at=start,
                ends_at=end,
                day=day,
                comment=comment if work else None,
                project_id=project.id if work and project else None,
                approval=approval,
                automatic=automatic,
                on_time_off=on_time_off,
                created_at=created_at,
                updated_at=updated_at,
            )
