"""The columns and rows of custom reports. Each row belongs to a person, who may have several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.absences import split_into_days
from hr_sandbox.company.custom_reports import AWAY, HISTORY, OFFICE, PERIODS, TIMEFRAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.documents import CustomReport
    from hr_sandbox.company.model.people import Absence, Compensation, Employment, Person
    from hr_sandbox.http.messages import Json

    Cells = list[Json]

LOCALES = ("en", "de")
SYMBOLS = {"EUR": "€", "PLN": "zł", "GBP": "£", "JPY": "¥"}
# The label of each column in each language, and its type.
FIXED_COLUMNS: dict[str, tuple[tuple[str, str], str]] = {
    "first_name": (("First name", "Vorname"), "TEXT"),
    "last_name": (("Last name", "Nachname"), "TEXT"),
    "status": (("Status", "Status"), "TEXT"),
    "department": (("Department", "Abteilung"), "ENTITY"),
    "cost_center": (("Cost center", "Kostenstelle"), "COST_CENTER"),
    "weekly_working_hours": (("Weekly hours", "Wochenstunden"), "DURATION"),
    "fix_salary": (("Fix salary", "Fixgehalt"), "SALARY"),
}
OF_EMPLOYMENT = frozenset({"status", "department", "cost_center", "weekly_working_hours"})
STATUSES = {
    "ACTIVE": ("Active", "Aktiv"),
    "INACTIVE": ("Inactive", "Inaktiv"),
    "LEAVE": ("On leave", "Abwesend"),
    "ONBOARDING": ("Onboarding", "Onboarding"),
}
# The cell of an empty value.
_EMPTY_CELL: dict[str, Json] = {
    "ENTITY": {"entity_id": None, "value": None},
    "COST_CENTER": {"cost_centers": []},
    "DURATION": {"duration": None},
    "SALARY": {"amount": None, "currency_symbol": None},
}


def list_columns(company: Company) -> dict[str, tuple[tuple[str, str], str]]:
    """Returns all possible columns: those of people, custom attributes, and absences."""
    found = dict(FIXED_COLUMNS)
    for attribute in company.attributes:
        if attribute.type == "string":
            label = attribute.label or "Feld"
            found[attribute.id] = ((label, label), "TEXT")
    for row in company.absence_types:
        found[f"{AWAY}{row.id}"] = ((row.name, row.name), "ABSENCE_OVERVIEW")
        found[f"{AWAY}{row.id}{PERIODS}"] = ((row.name, row.name), "ABSENCE_PERIOD")
    return found


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row as it is rendered. Its number is its position in the report."""

    id: int
    person_id: int
    body: Json


