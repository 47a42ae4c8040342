"""What the company is made of. Every vendor renders these records in its own words.

A record has an `id` (a number, unique per kind) and, where vendors use opaque ids, a `uuid` as well.
Timestamps are UTC to the second; absences are kept in the office's local time, without a zone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

AttributeValue = str | int | float | bool | list[str]


class Record(Protocol):
    """Anything with a number."""

    @property
    def id(self) -> int:
        """The number, unique per kind."""


R = TypeVar("R", bound=Record)


def key_of(record: Record) -> str:
    """The id that vendors with opaque ids show: the uuid where there is one, else the number."""
    return str(getattr(record, "uuid", record.id))


@dataclass(slots=True)
class LegalEntity:
    """A registered company of the group."""

    id: int
    name: str
    country: str
    currency: str


@dataclass(slots=True)
class Office:
    """A place of work."""

    id: int
    name: str
    city: str
    country: str
    timezone: str
    legal_entity_id: int
    locales: tuple[str, ...]


@dataclass(slots=True)
class CostCenter:
    """What costs are booked on."""

    id: int
    uuid: str
    name: str


@dataclass(slots=True)
class Job:
    """An entry of the job catalogue, with its yearly pay in euros at the start."""

    id: int
    uuid: str
    name: str
    family: str
    pay: int


@dataclass(slots=True)
class Department:
    """A part of the company; `parent_id` is None for the company's root."""

    id: int
    name: str
    description: str | None
    abbreviation: str | None
    parent_id: int | None
    family: str


@dataclass(slots=True)
class Team:
    """People of one department who work together. Its numbers overlap those of departments."""

    id: int
    name: str
    description: str | None
    abbreviation: str | None
    parent_id: int | None
    department_id: int


@dataclass(slots=True)
class AttributeDefinition:
    """A field that the company itself defined for its people."""

    id: str
    type: str
    label: str | None
    global_id: str | None


@dataclass(slots=True)
class Person:
    """Somebody who works, worked or will work here."""

    id: int
    email: str
    first_name: str
    last_name: str
    preferred_name: str
    gender: str
    has_picture: bool
    created_at: datetime
    updated_at: datetime
    attributes: dict[str, AttributeValue] = field(default_factory=dict)


@dataclass(slots=True)
class Termination:
    """How an employment ended."""

    ends_on: date
    last_working_day: date
    decided_on: date
    type: str
    reason: str | None


@dataclass(slots=True)
class Employment:
    """One contract of a person, from its first day to its last (inclusive)."""

    id: int
    uuid: str
    person_id: int
    title: str
    status: str
    type: str
    weekly_working_hours: float
    full_time_weekly_working_hours: float
    start_date: date
    end_date: date | None
    probation_end_date: date | None
    contract_end_date: date | None
    supervisor_id: int | None
    office_id: int
    legal_entity_id: int
    department_id: int
    team_id: int | None
    job_id: int | None
    cost_centers: list[tuple[int, float]]
    termination: Termination | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class AbsenceType:
    """A kind of absence, counted in days or in hours."""

    id: int
    uuid: str
    name: str
    category: str
    unit: str


@dataclass(slots=True)
class Absence:
    """Time away. For day units the end is the exclusive midnight; None means that it is not known yet."""

    id: int
    uuid: str
    person_id: int
    type_id: int
    starts_at: datetime
    ends_at: datetime | None
    start_half: str | None
    end_half: str | None
    timezone: str
    comment: str | None
    approval: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class CompensationType:
    """A kind of pay."""

    id: int
    uuid: str
    name: str
    category: str


@dataclass(slots=True)
class Compensation:
    """Pay that is in effect from its first day to its last (inclusive; None while it goes on)."""

    id: int
    uuid: str
    person_id: int
    type_id: int
    amount: float
    currency: str
    interval: str | None
    effective_from: date
    effective_to: date | None
    legal_entity_id: int
    weekly_working_hours: float
    full_time_weekly_working_hours: float

    def in_effect(self, first: date, last: date) -> bool:
        """Whether it is in effect on any day of the window (both days inclusive)."""
        return self.effective_from <= last and (self.effective_to is None or self.effective_to >= first)


class Table(Generic[R]):
    """Records of one kind in the order of their numbers, found by number or uuid, grouped by an owner."""

    def __init__(self, kind: str, first_id: int, owner: Callable[[R], int] | None = None) -> None:
        """Make an empty table.

        Args:
            kind: what one record is, such as `person`.
            first_id: the number before the first one that `next_id` gives.
            owner: the number of the record's owner, for `of`.
        """
        self.kind = kind
        self._last_id = first_id
        self._owner = owner
        self._rows: dict[int, R] = {}
        self._numbers: dict[str, int] = {}
        self._owned: defaultdict[int, list[R]] = defaultdict(list)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> R:
        return self._rows[number]

    def __contains__(self, number: int) -> bool:
        return number in self._rows

    def next_id(self, step: int = 1) -> int:
        """Take the next free number."""
        self._last_id += step
        return self._last_id

    def add(self, row: R) -> R:
        """Add a record."""
        self._rows[row.id] = row
        self._numbers[key_of(row)] = row.id
        if self._owner:
            self._owned[self._owner(row)].append(row)
        return row

    def remove(self, row: R) -> None:
        """Take a record out."""
        del self._rows[row.id]
        del self._numbers[key_of(row)]
        if self._owner:
            self._owned[self._owner(row)].remove(row)

    def find(self, key: str) -> R | None:
        """The record with this opaque id, or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def of(self, owner_id: int) -> list[R]:
        """The records of one owner, oldest first."""
        return list(self._owned.get(owner_id, ()))


class Company:
    """All records, and a version that rises with every change."""

    def __init__(self, name: str, domain: str, seed: int, today: date) -> None:
        """Make a company without records."""
        self.name = name
        self.domain = domain
        self.seed = seed
        self.today = today
        self.version = 0
        self.attributes: list[AttributeDefinition] = []
        self.legal_entities: Table[LegalEntity] = Table("legal_entity", 170)
        self.offices: Table[Office] = Table("office", 60300)
        self.cost_centers: Table[CostCenter] = Table("cost_center", 20)
        self.jobs: Table[Job] = Table("job", 500)
        # Both begin at the same number: org unit numbers are unique per type only.
        self.departments: Table[Department] = Table("department", 400)
        self.teams: Table[Team] = Table("team", 400)
        # Begins below 10000, so that numbers sorted as text are in another order.
        self.people: Table[Person] = Table("person", 9600)
        self.employments: Table[Employment] = Table("employment", 30000, lambda row: row.person_id)
        self.absence_types: Table[AbsenceType] = Table("absence_type", 80)
        self.absences: Table[Absence] = Table("absence_period", 700000, lambda row: row.person_id)
        self.compensation_types: Table[CompensationType] = Table("compensation_type", 40)
        self.compensations: Table[Compensation] = Table("compensation", 50000, lambda row: row.person_id)

    def latest_employment(self, person_id: int) -> Employment | None:
        """The employment that began last, or None."""
        return max(self.employments.of(person_id), key=lambda row: (row.start_date, row.id), default=None)
