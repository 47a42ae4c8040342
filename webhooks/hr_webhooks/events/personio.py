"""Personio's events: ids only, with their name and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_webhooks.events.event import Event
from hr_webhooks.events.values import (
    UnreadableError,
    as_id,
    as_utc,
    compact,
    decode,
    first_id,
    hashed,
    with_underscores,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.journal import Entry

PING = "ping"
DELETED = "deleted"
PERSON = "person"
PERSON_NAMES = ("person", "person_id", "employee", "employee_id", "owner", "owner_id")


def read_events(entry: Entry, text: str) -> Iterator[Event]:
    """Yields the event of a request: none for a ping.

    Args:
        entry: The request.
        text: Its body.

    Raises:
        UnreadableError: If the body is not an event.
    """
    body = decode(text)
    if not isinstance(body, dict):
        raise UnreadableError
    name = body.get("event_name")
    if not isinstance(name, str):
        raise UnreadableError
    kind = name.strip().lower().replace("_", "-")
    if kind == PING:
        return
    family, _, action = kind.partition(".")
    subject = family.replace("-", "_")
    payload = with_underscores(body.get("payload"))
    members: dict[str, Any] = payload if isinstance(payload, dict) else {}
    happened_at = as_utc(body.get("occurred_at"))
    # Documented as `absence-period`, sent as `absence_period`. The members of the subject itself may name its person.
    own = members.get(subject)
    person_id = first_id(members, PERSON_NAMES) or (first_id(own, PERSON_NAMES) if isinstance(own, dict) else None)
    subject_id = first_id(members, (subject, f"{subject}_id", "id"))
    yield Event(
        # Not the whole body: the event log leaves out what only a push has.
        id=hashed(entry.tenant, kind, happened_at or body.get("occurred_at"), payload),
        type=kind,
        action=action or None,
        is_deletion=action.startswith(DELETED),
        happened_at=happened_at,
        subject_type=subject or None,
        subject_id=subject_id,
        person_id=subject_id if subject == PERSON else person_id,
        payload=compact(text),
        details={"company_id": as_id(body.get("company_id"))},
    )
