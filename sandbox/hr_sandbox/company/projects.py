"""Projects: for clients or the company's own, some with parts, some for everybody."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.catalogue import CLIENTS, PROJECTS
from hr_sandbox.company.model import Company, Project

if TYPE_CHECKING:
    from hr_sandbox.company.dice import Dice

OLD_SHARE = 0.25
MEMBER_SHARE = 0.12
MOST_MEMBERS = 450


class Projects:
    """Makes the projects of a company that has its people."""

    def __init__(self, company: Company, dice: Dice) -> None:
        """Make projects for this company."""
        self.company = company
        self.dice = dice
        self._cost_centers = [row.id for row in company.cost_centers]

    def make(self) -> None:
        """Make all projects, each before its parts."""
        for number, (name, parts) in enumerate(PROJECTS):
            project = self._project(name, None, number)
            if not project.for_all:
                project.member_ids = self._members()
            for index, part in enumerate(parts):
                self._project(f"{name}: {part}", project, index)

    def _project(self, name: str, parent: Project | None, number: int) -> Project:
        dice, today = self.dice, self.company.today
        internal = parent is None and number % 4 == 3  # noqa: PLR2004  every fourth one
        start = parent.starts_on if parent else today - timedelta(dice.number(200, 1500))
        old = parent.status == "ARCHIVED" if parent else dice.chance(OLD_SHARE) and number > 0
        end = self._end(start or today, old=old)
        created_at = dice.stamp((start or today) - timedelta(dice.number(1, 20)))
        return self.company.projects.add(
            Project(
                id=self.company.projects.next_id(dice.number(1, 9)),
                name=name,
                code=None if dice.chance(0.3) else f"P-{today.year % 100}{number:02}{len(self.company.projects):02}",
                description=None if dice.chance(0.5) else f"{name} @ {self.company.name}",
                client=None if internal else (parent.client if parent else dice.pick(CLIENTS)),
                type="INTERNAL" if internal else "CLIENT",
                billable=not internal,
                for_all=internal,
                cost_center_id=dice.pick(self._cost_centers) if dice.chance(0.7) else None,
                parent_id=parent.id if parent else None,
                status="ARCHIVED" if old else "ACTIVE",
                starts_on=None if internal else start,
                ends_on=None if internal else end,
                created_at=created_at,
                updated_at=dice.later(created_at, 0.6),
            )
        )

    def _end(self, start: date, *, old: bool) -> date | None:
        today = self.company.today
        if old:
            return min(start + timedelta(self.dice.number(90, 400)), today)
        return None if self.dice.chance(0.5) else today + timedelta(self.dice.number(10, 500))

    def _members(self) -> list[int]:
        people = [row.id for row in self.company.people if self.dice.chance(MEMBER_SHARE)]
        return people[:MOST_MEMBERS]
