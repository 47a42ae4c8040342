"""Recruiting: what is open, who applies, and how far they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a process; those of the system have neither number nor name."""

    id: int | None
    name: str | None
    type: str
    kind: str


@dataclass(slots=True)
class Category:
    """A kind of opening, with the steps that its applications take."""

    id: int
    name: str
    stages: tuple[Stage, ...]


@dataclass(slots=True)
class Opening:
    """A position that is or was to be filled."""

    id: int
    name: str
    category_id: int
    department_id: int
    office_id: int
    job_id: int
    recruiter_ids: list[int]
    published: bool
    schedule: str
    seniority: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Candidate:
    """Somebody who applied, once or several times."""

    id: int
    first_name: str
    last_name: str
    email: str
    gender: str | None
    phone: str | None
    location: str | None
    birthday: date | None
    profile: str | None
    available_from: date | None
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Transition:
    """When an application came to a stage; its number is its place among them."""

    id: int
    entered_at: datetime
    stage: Stage


@dataclass(slots=True)
class Application:
    """One candidate's application for one opening; the transitions are oldest first."""

    id: int
    candidate_id: int
    opening_id: int
    applied_on: date
    channel: str
    anonymized: bool
    created_at: datetime
    updated_at: datetime
    transitions: list[Transition] = field(default_factory=list)
