"""Generates reports about persons, their pay and their absences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model import Company, Report

if TYPE_CHECKING:
    from collections.abc import Callable


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
        id: its id.
        label: its English name.
        german: its German name.
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


def _department(company: Company, person: Any) -> Option | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return Option(str(latest.department_id), company.departments[latest.department_id].name) if latest else None


def _hired_on(company: Company, person: Any) -> date | None:  # noqa: ANN401  a person
    first = next(iter(company.employments.of(person.id)), None)
    return first.start_date if first else None


def _hours(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return latest.weekly_working_hours if latest else None


def _part_time(company: Company, person: Any) -> float | None:  # noqa: ANN401  a person
    latest = company.latest_employment(person.id)
    return round(100 * latest.weekly_working_hours / latest.full_time_weekly_working_hours, 1) if latest else None


def _kind(company: Company, absence: Any) -> Option:  # noqa: ANN401  an absence
    row = company.absence_types[absence.type_id]
    return Option(row.uuid, row.name)


def _languages(_company: Company, person: Any) -> list[Option]:  # noqa: ANN401  a person
    return [Option(name.lower(), name) for name in person.attributes.get("dynamic_30001", ())]


ATTRIBUTES = {
    row.id: row
    for row in (
        Attribute("person.id", "ID", "ID", "numeric", "people", lambda _, row: row.id),
        Attribute("person.last_name", "Last name", "Nachname", "string", "people", lambda _, row: row.last_name),
        Attribute("person.hire_date", "Hire date", "Eintrittsdatum", "date", "people", _hired_on),
        Attribute("person.department", "Department", "Abteilung", "options", "people", _department),
        Attribute("person.weekly_hours", "Weekly hours", "Wochenstunden", "numeric", "people", _hours),
        Attribute("person.part_time", "Share of full time", "Beschäftigungsgrad", "percentage", "people", _part_time),
        Attribute("person.languages", "Languages", "Sprachen", "options", "people", _languages),
        Attribute("pay.person_id", "ID", "ID", "numeric", "pay", lambda _, row: row.person_id),
        Attribute("pay.amount", "Amount", "Betrag", "monetary", "pay", lambda _, row: Money(row.amount, row.currency)),
        Attribute("pay.since", "Effective from", "Gültig ab", "date", "pay", lambda _, row: row.effective_from),
        Attribute("absence.person_id", "ID", "ID", "numeric", "absences", lambda _, row: row.person_id),
        Attribute("absence.type", "Absence type", "Abwesenheitsart", "options", "absences", _kind),
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
            table.add(Report(table.next_id(), rng.uuid(), *plan, created_at, rng.later(created_at, 0.5)))


def rows_of(report: Report, company: Company) -> list[ReportRow]:
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
