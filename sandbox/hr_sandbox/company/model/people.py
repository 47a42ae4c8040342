"""People, where they work and when, and what they are paid.

A record has an `id` (a number, unique per kind) and, where vendors use opaque ids, also a `uuid`.
Timestamps are UTC to the second. Absences are in the office's local time, without a zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

AttributeValue = str | int | float | bool | list[str]


@dataclass(slots=True)
class LegalEntity:
    """A legal entity of the group."""

    id: int
    name: str
    country: str
    currency: str
    created_at: datetime


@dataclass(slots=True)
class Office:
    """A workplace."""

    id: int
    name: str
    city: str
    country: str
    timezone: str
    legal_entity_id: int
    locales: tuple[str, ...]


@dataclass(slots=True)
class CostCenter:
    """A cost center."""

    id: int
    uuid: str
    name: str


@dataclass(slots=True)
class Job:
    """A job with its initial yearly pay in euros. Some have no grade yet."""

    id: int
    uuid: str
    name: str
    family: str
    pay: int
    grade: int | None


@dataclass(slots=True)
class SalaryBand:
    """The salary range of a job per year, in one currency."""

    id: int
    uuid: str
    name: str
    job_id: int
    currency: str
    minimum: float
    maximum: float


@dataclass(slots=True)
class Department:
    """A department. `parent_id` is None for the root."""

    id: int
    name: str
    description: str | None
    abbreviation: str | None
    parent_id: int | None
    family: str


@dataclass(slots=True)
class Team:
    """A team within a department. Its numbers overlap those of departments."""

    id: int
    name: str
    description: str | None
    abbreviation: str | None
    parent_id: int | None
    department_id: int


@dataclass(slots=True)
class AttributeDefinition:
    """A custom attribute of people."""

    id: str
    type: str
    label: str | None
    global_id: str | None


@dataclass(slots=True)
class Person:
    """A former, current or future employee."""

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
    """The termination of an employment."""

    ends_on: date
    last_working_day: date
    decided_on: date
    type: str
    reason: str | None


@dataclass(slots=True)
class Employment:
    """A contract of a person, from its first to its last day (inclusive)."""

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
    """A type of absence, counted in days or in hours."""

    id: int
    uuid: str
    name: str
    category: str
    unit: str


@dataclass(slots=True)
class Absence:
    """An absence. In days, its end is the exclusive midnight; None means that it is not known yet."""

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
    """A type of pay."""

    id: int
    uuid: str
    name: str
    category: str


@dataclass(slots=True)
class Compensation:
    """Pay from its first to its last day (inclusive; None while it continues)."""

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

    def is_in_effect(self, first: date, last: date) -> bool:
        """Returns whether it is in effect on any day of the window (inclusive)."""
        return self.effective_from <= last and (self.effective_to is None or self.effective_to >= first)


@dataclass(slots=True)
class Project:
    """A project. Its end is exclusive.

    A project has members, or everyone may record time on it. Subprojects have the members of their parent.
    """

    id: int
    name: str
    code: str | None
    description: str | None
    client: str | None
    type: str
    billable: bool
    for_all: bool
    cost_center_id: int | None
    parent_id: int | None
    status: str
    starts_on: date | None
    ends_on: date | None
    created_at: datetime
    updated_at: datetime
    member_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Attendance:
    """Work or a break, in the office's local time without a zone. The end is None while it is running."""

    id: int
    uuid: str
    person_id: int
    type: str
    starts_at: datetime
    ends_at: datetime | None
    day: date
    comment: str | None
    project_id: int | None
    approval: str
    automatic: bool
    on_time_off: bool
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class AbsenceDay:
    """The part of an absence on one day. Its number is that of the day."""

    id: int
    day: date
    amount: float
