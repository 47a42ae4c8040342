"""Documents, reports, and the webhooks that tell of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(slots=True)
class DocumentCategory:
    """A kind of document."""

    id: int
    name: str


@dataclass(slots=True)
class Document:
    """What is known about a person's file; the file itself is not kept."""

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
    """A table that somebody put together.

    Attributes:
        columns: ids of attributes, in order.
        about: what a row is, such as `people`.
        grouped: whether its rows are put together in groups.
        shared: whether it may be read from outside.
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
    """A table of the older kind: rows of people, as of a day or over a stretch of time.

    Attributes:
        type: point_in_time, timeframe or historical_data.
        status: up_to_date, updating or update_failed.
        period: how its days are meant, such as `fixed`.
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
    """Where changes are told to, and which."""

    id: int
    uuid: str
    name: str
    url: str
    status: str
    names: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Event:
    """A change that a webhook tells of."""

    id: int
    uuid: str
    webhook_id: int
    name: str
    subject: str
    occurred_at: datetime


@dataclass(slots=True)
class Delivery:
    """One attempt to tell of an event."""

    id: int
    uuid: str
    webhook_id: int
    event_id: str
    name: str
    delivered: bool
    status: int | None
    again_id: str | None
    completed_at: datetime
