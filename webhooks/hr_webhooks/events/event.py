"""What one webhook event says."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, about one record of the vendor.

    Args:
        id: Equal for deliveries of the same event: the vendor's id of the message, or a SHA-256 of what identifies it.
        type: The vendor's name of the event, such as ``person.created``. None: it is not known.
        action: What happened: the last part of the type, such as ``created``.
        is_deletion: Whether the record may be gone.
        happened_at: When it happened, ISO 8601 with ``Z``. None: the vendor does not tell.
        subject_type: The kind of record, singular, such as ``absence_period`` or ``timeoff/leave``.
        subject_id: The id of the record. None: the vendor does not tell.
        person_id: The id of the person whom the record is about. None: the vendor does not tell.
        payload: The event's data as JSON. None: the body is unreadable.
        text: The body, if it is unreadable.
        details: Further columns, of one vendor only.
    """

    id: str
    type: str | None = None
    action: str | None = None
    is_deletion: bool = False
    happened_at: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    person_id: str | None = None
    payload: msgspec.Raw | None = None
    text: str | None = None
    details: dict[str, str | int | None] = {}
