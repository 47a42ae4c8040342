"""People, where they work and what they are paid.

A record has an `id` (a number, unique per kind) and, where vendors use opaque ids, a `uuid` as well.
Timestamps are UTC to the second; absences are kept in the office's local time, without a zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

AttributeValue = str | int | float | bool | list[str]


@dataclass(slots=True)
class LegalEntity:
    """A registered company of the group."""

    id: int
    name: str
    country: str
    currency: str
    created_at: datetime


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
    """An entry of the job catalogue, with its yearly pay in euros at the start; some have no grade yet."""

    id: int
    uuid: str
    name: str
    family: str
    pay: int
    grade: int | None


@dataclass(slots=True)
class SalaryBand:
    """What a job may be paid in a year, in one currency."""

    id: int
    uuid: str
    name: str
    job_id: int
    currency: str
    minimum: float
    maximum: float


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
