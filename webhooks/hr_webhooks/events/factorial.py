"""Factorial's events: the record alone. Only the address tells what happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hr_webhooks.events.event import Event
from hr_webhooks.events.values import UnreadableError, as_id, as_utc, compact, decode, hashed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.journal import Entry

EMPLOYEE = "employees/employee"
DELETES = ("delete", "bulk_delete", "move_to_trash_bin")
CREATES = ("create", "bulk_create", "create_with_contract", "apply", "create_from_employee", "duplicate")
SECRETS = frozenset({"challenge", "target_url"})
"""Members of subscriptions that nobody else may know."""
SUBSCRIPTION = "api_public/webhook_subscription"


def read_events(entry: Entry, text: str) -> Iterator[Event]:
    """Yields an event for each record in a request.

    Args:
        entry: The request.
        text: Its body.

    Raises:
        UnreadableError: If the body is not a record or a list of records.
    """
    body = decode(text)
    if isinstance(body, dict) and body.keys() <= {"data", "meta"} and "data" in body:
        body = body["data"]  # as in the lists of the API
    records = body if isinstance(body, list) else [body]
    is_alone = records == [body]
    if not all(isinstance(record, dict) for record in records):
        raise UnreadableError
    subject, _, action = (entry.type or "").rpartition("/")
    for record in records:
        hidden = SECRETS.intersection(record) if subject == SUBSCRIPTION else ()
        shown = {name: value for name, value in record.items() if name not in hidden} if hidden else record
        payload = compact(text if is_alone and not hidden else msgspec.json.encode(shown))
        for subject_id in _ids_of(record):
            yield Event(
                id=hashed(entry.tenant, entry.type, subject_id, record),
                type=entry.type,
                action=action or None,
                is_deletion=action in DELETES,
                happened_at=_time_of(record, action),
                subject_type=subject or None,
                subject_id=subject_id,
                person_id=subject_id if subject == EMPLOYEE else as_id(record.get("employee_id")),
                payload=payload,
                details={
                    "company_id": as_id(record.get("company_id")),
                    "author_type": entry.headers.get("x-factorial-author-type"),
                    "author_id": entry.headers.get("x-factorial-author-id"),
                },
            )


def _ids_of(record: dict[str, Any]) -> list[str | None]:
    """Returns the ids of the records that a body is about. None: it is the input of an action, such as a clock-in."""
    if (found := as_id(record.get("id"))) or not isinstance(record.get("ids"), list):
        return [found]
    return [item for item in map(as_id, record["ids"]) if item] or [None]


def _time_of(record: dict[str, Any], action: str) -> str | None:
    """Returns the time that the record says. Most records have none of their last change."""
    names = ("updated_at", "now", "created_at") if action in CREATES else ("updated_at", "now")
    return next(filter(None, (as_utc(record.get(name)) for name in names)), None)
