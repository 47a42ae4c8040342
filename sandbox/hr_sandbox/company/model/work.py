"""Projects and working time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


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
