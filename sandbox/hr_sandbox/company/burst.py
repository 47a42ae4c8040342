"""Makes many changes to the company at a steady rate, such as those of a payroll run or an import."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from datetime import time as clock_time
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hr_sandbox.company.changes import Changes
    from hr_sandbox.company.generator import SeededRandom

KINDS = ("person", "absence_period", "attendance_period")
TICK = 0.02  # seconds between groups of changes
CREATED_PER_DELETED = 2
NAMES = ("Ødegård", "Müller", "Nowak", "García", "Öztürk", "佐藤")


class Burst:
    """Changes to records of some kinds: people are edited; absences and working time are created, edited, deleted.

    Attributes:
        done: how many changes were made.
        total: how many there will be.
    """

    def __init__(self, changes: Changes, rng: SeededRandom, total: int, kinds: Sequence[str]) -> None:
        self.done = 0
        self.total = total
        self._changes = changes
        self._rng = rng
        company = changes.company
        self._people = [str(row.id) for row in company.people if company.latest_employment(row.id)]
        self._work = cycle([self._work_on(kind) for kind in kinds])

    async def run(self, per_second: float) -> None:
        """Makes the changes."""
        begin = time.monotonic()
        while self.done < self.total:
            due = min(int((time.monotonic() - begin) * per_second) + 1, self.total)
            while self.done < due:
                next(next(self._work))
                self.done += 1
            await asyncio.sleep(TICK)

    def _work_on(self, kind: str) -> Iterator[None]:
        """Makes one change at each step, forever."""
        if kind == "person":
            while True:
                self._changes.edit(kind, self._choose_person(), "last_name", self._rng.choice(NAMES))
                yield
        kept: list[str] = []
        while True:
            for _ in range(CREATED_PER_DELETED):
                kept.append(self._create(kind))
                yield
            if self._changes.exists(kind, key := kept.pop(self._rng.integer(0, len(kept) - 1))):
                self._changes.edit(kind, key, "comment", self._rng.choice(NAMES))
                yield
                self._changes.delete(kind, key)
                yield

    def _choose_person(self) -> str:
        people = self._changes.company.people
        while True:  # others may delete people meanwhile
            if people.find(key := self._rng.choice(self._people)):
                return key

    def _create(self, kind: str) -> str:
        days = timedelta(self._rng.integer(10, 300) if kind == "absence_period" else -self._rng.integer(1, 50))
        start = datetime.combine(self._changes.company.today + days, clock_time(9))
        if kind == "absence_period":
            start = datetime.combine(start.date(), clock_time())
        return self._changes.create(kind, self._choose_person(), starts_at=start.isoformat())[0].id
