"""Generates custom reports, the older kind, and their rows. Each row belongs to a person, who may have several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hr_sandbox.company.absences import split_into_days
from hr_sandbox.company.documents import Money
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model.company import Company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.documents import CustomReport
    from hr_sandbox.company.model.people import Absence, Employment, Person


class Word(NamedTuple):
    """A word that is translated for the reader."""

    english: str
    german: str


class Entity(NamedTuple):
    """A reference to another record: its number and name."""

    number: int
    name: str


class Centers(NamedTuple):
    """Cost centers with their shares."""

    shares: tuple[tuple[Entity, float], ...]


class Minutes(NamedTuple):
    """A duration."""

    value: int


class Away(NamedTuple):
    """A duration of absence within a period."""

    first: date
    last: date
    days: float
    hours: float


class Span(NamedTuple):
    """One absence. The last day is None if it is not known yet."""

    first: date
    last: date | None
    half_start: bool
    half_end: bool


class Cell(NamedTuple):
    """A value of a column, with its start date in reports about changes."""

    column: str
    value: str | Word | Entity | Centers | Minutes | Money | Away | Span | None
    since: date | None = None


POINT, TIMEFRAME, HISTORY = "point_in_time", "timeframe", "historical_data"
AWAY, PERIODS = "absence_", ":periods"
HISTORY_DAYS = 3 * 365
OFFICE = "office_id"

# The label and type of each column.
FIXED_COLUMNS: dict[str, tuple[Word, str]] = {
    "first_name": (Word("First name", "Vorname"), "TEXT"),
    "last_name": (Word("Last name", "Nachname"), "TEXT"),
    "status": (Word("Status", "Status"), "TEXT"),
    "department": (Word("Department", "Abteilung"), "ENTITY"),
    "cost_center": (Word("Cost center", "Kostenstelle"), "COST_CENTER"),
    "weekly_working_hours": (Word("Weekly hours", "Wochenstunden"), "DURATION"),
    "fix_salary": (Word("Fix salary", "Fixgehalt"), "SALARY"),
}
_PEOPLE = ("first_name", "last_name", "status", "department", "cost_center", "weekly_working_hours", "fix_salary")


def list_columns(company: Company) -> dict[str, tuple[Word, str]]:
    """Return all possible columns: those of persons, custom attributes, and absences."""
    own = {row.id: (row.label or "Feld", "TEXT") for row in company.attributes if row.type == "string"}
    found = dict(FIXED_COLUMNS)
    found |= {key: (Word(label, label), kind) for key, (label, kind) in own.items()}
    for row in company.absence_types:
        name = Word(row.name, row.name)
        found |= {
            f"{AWAY}{row.id}": (name, "ABSENCE_OVERVIEW"),
            f"{AWAY}{row.id}{PERIODS}": (name, "ABSENCE_PERIOD"),
        }
    return found


class CustomReports(Generator):
    """Generates the custom reports of an otherwise complete company."""

    def make(self) -> None:
        """Generate all reports."""
        company, today = self.company, self.company.today
        office = next(iter(company.offices))
        vacation = next(iter(company.absence_types))
        own = next(row.id for row in company.attributes if row.type == "string")
        away = ("first_name", "last_name", f"{AWAY}{vacation.id}", f"{AWAY}{vacation.id}{PERIODS}")
        changes = ("department", "weekly_working_hours", "fix_salary")
        since = today - timedelta(HISTORY_DAYS)
        here, nowhere = (((OFFICE, "eq", str(number)),) for number in (office.id, 0))
        self._add("Personalliste", (POINT, "up_to_date", "today"), (today, today), (*_PEOPLE, own))
        self._add(f"Team {office.city}", (POINT, "updating", "fixed"), (today, today), _PEOPLE[:4], here)
        self._add(
            "Urlaub seit Januar",
            (TIMEFRAME, "up_to_date", "year_to_date"),
            (today.replace(month=1, day=1), today),
            away,
        )
        self._add("Changes of three years", (HISTORY, "up_to_date", "fixed"), (since, today), changes)
        self._add(
            "空のレポート",
            (TIMEFRAME, "update_failed", "last_thirty_days"),
            (today - timedelta(30), today),
            away,
            nowhere,
        )

    def _add(
        self,
        name: str,
        kind: tuple[str, str, str],
        days: tuple[date, date],
        columns: tuple[str, ...],
        filters: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        table, rng = self.company.custom_reports, self.rng
        author = rng.choice(list(self.company.people))
        created_at = rng.timestamp(self.company.today - timedelta(rng.integer(30, 900)))
        updated_at = rng.later(created_at, 0.5)
        table.create(
            rng.uuid(),
            name,
            f"{name} ({self.company.name})",
            (author.first_name, author.last_name),
            *kind,
            *days,
            columns,
            filters,
            created_at,
            updated_at,
            rng.later(updated_at, 1),
        )


STATUSES = {
    "ACTIVE": Word("Active", "Aktiv"),
    "INACTIVE": Word("Inactive", "Inaktiv"),
    "LEAVE": Word("On leave", "Abwesend"),
    "ONBOARDING": Word("Onboarding", "Onboarding"),
}


@dataclass(frozen=True, slots=True)
class CustomRow:
    """A row. Its number is its position in the report."""

    id: int
    person_id: int
    cells: tuple[Cell, ...]


def list_rows(report: CustomReport, company: Company) -> list[CustomRow]:
    """Return the rows of a report as of now. The rows of a person are adjacent."""
    make = {TIMEFRAME: _make_absence_rows, HISTORY: _make_change_rows}.get(report.type, _make_present_rows)
    rows: list[CustomRow] = []
    for person in company.people:
        if all(_matches_filter(person, company, *part) for part in report.filters):
            rows += [
                CustomRow(len(rows) + at, person.id, cells) for at, cells in enumerate(make(report, company, person), 1)
            ]
    return rows


def _matches_filter(person: Person, company: Company, column: str, comparison: str, value: str) -> bool:
    latest = company.latest_employment(person.id)
    return (column, comparison) == (OFFICE, "eq") and latest is not None and str(latest.office_id) == value


def _make_present_rows(report: CustomReport, company: Company, person: Person) -> Iterator[tuple[Cell, ...]]:
    latest = company.latest_employment(person.id)
    yield tuple(Cell(column, _find_value(column, company, person, latest)) for column in report.columns)


def _make_absence_rows(report: CustomReport, company: Company, person: Person) -> Iterator[tuple[Cell, ...]]:
    """Return one row per absence, or one row without an absence."""
    first, last = report.starts_on, report.ends_on
    latest = company.latest_employment(person.id)
    plain = [column for column in report.columns if not column.startswith(AWAY)]
    begin = tuple(Cell(column, _find_value(column, company, person, latest)) for column in plain)
    for column in [column for column in report.columns if column.startswith(AWAY)]:
        kind = int(column.removeprefix(AWAY).removesuffix(PERIODS))
        if kind not in company.absence_types:  # deleted since
            continue
        if column.endswith(PERIODS):
            spans = [_make_span(row) for row in _away(company, person, kind, first, last)]
            yield from ((*begin, Cell(column, span)) for span in spans)
            if not spans:
                yield begin
        else:
            begin = (*begin, Cell(column, _sum(company, person, kind, first, last)))


def _make_change_rows(report: CustomReport, company: Company, person: Person) -> Iterator[tuple[Cell, ...]]:
    """Return one row with all changes, oldest first, or none if there are no changes."""
    found = []
    for stint in company.employments.of(person.id):
        named = [column for column in report.columns if column != "fix_salary"]
        found += [Cell(column, _find_value(column, company, person, stint), stint.start_date) for column in named]
    if "fix_salary" in report.columns:
        kinds = {row.id for row in company.compensation_types if row.category == "FIXED_SALARY"}
        found += [
            Cell("fix_salary", Money(pay.amount, pay.currency), pay.effective_from)
            for pay in company.compensations.of(person.id)
            if pay.type_id in kinds
        ]
    wanted = [cell for cell in found if cell.since and report.starts_on <= cell.since <= report.ends_on]
    if wanted:
        yield tuple(sorted(wanted, key=lambda cell: cell.since or report.starts_on))


_OF_STINT: dict[str, Callable[[Company, Any], Any]] = {
    "status": lambda _, row: STATUSES.get(row.status, Word(row.status, row.status)),
    "department": lambda company, row: Entity(row.department_id, company.departments[row.department_id].name),
    "cost_center": lambda company, row: Centers(
        tuple((Entity(number, company.cost_centers[number].name), share) for number, share in row.cost_centers)
    ),
    "weekly_working_hours": lambda _, row: Minutes(round(row.weekly_working_hours * 60)),
}


def _find_value(column: str, company: Company, person: Person, stint: Employment | None) -> Any:  # noqa: ANN401  any cell
    if column in _OF_STINT:
        return _OF_STINT[column](company, stint) if stint else None
    if column == "fix_salary":
        kinds = {row.id for row in company.compensation_types if row.category == "FIXED_SALARY"}
        paid = [pay for pay in company.compensations.of(person.id) if pay.in_effect(company.today, company.today)]
        return next((Money(pay.amount, pay.currency) for pay in paid if pay.type_id in kinds), None)
    if column in FIXED_COLUMNS:
        return getattr(person, column)
    return person.attributes.get(column)


def _away(company: Company, person: Person, kind: int, first: date, last: date) -> list[Absence]:
    return [
        row
        for row in company.absences.of(person.id)
        if row.type_id == kind
        and row.approval != "REJECTED"
        and row.starts_at.date() <= last
        and (row.ends_at is None or row.ends_at.date() > first)
    ]


def _sum(company: Company, person: Person, kind: int, first: date, last: date) -> Away:
    hourly = company.absence_types[kind].unit == "HOURLY"
    rows = _away(company, person, kind, first, last)
    amount = sum(
        part.amount for row in rows for part in split_into_days(row, company.today) if first <= part.day <= last
    )
    return Away(first, last, 0 if hourly else amount, amount if hourly else 0)


def _make_span(row: Absence) -> Span:
    if row.start_half is None:
        return Span(row.starts_at.date(), row.ends_at.date() if row.ends_at else None, half_start=False, half_end=False)
    last = (row.ends_at - timedelta(1)).date() if row.ends_at else None
    return Span(row.starts_at.date(), last, row.start_half == "SECOND_HALF", row.end_half == "FIRST_HALF")
