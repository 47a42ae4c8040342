"""Employees of v1: each attribute is an object with a label, under a stable key.

Values are as inconsistent as in real accounts: numbers as text, several date formats, three kinds of empty values.
A person's id determines the format, so that it stays the same.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.personio.render.people import picture_url
from hr_sandbox.personio.v1.common import BERLIN, category

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import AttributeDefinition, Employment, Person
    from hr_sandbox.http.messages import Json

NOTHING: tuple[Any, ...] = (None, "", [])
ENTITLEMENT = 30
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Key -> label and type. Some labels are renamed and translated by administrators.
STANDARD: dict[str, tuple[str, str]] = {
    "id": ("ID", "integer"),
    "first_name": ("First name", "standard"),
    "last_name": ("Nachname", "standard"),
    "preferred_name": ("Name (preferred)", "standard"),
    "email": ("Email", "standard"),
    "gender": ("Geschlecht", "standard"),
    "status": ("Status", "standard"),
    "position": ("Position", "standard"),
    "supervisor": ("Supervisor", "standard"),
    "employment_type": ("Employment type", "standard"),
    "weekly_working_hours": ("Wochenstunden", "standard"),
    "hire_date": ("Hire date", "date"),
    "contract_end_date": ("Contract ends", "date"),
    "termination_date": ("Termination date", "date"),
    "termination_type": ("Termination type", "standard"),
    "termination_reason": ("Termination reason", "standard"),
    "probation_period_end": ("Probation period end", "date"),
    "created_at": ("created_at", "date"),
    "last_modified_at": ("Last modified", "date"),
    "subcompany": ("Gesellschaft", "standard"),
    "office": ("Office", "standard"),
    "department": ("Abteilung", "standard"),
    "cost_centers": ("Cost center", "standard"),
    "holiday_calendar": ("Public holidays", "standard"),
    "absence_entitlement": ("Absence entitlement", "standard"),
    "work_schedule": ("Arbeitszeitmodell", "standard"),
    "fix_salary": ("Fix salary", "decimal"),
    "fix_salary_interval": ("Salary interval", "standard"),
    "hourly_salary": ("Hourly salary", "decimal"),
    "vacation_day_balance": ("Vacation day balance", "decimal"),
    "last_working_day": ("Last day of work", "date"),
    "profile_picture": ("Profile Picture", "standard"),
    "team": ("Team", "standard"),
}
MONEY = ("fix_salary", "hourly_salary")
TYPES = {
    "string": "standard",
    "int": "integer",
    "double": "decimal",
    "date": "date",
    "boolean": "list",
    "string_list": "tags",
}
# Attributes whose v2 id contains no number.
NUMBERS = {"city": 10_001, "birthday": 10_002, "dynamic_9f3c1a.77": 10_077}
UNIVERSAL = {"birthday": "date_of_birth"}
OPTIONS = {"boolean": ["Ja", "Nein"], "string_list": ["Deutsch", "English", "français", "polski", "日本語", "Türkçe"]}


def dynamic_key(definition: AttributeDefinition) -> str:
    """Return the key of a custom attribute."""
    return f"dynamic_{NUMBERS[definition.id]}" if definition.id in NUMBERS else definition.id


def attributes_of(company: Company) -> list[Json]:
    """Return the definitions of all attributes."""
    rows: list[Json] = [
        {"key": key, "label": label, "type": kind, "universal_id": key, "options": []}
        for key, (label, kind) in STANDARD.items()
    ]
    return rows + [
        {
            "key": dynamic_key(row),
            "label": row.label or "Feld",
            "type": TYPES[row.type],
            "universal_id": UNIVERSAL.get(row.id, row.global_id),
            "options": OPTIONS.get(row.type, []),
        }
        for row in company.attributes
    ]


def modified_at(company: Company, row: Person) -> datetime:
    """Return when a person or one of their employments was changed last."""
    latest = max((other.updated_at for other in company.employments.of(row.id)), default=row.updated_at)
    return max(row.updated_at, latest)


def employee(row: Person, company: Company, root: str) -> Json:
    """Render a person with all attributes."""
    attributes: Json = {}
    currency = _currency(row, company)
    for key, value in _standard(row, company, root):
        label, kind = STANDARD[key]
        attributes[key] = {"label": label, "value": value, "type": kind, "universal_id": key}
        if key in MONEY:
            attributes[key]["currency"] = currency
    for definition in company.attributes:
        attributes[dynamic_key(definition)] = {
            "label": definition.label or "Feld",
            "value": _dynamic(definition.type, row.attributes.get(definition.id), row.id),
            "universal_id": UNIVERSAL.get(definition.id, definition.global_id),
            "type": TYPES[definition.type],
        }
    return {"type": "Employee", "attributes": attributes}


def _standard(row: Person, company: Company, root: str) -> Iterator[tuple[str, Any]]:
    latest = company.latest_employment(row.id)
    yield "id", row.id
    yield "first_name", row.first_name
    yield "last_name", row.last_name
    yield "preferred_name", row.preferred_name
    yield "email", row.email
    yield "gender", row.gender.lower()
    yield "created_at", row.created_at.astimezone(BERLIN).isoformat()
    yield "last_modified_at", modified_at(company, row).astimezone(BERLIN).isoformat()
    yield "profile_picture", picture_url(row, root) if row.has_picture else None
    yield "vacation_day_balance", balances(row, company)[0]["balance"]
    yield "absence_entitlement", [_entitlement(company)]
    yield from _pay(row, company)
    if latest:
        yield from _employment(latest, company)


def _employment(row: Employment, company: Company) -> Iterator[tuple[str, Any]]:
    number = row.person_id
    first = company.employments.of(number)[0]
    ended = row.termination
    yield "status", row.status.lower()
    yield "position", row.title
    yield "employment_type", row.type.lower()
    yield "weekly_working_hours", f"{row.weekly_working_hours:g}"
    yield "hire_date", _date(first.start_date, number)
    yield "contract_end_date", _date(row.contract_end_date, number)
    yield "probation_period_end", _date(row.probation_end_date, number)
    yield "termination_date", _date(ended.ends_on if ended else None, number)
    yield "termination_type", ended and ended.type.lower()
    yield "termination_reason", ended and ended.reason
    yield "last_working_day", _date(ended.last_working_day if ended else None, number)
    boss = {"type": "Employee", "attributes": {"id": _integer("ID", "id", row.supervisor_id)}}
    yield "supervisor", boss if row.supervisor_id else NOTHING[number % 3]
    yield "subcompany", _object("Subcompany", row.legal_entity_id, company.legal_entities[row.legal_entity_id].name)
    office = company.offices[row.office_id]
    yield "office", _object("Office", office.id, office.name)
    yield "department", _object("Department", row.department_id, company.departments[row.department_id].name)
    team = company.teams[row.team_id] if row.team_id else None
    yield "team", _object("Team", team.id, team.name) if team else NOTHING[number % 3]
    centers = [(company.cost_centers[center], weight) for center, weight in row.cost_centers]
    yield "cost_centers", [_object("CostCenter", center.id, center.name, percentage=w) for center, w in centers]
    calendar = _object("HolidayCalendar", office.legal_entity_id, f"Feiertage {office.country}", country=office.country)
    calendar["attributes"]["state"] = office.city if office.country == "DE" else None
    yield "holiday_calendar", calendar
    yield "work_schedule", _schedule(row)


def _integer(label: str, key: str, value: int | None) -> Json:
    return {"label": label, "value": value, "type": "integer", "universal_id": key}


def _object(kind: str, number: int, name: str, **more: Any) -> Json:
    return {"type": kind, "attributes": {"id": number, "name": name, **more}}


def _schedule(row: Employment) -> Json:
    minutes = int(row.weekly_working_hours * 60) // 5
    worked = f"{minutes // 60:02}:{minutes % 60:02}"
    hours = {day: worked if index < 5 else "00:00" for index, day in enumerate(DAYS)}  # noqa: PLR2004  five days
    number = int(row.weekly_working_hours * 10)
    return _object("WorkSchedule", number, f"{row.weekly_working_hours:g} h (mon-fri)", valid_from=None, **hours)


def _pay(row: Person, company: Company) -> Iterator[tuple[str, Any]]:
    today = company.today
    kinds = {kind.id: kind.category for kind in company.compensation_types}
    now = {kinds[pay.type_id]: pay for pay in company.compensations.of(row.id) if pay.in_effect(today, today)}
    fixed, hourly = now.get("FIXED_SALARY"), now.get("HOURLY")
    yield "fix_salary", fixed.amount if fixed else 0
    yield "fix_salary_interval", (fixed.interval or "").lower() if fixed else None
    yield "hourly_salary", hourly.amount if hourly else 0


def _currency(row: Person, company: Company) -> str:
    latest = company.latest_employment(row.id)
    return company.legal_entities[latest.legal_entity_id].currency if latest else "EUR"


def _date(value: date | None, number: int) -> str | None:
    """Format a date in one of the formats that accounts have."""
    if value is None:
        return None
    midnight = datetime(value.year, value.month, value.day, tzinfo=BERLIN)
    spaced, joined = midnight.isoformat(" "), midnight.isoformat()
    return (spaced, joined, f"{joined[:-3]}{joined[-2:]}", joined[:19])[number % 4]


def _dynamic(kind: str, value: Any, number: int) -> Any:  # noqa: ANN401  any attribute
    if kind == "string_list":
        if not value:
            return ""
        return json.dumps(value, ensure_ascii=False) if number % 3 == 0 else ",".join(value)
    if value is None:
        return (None, "")[number % 2]
    if kind == "boolean":
        return OPTIONS[kind][not value]
    if kind in {"int", "double"} and number % 2:
        return str(value)
    return value


def _entitlement(company: Company) -> Json:
    vacation = next(iter(company.absence_types))
    return _object("TimeOffType", vacation.id, vacation.name, category=category(vacation), entitlement=ENTITLEMENT)


def balances(row: Person, company: Company) -> list[Json]:
    """Return a person's remaining days off this year, with and without planned absences."""
    year = company.today.year
    midnight = datetime(year, company.today.month, company.today.day, tzinfo=UTC).replace(tzinfo=None)
    shown = []
    for kind in company.absence_types:
        if kind.unit == "HOURLY":
            continue
        days = [
            (absence.starts_at, _length(absence.starts_at, absence.ends_at or midnight + timedelta(1)))
            for absence in company.absences.of(row.id)
            if absence.type_id == kind.id and absence.starts_at.year == year and absence.approval != "REJECTED"
        ]
        entitled = ENTITLEMENT if kind.category == "PAID_VACATION" else 0
        taken = sum(length for start, length in days if start < midnight)
        shown.append(
            {
                "id": kind.id,
                "name": kind.name,
                "category": category(kind),
                "balance": entitled - taken,
                "available_balance": entitled - sum(length for _, length in days),
            }
        )
    return shown


def _length(start: datetime, end: datetime) -> float:
    """Return the working days between two timestamps."""
    first, last = start.date().toordinal(), end.date().toordinal()
    return float(sum(date.fromordinal(day).weekday() < 5 for day in range(first, last)))  # noqa: PLR2004
