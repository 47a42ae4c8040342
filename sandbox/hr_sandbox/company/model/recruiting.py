"""Recruiting: openings, candidates, applications and their stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a process. System stages have neither number nor name."""

    id: int | None
    name: str | None
    type: str
    kind: str


@dataclass(slots=True)
class Category:
    """A category of openings, with the stages of its applications."""

    id: int
    name: str
    stages: tuple[Stage, ...]


@dataclass(slots=True)
class Opening:
    """An open or closed position."""

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
    """A person who applied at least once."""

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
    """A change of stage. Its number is its position among them."""

    id: int
    entered_at: datetime
    stage: Stage


@dataclass(slots=True)
class Application:
    """An application of a candidate for an opening. The transitions are sorted oldest first."""

    id: int
    candidate_id: int
    opening_id: int
    applied_on: date
    channel: str
    anonymized: bool
    created_at: datetime
    updated_at: datetime
    transitions: list[Transition] = field(default_factory=list)
