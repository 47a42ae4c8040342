"""Cornerstone's events: batches of records with all their data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from hr_webhooks.events.event import Event
from hr_webhooks.events.values import UnreadableError, as_id, as_utc, compact, decode, first_id, hashed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.journal import Entry

CASE = re.compile(r"\w*case", re.IGNORECASE)
WORDS = re.compile(r"[A-Z][a-z0-9]+|[A-Z]+(?![a-z])")
USER_IDS = ("targetUserId", "employeeId", "userId")
TRAINING_IDS = ("trainingId", "loId", "objectId")
DELETIONS = ("Deleted", "Removed")


class Batch(msgspec.Struct, rename="camel"):
    """A request's body. Unknown members are ignored."""

    records: list[msgspec.Raw]
    subscription_id: Any = None


def read_events(entry: Entry, text: str) -> Iterator[Event]:  # noqa: ARG001 - the same for all vendors
    """Yields an event for each record of a batch: none for a heartbeat.

    Args:
        entry: The request.
        text: Its body.

    Raises:
        UnreadableError: If the body is not a batch.
    """
    try:
        batch = msgspec.json.decode(text, type=Batch)
    except (msgspec.MsgspecError, RecursionError):
        raise UnreadableError from None
    for raw in batch.records:
        payload = compact(bytes(raw))
        record = decode(bytes(raw))
        yield _read_record(record if isinstance(record, dict) else {}, payload, as_id(batch.subscription_id))


def _read_record(record: dict[str, Any], payload: msgspec.Raw, subscription: str | None) -> Event:
    value = record.get("value")
    value = value if isinstance(value, dict) else {}
    headers = value.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    name, data = _find_event(value)
    user, training = first_id(data, USER_IDS), first_id(data, TRAINING_IDS)
    words = WORDS.findall(name or "")
    offset = record.get("offset")
    return Event(
        id=as_id(headers.get("messageId")) or hashed(subscription, value or record),
        type=name,
        action=words[-1].lower() if words else None,
        is_deletion=bool(name) and str(name).endswith(DELETIONS),
        happened_at=as_utc(record.get("timestamp")) or as_utc(data.get("trainingActionDateTimestamp")),
        subject_type=(words[0].lower() if words else None),
        subject_id=training or user,
        person_id=user,
        payload=payload,
        details={
            "subscription_id": subscription,
            "offset": offset if isinstance(offset, int) else None,
        },
    )


def _find_event(value: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Returns the event's name, such as ``TrainingCompleted``, and its data.

    Some samples name the event in a member such as `lmsEventsCase`. Otherwise it is the object beside the headers.
    """
    named = next((found for name, found in value.items() if CASE.fullmatch(name) and isinstance(found, str)), None)
    objects = {name: part for name, part in value.items() if name != "headers" and isinstance(part, dict)}
    name = named or next(iter(objects), None)
    if not name:
        return None, {}
    part = objects.get(name[:1].lower() + name[1:], next(iter(objects.values()), {}))
    data = part.get("data")
    return name[:1].upper() + name[1:], data if isinstance(data, dict) else part
