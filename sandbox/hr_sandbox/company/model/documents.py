"""Documents, reports, webhooks and recruiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(slots=True)
class DocumentCategory:
    """A category of documents."""

    id: int
    name: str


@dataclass(slots=True)
class Document:
    """The metadata of a document. There is no file."""

    id: int
    uuid: str
    owner_id: int
    category_id: int
    name: str
    day: date | None
    comment: str | None
    media_type: str
    size: int
    scan: str
    signature: str | None
    created_at: datetime


@dataclass(slots=True)
class Report:
    """A report.

    Attributes:
        columns: ids of attributes, in order.
        about: what a row is, such as `people`.
        grouped: whether its rows are grouped.
        shared: whether it can be read through the API.
    """

    id: int
    uuid: str
    name: str
    about: str
    columns: tuple[str, ...]
    grouped: bool
    shared: bool
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class CustomReport:
    """A custom report, the older kind: rows of people, on a day or in a period.

    Attributes:
        type: point_in_time, timeframe or historical_data.
        status: up_to_date, updating or update_failed.
        period: how its dates are defined, such as `fixed`.
        filters: each a column, a comparison and a value.
    """

    id: int
    uuid: str
    name: str
    description: str
    author: tuple[str, str]
    type: str
    status: str
    period: str
    starts_on: date
    ends_on: date
    columns: tuple[str, ...]
    filters: tuple[tuple[str, str, str], ...]
    created_at: datetime
    updated_at: datetime
    refreshed_at: datetime


@dataclass(slots=True)
class Webhook:
    """A webhook: its address, the events that it receives, and the secrets that it sends."""

    id: int
    uuid: str
    name: str
    url: str
    status: str
    names: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    auth_type: str
    token: str | None
    custom_headers: dict[str, str] | None


@dataclass(slots=True)
class Subscription:
    """A subscription of one type of event, at the vendor that has one per type.

    Attributes:
        challenge: a secret that is sent with each event.
        version: the version of the API that determines the bodies.
    """

    id: int
    name: str | None
    type: str
    url: str
    challenge: str | None
    enabled: bool
    version: str


@dataclass(slots=True)
class Event:
    """A change that is sent to a webhook."""

    id: int
    uuid: str
    webhook_id: int
    name: str
    subject: str
    occurred_at: datetime


@dataclass(slots=True)
class Delivery:
    """An attempt to send an event."""

    id: int
    uuid: str
    webhook_id: int
    event_id: str
    name: str
    delivered: bool
    status: int | None
    again_id: str | None
    completed_at: datetime


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