class RowRenderer:
    """Renders the rows of a report in one language, as of now."""

    def __init__(self, report: CustomReport, company: Company, locale: str = LOCALES[0]) -> None:
        self._report = report
        self._company = company
        self._language = LOCALES.index(locale)
        self._columns = list_columns(company)
        self._salaries = {row.id for row in company.compensation_types if row.category == "FIXED_SALARY"}

    def render_rows(self) -> list[ReportRow]:
        """Returns all rows. Those of a person are adjacent. Reports about changes use another name for cells."""
        make = {TIMEFRAME: self._make_absence_rows, HISTORY: self._make_change_rows}
        member = "historical_attributes" if self._report.type == HISTORY else "attributes"
        rows: list[ReportRow] = []
        for person in self._company.people:
            if all(self._matches(person, *part) for part in self._report.filters):
                for cells in make.get(self._report.type, self._make_present_rows)(person):
                    rows.append(ReportRow(len(rows) + 1, person.id, {"employee_id": person.id, member: cells}))
        return rows

    def _matches(self, person: Person, column: str, comparison: str, value: str) -> bool:
        latest = self._company.latest_employment(person.id)
        return (column, comparison) == (OFFICE, "eq") and latest is not None and str(latest.office_id) == value

    def _make_present_rows(self, person: Person) -> Iterator[Cells]:
        latest = self._company.latest_employment(person.id)
        yield [self._render_cell(person, column, latest) for column in self._report.columns]

    def _make_absence_rows(self, person: Person) -> Iterator[Cells]:
        """Yields one row per absence, or one row without an absence."""
        latest = self._company.latest_employment(person.id)
        columns = self._report.columns
        begin = [self._render_cell(person, column, latest) for column in columns if not column.startswith(AWAY)]
        for column in [column for column in columns if column.startswith(AWAY)]:
            kind = int(column.removeprefix(AWAY).removesuffix(PERIODS))
            if kind not in self._company.absence_types:  # deleted since
                continue
            absences = self._find_absences(person, kind)
            if not column.endswith(PERIODS):
                begin = [*begin, self._make_cell(person, column, self._sum_absences(absences, kind))]
                continue
            yield from ([*begin, self._make_cell(person, column, _render_span(row))] for row in absences)
            if not absences:
                yield begin

    def _make_change_rows(self, person: Person) -> Iterator[Cells]:
        """Yields one row with all changes, oldest first, or none if there are no changes."""
        columns, found = self._report.columns, list[tuple["date", "Json"]]()
        for stint in self._company.employments.find_by_owner(person.id):
            cells = (self._render_cell(person, column, stint) for column in columns if column != "fix_salary")
            found += [(stint.start_date, cell) for cell in cells]
        if "fix_salary" in columns:
            found += [
                (pay.effective_from, self._make_cell(person, "fix_salary", _render_pay(pay)))
                for pay in self._company.compensations.find_by_owner(person.id)
                if pay.type_id in self._salaries
            ]
        within = [part for part in found if self._report.starts_on <= part[0] <= self._report.ends_on]
        if within:
            within.sort(key=lambda part: part[0])
            yield [{**cell, "effective_date": since.isoformat()} for since, cell in within]

    def _render_cell(self, person: Person, column: str, stint: Employment | None) -> Json:
        """Renders the cell of a column that is not about absences."""
        company, members = self._company, None
        if column in OF_EMPLOYMENT:
            members = self._render_stint(stint, column) if stint else None
        elif column == "fix_salary":
            paid = [
                pay
                for pay in company.compensations.find_by_owner(person.id)
                if pay.is_in_effect(company.today, company.today)
            ]
            members = next((_render_pay(pay) for pay in paid if pay.type_id in self._salaries), None)
        else:
            own = getattr(person, column) if column in FIXED_COLUMNS else person.attributes.get(column)
            members = {"value": own}
        return self._make_cell(person, column, members)

    def _render_stint(self, stint: Employment, column: str) -> Json:
        company = self._company
        if column == "status":
            return {"value": STATUSES.get(stint.status, (stint.status,) * 2)[self._language]}
        if column == "department":
            return {"entity_id": str(stint.department_id), "value": company.departments[stint.department_id].name}
        if column == "weekly_working_hours":
            return {"duration": round(stint.weekly_working_hours * 60)}
        return {
            "cost_centers": [
                {"cost_center_id": str(number), "value": company.cost_centers[number].name, "weight": f"{share:g}%"}
                for number, share in stint.cost_centers
            ]
        }

    def _make_cell(self, person: Person, column: str, members: Json | None) -> Json:
        kind = self._columns[column][1]
        members = _EMPTY_CELL.get(kind, {"value": None}) if members is None else members
        return {"attribute_id": column, "data_type": kind, **members, "employee_id": person.id}

    def _find_absences(self, person: Person, kind: int) -> list[Absence]:
        return [
            row
            for row in self._company.absences.find_by_owner(person.id)
            if row.type_id == kind
            and row.approval != "REJECTED"
            and row.starts_at.date() <= self._report.ends_on
            and (row.ends_at is None or row.ends_at.date() > self._report.starts_on)
        ]

    def _sum_absences(self, absences: list[Absence], kind: int) -> Json:
        first, last, company = self._report.starts_on, self._report.ends_on, self._company
        days = (day for row in absences for day in split_into_days(row, company.today) if first <= day.day <= last)
        amount = sum(day.amount for day in days)
        hourly = company.absence_types[kind].unit == "HOURLY"
        return {
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
            "duration_days": f"{0 if hourly else amount:g}",
            "duration_hours": f"{amount if hourly else 0:g}",
        }


def _render_pay(pay: Compensation) -> Json:
    return {"amount": f"{pay.amount:.2f}", "currency_symbol": SYMBOLS.get(pay.currency, pay.currency)}


def _render_span(row: Absence) -> Json:
    """Renders one absence. Its last day is null if it is not known yet."""
    hourly = row.start_half is None
    last = row.ends_at and (row.ends_at if hourly else row.ends_at - timedelta(1)).date().isoformat()
    return {
        "start_date": row.starts_at.date().isoformat(),
        "end_date": last,
        "half_day_at_start": row.start_half == "SECOND_HALF",
        "half_day_at_end": not hourly and row.end_half == "FIRST_HALF",
    }
