"""Generates documents of people, reports about them, and webhooks with their events."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model.company import Company, key_of
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.documents import Event
    from hr_sandbox.company.model.people import Person

MOST = 6
COMMENTS = (None, None, None, "unterschrieben zurück", "à vérifier", 'Scan "neu", Seite 1\nund 2')
ENDINGS = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
    "application/vnd.oasis.opendocument.text": "odt",
}


class Documents(Generator):
    """Generates the documents of a company that has people."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        for name, *_ in seed_data.DOCUMENTS:
            company.document_categories.create(name)
        self._categories = list(company.document_categories)

    def generate(self) -> None:
        """Generates the documents of all people."""
        today = self.company.today
        for person in self.company.people:
            first = min(person.created_at.date(), today)
            if self.rng.chance(0.9):
                self._add_document(person, 0, first)
            days = sorted(self.rng.day(first, today - timedelta(1)) for _ in range(self.rng.integer(0, MOST)))
            for day in days:
                kind = self.rng.weighted_choice(
                    range(len(self._categories)), [share for _, share, _ in seed_data.DOCUMENTS]
                )
                self._add_document(person, kind, day)

    def _add_document(self, person: Person, kind: int, day: date) -> None:
        rng = self.rng
        category = self._categories[kind]
        media_type = rng.choice(seed_data.DOCUMENTS[kind][2])
        self.company.documents.create(
            uuid=rng.uuid(),
            owner_id=person.id,
            category_id=category.id,
            name=f"{category.name} {day:%Y-%m} {person.last_name}.{ENDINGS[media_type]}",
            day=day if rng.chance(0.8) else None,
            comment=rng.choice(COMMENTS),
            media_type=media_type,
            size=rng.integer(2_000, 4_000_000),
            scan=rng.weighted_choice(("CLEAN", "PENDING"), (98, 2)),
            signature=rng.choice(("SIGNED", "REQUESTED", "SIGNED")) if kind == 0 else None,
            created_at=rng.timestamp(day),
        )


_PEOPLE = ("id", "last_name", "hire_date", "department", "weekly_hours", "part_time", "languages")
_ABOUT_PEOPLE = tuple(f"person.{name}" for name in _PEOPLE)
_ABOUT_PAY = ("pay.person_id", "pay.amount", "pay.since")
_ABOUT_ABSENCES = ("absence.person_id", "absence.type", "absence.start", "absence.comment")

# Name, kind of rows, columns, whether it is grouped, whether it is shared.
PLANS: tuple[tuple[str, str, tuple[str, ...], bool, bool], ...] = (
    ("Mitarbeiterliste", "people", _ABOUT_PEOPLE, False, True),
    ("Gehälter heute", "pay", _ABOUT_PAY, False, True),
    ("Absences of the last 12 months", "absences", _ABOUT_ABSENCES, False, True),
    ("Headcount nach Abteilung", "people", ("person.department", "person.id"), True, True),
    ("Vertraulich: Vorstand", "people", _ABOUT_PEOPLE, False, False),
    ("Kündigungen (leer)", "nothing", ("person.id", "person.last_name"), False, True),
)


class Reports(Generator):
    """Generates the reports of a company."""

    def generate(self) -> None:
        """Generates all reports."""
        table, rng = self.company.reports, self.rng
        for plan in PLANS:
            created_at = rng.timestamp(self.company.today - timedelta(rng.integer(30, 900)))
            table.create(rng.uuid(), *plan, created_at, rng.draw_later(created_at, 0.5))


DAYS = 30  # of history
ABSENCE = "absence-period"
ATTEMPTS = ((200,), (200,), (200,), (200,), (200,), (500, 200), (None, 503, 200), (404, 404, 404))
PAUSE = timedelta(minutes=5)  # between two attempts

EventData = tuple[datetime, str, str]  # timestamp, event name, id of the record


class Webhooks(Generator):
    """Generates webhooks and their events."""

    def generate(self) -> None:
        """Generates the webhooks and their events until yesterday, and the subscriptions."""
        company, rng = self.company, self.rng
        for name, url, status, names, auth_type in seed_data.WEBHOOKS:
            created_at = rng.timestamp(company.today - timedelta(rng.integer(100, 600)))
            row = company.webhooks.create(
                rng.uuid(), name, url, status, names, created_at, rng.draw_later(created_at, 0.5), auth_type, None, None
            )
            secret = f"{stable_number('webhook', row.uuid):08x}{stable_number('secret', row.uuid):08x}"
            if auth_type == "TOKEN":
                row.token = f"Bearer {secret}"
            else:
                row.custom_headers = {"X-Webhook-Key": secret[::-1]}
        events = sorted(self._list_past_events())
        for webhook in company.webhooks:
            for timestamp, name, subject in events:
                if webhook.status == "ENABLED" and name in webhook.names:
                    event = company.events.create(rng.uuid(), webhook.id, name, subject, timestamp)
                    simulate_attempts(company, rng, event)
        for label, kind, url, enabled, version in seed_data.SUBSCRIPTIONS:
            challenge = f"{stable_number('challenge', company.seed, kind):08x}{stable_number('more', kind):08x}"
            company.subscriptions.create(label, kind, url, challenge, enabled, version)

    def _list_past_events(self) -> Iterator[EventData]:
        """Returns events that match the timestamps of records, and deletions of records that no longer exist."""
        company, rng = self.company, self.rng
        since = datetime.combine(company.today - timedelta(DAYS), time(), UTC)
        tables: tuple[Iterable[Any], ...] = (
            company.people,
            company.employments,
            company.absences,
            company.attendances,
            company.documents,
        )
        kinds = ("person", "employment", ABSENCE, "attendance-period", "document")
        for kind, rows in zip(kinds, tables, strict=True):
            for row in rows:
                if row.created_at >= since:
                    yield row.created_at, f"{kind}.created", key_of(row)
                changed = getattr(row, "updated_at", row.created_at)
                if changed >= since and changed != row.created_at:
                    yield changed, f"{kind}.updated{'.timerange' if kind == ABSENCE else ''}", key_of(row)
        for kind in kinds[2:]:
            for _ in range(rng.integer(2, 6)):
                day = company.today - timedelta(rng.integer(1, DAYS - 1))
                yield rng.timestamp(day), f"{kind}.deleted", rng.uuid()


def simulate_attempts(company: Company, rng: SeededRandom, event: Event) -> None:
    """Adds attempts to send an event to an address that does not exist. Some of them failed."""
    completed_at = event.occurred_at + timedelta(seconds=1)
    for index, status in enumerate(rng.choice(ATTEMPTS)):
        company.deliveries.create(
            uuid=rng.uuid(),
            webhook_id=event.webhook_id,
            event_id=event.uuid,
            name=event.name,
            delivered=status == 200,  # noqa: PLR2004  the successful status
            status=status,
            again_id=rng.uuid() if index else None,
            completed_at=completed_at + index * PAUSE,
        )
