"""Generates projects: for clients or internal, some with subprojects, some open to everyone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model import Company, Project
from hr_sandbox.company.seed_data import CLIENTS, PROJECTS

if TYPE_CHECKING:
    from hr_sandbox.company.seeded_random import SeededRandom

OLD_SHARE = 0.25
MEMBER_SHARE = 0.12
MAX_MEMBERS = 450


class Projects(Generator):
    """Generates the projects of a company that has persons."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        self._cost_centers = [row.id for row in company.cost_centers]

    def make(self) -> None:
        """Generate all projects, each before its subprojects."""
        for number, (name, parts) in enumerate(PROJECTS):
            project = self._project(name, None, number)
            if not project.for_all:
                project.member_ids = self._members()
            for index, part in enumerate(parts):
                self._project(f"{name}: {part}", project, index)

    def _project(self, name: str, parent: Project | None, number: int) -> Project:
        rng, today = self.rng, self.company.today
        internal = parent is None and number % 4 == 3  # noqa: PLR2004  every fourth one
        start = parent.starts_on if parent else today - timedelta(rng.integer(200, 1500))
        old = parent.status == "ARCHIVED" if parent else rng.chance(OLD_SHARE) and number > 0
        end = self._end(start or today, old=old)
        created_at = rng.timestamp((start or today) - timedelta(rng.integer(1, 20)))
        return self.company.projects.add(
            Project(
                id=self.company.projects.next_id(rng.integer(1, 9)),
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
                updated_at=rng.later(created_at, 0.6),
            )
        )

    def _end(self, start: date, *, old: bool) -> date | None:
        today = self.company.today
        if old:
            return min(start + timedelta(self.rng.integer(90, 400)), today)
        return None if self.rng.chance(0.5) else today + timedelta(self.rng.integer(10, 500))

    def _members(self) -> list[int]:
        people = [row.id for row in self.company.people if self.rng.chance(MEMBER_SHARE)]
        return people[:MAX_MEMBERS]
