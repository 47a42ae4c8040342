"""Learning data of the company: trainings, transcripts and assignments. The same company has the same data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.portal import PORTAL_DATA
from hr_sandbox.cornerstone.timestamps import DAY, MINUTE, to_ticks
from hr_sandbox.stable_random import stable_chance, stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Employment, Person

TRAININGS, PER_PERSON, ASSIGNMENTS = 120, 8, 14
DAYS_BACK = 700
# Code, id, title and share of each training type.
TRAINING_TYPES: tuple[tuple[str, int, str, int], ...] = PORTAL_DATA["training_types"]
TOPICS: tuple[str, ...] = PORTAL_DATA["topics"]
STATUSES: tuple[tuple[int, str], ...] = PORTAL_DATA["statuses"]
REGISTERED, COMPLETED = 4, 16
CULTURES: tuple[tuple[int, str, str], ...] = PORTAL_DATA["cultures"]


@dataclass(frozen=True, slots=True)
class Training:
    """A training."""

    index: int
    object_id: str
    type: str
    title: str
    active: bool
    hours: float
    price: float
    created: int
    modified: int
    parent_id: str | None  # the event that a session belongs to


@dataclass(frozen=True, slots=True)
class Transcript:
    """A person's attempt at a training. A training may be taken several times."""

    user_id: int
    training: Training
    reg_num: int
    latest: bool
    status_id: int
    created: int
    started: int | None
    completed: int | None
    modified: int
    score: int | None
    assignment_id: int | None


@dataclass(slots=True)
class Registration:
    """A training that a control has assigned to a person."""

    index: int
    assigned: int
    completed: int | None


class Snapshot:
    """The company and its learning data at present, with the registrations that controls have added, by person."""

    def __init__(self, company: Company, registrations: Mapping[int, Sequence[Registration]] | None = None) -> None:
        self.company = company
        self._registrations = registrations or {}
        self.latest = to_ticks(company.today) - MINUTE

    @cached_property
    def people(self) -> list[Person]:
        """All people, including former and future employees."""
        return list(self.company.people)

    @cached_property
    def employments(self) -> dict[int, Employment]:
        """The latest employment by person."""
        found = ((row.id, self.company.latest_employment(row.id)) for row in self.people)
        return {number: row for number, row in found if row is not None}

    def is_active(self, person_id: int) -> bool:
        """Returns whether a person is employed today."""
        row = self.employments.get(person_id)
        return row is not None and (row.end_date is None or row.end_date >= self.company.today)

    @cached_property
    def trainings(self) -> list[Training]:
        """All trainings."""
        kinds = [code for code, _, _, share in TRAINING_TYPES for _ in range(share)]
        found: list[Training] = []
        events: list[str] = []
        for index in range(TRAININGS):
            words = (self.company.seed, "training", index)
            code = kinds[index * len(kinds) // TRAININGS]
            object_id = stable_uuid(*words)
            if code == "EVNT":
                events.append(object_id)
            created = self._draw_past_time(DAYS_BACK + 300, *words, "created")
            found.append(
                Training(
                    index=index,
                    object_id=object_id,
                    type=code,
                    title=f"{stable_choice(TOPICS, *words)} {index // len(TOPICS) + 1}",
                    active=not stable_chance(12, *words, "active"),
                    hours=stable_number(*words, "hours") % 64 / 4,
                    price=stable_number(*words, "price") % 40_000 / 100 if stable_chance(30, *words, "paid") else 0.0,
                    created=created,
                    modified=self._draw_later_time(created, *words, "modified"),
                    parent_id=events[index % len(events)] if code == "SESS" else None,
                )
            )
        return found

    @cached_property
    def transcripts(self) -> list[Transcript]:
        """All transcripts, ordered by person."""
        return [row for person in self.people for row in self._make_transcripts(person)]

    def _make_transcripts(self, person: Person) -> list[Transcript]:
        found: list[Transcript] = []
        seed, number = self.company.seed, person.id
        many = stable_number(seed, "many", number) % (2 * PER_PERSON + 1)
        chosen = sorted({stable_number(seed, number, place) % TRAININGS for place in range(many)})
        for index in chosen:
            times = 2 if stable_chance(6, seed, number, index, "again") else 1
            found += [self._make_transcript(number, index, turn + 1, latest=turn == times - 1) for turn in range(times)]
        for row in self._registrations.get(number, ()):
            found = self._register(found, number, row)
        return found

    def _register(self, taken: list[Transcript], number: int, row: Registration) -> list[Transcript]:
        """Returns a person's transcripts with one more, which is the latest of its training."""
        training = self.trainings[row.index]
        before = [replace(other, latest=False) if other.training is training else other for other in taken]
        added = Transcript(
            user_id=number,
            training=training,
            reg_num=1 + sum(other.training is training for other in taken),
            latest=True,
            status_id=REGISTERED if row.completed is None else COMPLETED,
            created=row.assigned,
            started=row.completed,
            completed=row.completed,
            modified=row.completed or row.assigned,
            score=None,
            assignment_id=None,
        )
        return [*before, added]

    def _make_transcript(self, number: int, index: int, reg_num: int, *, latest: bool) -> Transcript:
        words = (self.company.seed, number, index, reg_num)
        status = (
            stable_choice((COMPLETED, COMPLETED, COMPLETED, *(row[0] for row in STATUSES)), *words, "status")
            if latest
            else COMPLETED
        )
        # Many were modified in the last month.
        created = self._draw_past_time(25 if stable_chance(20, *words, "recent") else DAYS_BACK, *words, "created")
        modified = self._draw_later_time(created, *words, "modified")
        modified -= modified % MINUTE
        started = status in {8, COMPLETED, 65_540}
        return Transcript(
            user_id=number,
            training=self.trainings[index],
            reg_num=reg_num,
            latest=latest,
            status_id=status,
            created=created,
            started=min(created + stable_number(*words, "start") % 9 * DAY, modified) if started else None,
            completed=modified if status == COMPLETED else None,
            modified=modified,
            score=stable_number(*words, "score") % 101 if status == COMPLETED else None,
            assignment_id=1 + index % ASSIGNMENTS if stable_chance(40, *words, "assigned") else None,
        )

    def _draw_past_time(self, days: int, *words: object) -> int:
        return (
            self.latest - stable_number(*words) % (days * 1440) * MINUTE - stable_number(*words, "s") % 60 * 10_000_000
        )

    def _draw_later_time(self, timestamp: int, *words: object) -> int:
        return timestamp + stable_number(*words) % max((self.latest - timestamp) // MINUTE, 1) * MINUTE


def stable_uuid(*words: object) -> str:
    """Returns a UUID that is determined by the words."""
    parts = [f"{stable_number(*words, place):08x}" for place in range(4)]
    return f"{parts[0]}-{parts[1][:4]}-4{parts[1][5:]}-a{parts[2][1:4]}-{parts[2][4:]}{parts[3]}"
