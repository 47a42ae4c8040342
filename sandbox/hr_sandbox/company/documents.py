"""Generates documents of persons, reports about them, and webhooks with their events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model.company import Company, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.documents import Report, Webhook
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
    """Generates the documents of a company that has persons."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        for name, *_ in seed_data.DOCUMENTS:
            company.document_categories.create(name)
        self._categories = list(company.document_categories)

    def make(self) -> None:
        """Generate the documents of all persons."""
        today = self.company.today
        for person in self.company.people:
            first = min(person.created_at.date(), today)
            if self.rng.chance(0.9):
                self._add(person, 0, first)
            days = sorted(self.rng.day(first, today - timedelta(1)) for _ in range(self.rng.integer(0, MOST)))
            for day in days:
                kind = self.rng.weighted_choice(
                    range(len(self._categories)), [share for _, share, _ in seed_data.DOCUMENTS]
                )
                self._add(person, kind, day)

    def _add(self, person: Person, kind: int, day: date) -> None:
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


class Money(NamedTuple):
    """An amount with its currency."""

    amount: float
    currency: str


class Option(NamedTuple):
    """An option of a list: its value and its label."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that a report can have as a column.

    Attributes:
        type: string, numeric, options, percentage, monetary or date.
        about: what the rows of its reports are.
        value: returns the value of a row, or None.
    """

    id: str
    label: str
    german: str
    type: str
    about: str
    value: Callable[[Company, Any], Any]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row. Its number is its position in the report."""

    id: int
    values: tuple[Any, ...]


def _find_department(company: Company, person: Any) -> Option | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return Option(str(latest.department_id), company.departments[latest.department_id].name) if latest else None


def _find_hire_date(company: Company, person: Any) -> date | None:  # noqa: ANN401  a person
    first = next(iter(company.employments.of(person.id)), None)
    return first.start_date if first else None


def _find_hours(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return latest.weekly_working_hours if latest else None


def _find_part_time(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return round(100 * latest.weekly_working_hours / latest.full_time_weekly_working_hours, 1) if latest else None


def _find_absence_type(company: Company, absence: Any) -> Option:  # noqa: ANN401  an absence
    row = company.absence_types[absence.type_id]
    return Option(row.uuid, row.name)


def _list_languages(_company: Company, person: Any) -> list[Option]:  # noqa: ANN401  a person
    return [Option(name.lower(), name) for name in person.attributes.get("dynamic_30001", ())]


ATTRIBUTES = {
    row.id: row
    for row in (
        Attribute("person.id", "ID", "ID", "numeric", "people", lambda _, row: row.id),
        Attribute("person.last_name", "Last name", "Nachname", "string", "people", lambda _, row: row.last_name),
        Attribute("person.hire_date", "Hire date", "Eintrittsdatum", "date", "people", _find_hire_date),
        Attribute("person.department", "Department", "Abteilung", "options", "people", _find_department),
        Attribute("person.weekly_hours", "Weekly hours", "Wochenstunden", "numeric", "people", _find_hours),
        Attribute(
            "person.part_time", "Share of full time", "Beschäftigungsgrad", "percentage", "people", _find_part_time
        ),
        Attribute("person.languages", "Languages", "Sprachen", "options", "people", _list_languages),
        Attribute("pay.person_id", "ID", "ID", "numeric", "pay", lambda _, row: row.person_id),
        Attribute("pay.amount", "Amount", "Betrag", "monetary", "pay", lambda _, row: Money(row.amount, row.currency)),
        Attribute("pay.since", "Effective from", "Gültig ab", "date", "pay", lambda _, row: row.effective_from),
        Attribute("absence.person_id", "ID", "ID", "numeric", "absences", lambda _, row: row.person_id),
        Attribute("absence.type", "Absence type", "Abwesenheitsart", "options", "absences", _find_absence_type),
        Attribute("absence.start", "Start", "Beginn", "date", "absences", lambda _, row: row.starts_at.date()),
        Attribute("absence.comment", "Comment", "Kommentar", "string", "absences", lambda _, row: row.comment),
    )
}

_PEOPLE = tuple(row.id for row in ATTRIBUTES.values() if row.about == "people")
_PAY = tuple(row.id for row in ATTRIBUTES.values() if row.about == "pay")
_ABSENCES = tuple(row.id for row in ATTRIBUTES.values() if row.about == "absences")

# Name, kind of rows, columns, whether it is grouped, whether it is shared.
PLANS: tuple[tuple[str, str, tuple[str, ...], bool, bool], ...] = (
    ("Mitarbeiterliste", "people", _PEOPLE, False, True),
    ("Gehälter heute", "pay", _PAY, False, True),
    ("Absences of the last 12 months", "absences", _ABSENCES, False, True),
    ("Headcount nach Abteilung", "people", ("person.department", "person.id"), True, True),
    ("Vertraulich: Vorstand", "people", _PEOPLE, False, False),
    ("Kündigungen (leer)", "nothing", ("person.id", "person.last_name"), False, True),
)


class Reports(Generator):
    """Generates the reports of a company."""

    def make(self) -> None:
        """Generate all reports."""
        table, rng = self.company.reports, self.rng
        for plan in PLANS:
            created_at = rng.timestamp(self.company.today - timedelta(rng.integer(30, 900)))
            table.create(rng.uuid(), *plan, created_at, rng.later(created_at, 0.5))


def list_report_rows(report: Report, company: Company) -> list[ReportRow]:
    """Return the rows of a report as of now."""
    today = company.today
    rows: dict[str, Callable[[], list[Any]]] = {
        "people": lambda: list(company.people),
        "pay": lambda: [row for row in company.compensations if row.in_effect(today, today)],
        "absences": lambda: [row for row in company.absences if 0 <= (today - row.starts_at.date()).days < 365],  # noqa: PLR2004
        "nothing": list,
    }
    values = [ATTRIBUTES[name].value for name in report.columns]
    return [
        ReportRow(number, tuple(value(company, row) for value in values))
        for number, row in enumerate(rows[report.about](), 1)
    ]


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
            company.webhooks.create(rng.uuid(), name, url, status, names, created_at, rng.later(created_at, 0.5))
        self.send(sorted(self._list_past_events()))

    def send(self, events: Iterable[EventData]) -> None:
        """Send events to all enabled webhooks that subscribe to them."""
        listening = [row for row in self.company.webhooks if row.status == "ENABLED"]
        for timestamp, name, subject in events:
            for webhook in listening:
                if name in webhook.names:
                    self._add_event(webhook, timestamp, name, subject)

    def _list_past_events(self) -> Iterator[EventData]:
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

    def _add_event(self, webhook: Webhook, timestamp: datetime, name: str, subject: str) -> None:
        company, rng = self.company, self.rng
        event = company.events.create(rng.uuid(), webhook.id, name, subject, timestamp)
        attempts = rng.choice(ATTEMPTS)
        completed_at = timestamp + timedelta(seconds=1)
        for index, status in enumerate(attempts):
            company.deliveries.create(
                uuid=rng.uuid(),
                webhook_id=webhook.id,
                event_id=event.uuid,
                name=name,
                delivered=status == 200,  # noqa: PLR2004  the successful status
                status=status,
                again_id=rng.uuid() if index else None,
                completed_at=completed_at + index * PAUSE,
            )
