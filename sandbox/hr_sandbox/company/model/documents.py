"""Documents, reports and webhooks."""

from __future__ import annotations

from dataclasses import dataclass
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
    """A custom report, the older kind: rows of persons, on a day or in a period.

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
    """A webhook: its address, and the events that it receives."""

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
