"""Generates webhooks and their events, and new events when the company changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model import Delivery, Event, Webhook, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


DAYS = 30  # of history
# The event's name by kind of record and action.
NAMES = {
    (kind.replace("-", "_"), action): f"{kind}.{action}"
    for kind in ("person", "employment", "absence-period", "attendance-period", "document")
    for action in ("created", "updated", "deleted")
} | {("absence_period", "updated"): "absence-period.updated.timerange"}
ATTEMPTS = ((200,), (200,), (200,), (200,), (200,), (500, 200), (None, 503, 200), (404, 404, 404))
PAUSE = timedelta(minutes=5)  # between two attempts

EventData = tuple[datetime, str, str]  # timestamp, event name, id of the record


class Webhooks(Generator):
    """Generates webhooks and their events."""

    def make(self) -> None:
        """Generate the webhooks and their events until yesterday."""
        company, rng = self.company, self.rng
        for name, url, status, names in seed_data.WEBHOOKS:
            created_at = rng.timestamp(company.today - timedelta(rng.integer(100, 600)))
            number = company.webhooks.next_id()
            row = Webhook(number, rng.uuid(), name, url, status, names, created_at, rng.later(created_at, 0.5))
            company.webhooks.add(row)
        self.send(sorted(self._history()))

    def send(self, events: Iterable[EventData]) -> None:
        """Send events to all enabled webhooks that subscribe to them."""
        listening = [row for row in self.company.webhooks if row.status == "ENABLED"]
        for timestamp, name, subject in events:
            for webhook in listening:
                if name in webhook.names:
                    self._event(webhook, timestamp, name, subject)

    def _history(self) -> Iterator[EventData]:
        """Return events that match the timestamps of records, and deletions of records that no longer exist."""
        company, rng = self.company, self.rng
        since = datetime.combine(company.today - timedelta(DAYS), time(), UTC)
        tables: tuple[Iterable[Any], ...] = (
            company.people,
            company.employments,
            company.absences,
            company.attendances,
            company.documents,
        )
        kinds = ("person", "employment", "absence_period", "attendance_period", "document")
        for kind, rows in zip(kinds, tables, strict=True):
            for row in rows:
                if row.created_at >= since:
                    yield row.created_at, NAMES[kind, "created"], key_of(row)
                changed = getattr(row, "updated_at", row.created_at)
                if changed >= since and changed != row.created_at:
                    yield changed, NAMES[kind, "updated"], key_of(row)
        for kind in kinds[2:]:
            for _ in range(rng.integer(2, 6)):
                day = company.today - timedelta(rng.integer(1, DAYS - 1))
                yield rng.timestamp(day), NAMES[kind, "deleted"], rng.uuid()

    def _event(self, webhook: Webhook, timestamp: datetime, name: str, subject: str) -> None:
        company, rng = self.company, self.rng
        number = company.events.next_id()
        event = company.events.add(Event(number, rng.uuid(), webhook.id, name, subject, timestamp))
        attempts = rng.choice(ATTEMPTS)
        completed_at = timestamp + timedelta(seconds=1)
        for index, status in enumerate(attempts):
            company.deliveries.add(
                Delivery(
                    id=company.deliveries.next_id(),
                    uuid=rng.uuid(),
                    webhook_id=webhook.id,
                    event_id=event.uuid,
                    name=name,
                    delivered=status == 200,  # noqa: PLR2004  the successful status
                    status=status,
                    again_id=rng.uuid() if index else None,
                    completed_at=completed_at + index * PAUSE,
                )
            )
