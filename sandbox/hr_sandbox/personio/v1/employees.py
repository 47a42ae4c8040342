"""Employees of v1: each attribute is an object with a label, under a stable key.

Values are as inconsistent as in real accounts: numbers as text, several date formats, three kinds of empty values.
A person's id determines the format, so that it stays the same.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.http.limits import Rate
from hr_sandbox.http.messages import Response, pick_fields
from hr_sandbox.personio.filters import parse_text
from hr_sandbox.personio.render import make_picture_url
from hr_sandbox.personio.v1.route import (
    ABSENCES,
    BERLIN,
    EMPLOYEES,
    Call,
    Parameter,
    Route,
    StatusError,
    make_paging_parameters,
    page_from_record,
    parse_since,
    translate_category,
    wrap_data,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import AttributeDefinition, Employment, Person
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/employees"
STREAM = "employees"
RATE = Rate(5, 15)  # 300 per minute
ATTRIBUTES = "attributes[]"
# Records that changed this long before `updated_since` are returned too.
OVERLAP = timedelta(minutes=45)
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NOTHING: tuple[Any, ...] = (None, "", [])
ENTITLEMENT = 30
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Key -> label and type. Some labels are renamed and translated by administrators.
STANDARD: dict[str, tuple[str, str]] = read_data(__package__, "employee_attributes.json")
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


def make_dynamic_key(definition: AttributeDefinition) -> str:
    """Returns the key of a custom attribute."""
    return f"dynamic_{NUMBERS[definition.id]}" if definition.id in NUMBERS else definition.id


def describe_attributes(company: Company) -> list[Json]:
    """Returns the definitions of all attributes."""
    rows: list[Json] = [
        {"key": key, "label": label, "type": kind, "universal_id": key, "options": []}
        for key, (label, kind) in STANDARD.items()
    ]
    return rows + [
        {
            "key": make_dynamic_key(row),
            "label": row.label or "Feld",
            "type": TYPES[row.type],
            "universal_id": UNIVERSAL.get(row.id, row.global_id),
            "options": OPTIONS.get(row.type, []),
        }
        for row in company.attributes
    ]


def find_last_change(company: Company, row: Person) -> datetime:
    """Returns when a person or one of their employments was changed last."""
    latest = max((other.updated_at for other in company.employments.find_by_owner(row.id)), default=row.updated_at)
    return max(row.updated_at, latest)


def render_employee(row: Person, company: Company, root: str) -> Json:
    """Renders a person with all attributes."""
    attributes: Json = {}
    currency = _get_currency(row, company)
    for key, value in _list_standard_values(row, company, root):
        label, kind = STANDARD[key]
        attributes[key] = {"label": label, "value": value, "type": kind, "universal_id": key}
        if key in MONEY:
            attributes[key]["currency"] = currency
    for definition in company.attributes:
        attributes[make_dynamic_key(definition)] = {
            "label": definition.label or "Feld",
            "value": _format_attribute(definition.type, row.attributes.get(definition.id), row.id),
            "universal_id": UNIVERSAL.get(definition.id, definition.global_id),
            "type": TYPES[definition.type],
        }
    return {"type": "Employee", "attributes": attributes}


def _list_standard_values(row: Person, company: Company, root: str) -> Iterator[tuple[str, Any]]:
    latest = company.latest_employment(row.id)
    yield from pick_fields(row, "id", "first_name", "last_name", "preferred_name", "email").items()
    yield "gender", row.gender.lower()
    yield "created_at", row.created_at.astimezone(BERLIN).isoformat()
    yield "last_modified_at", find_last_change(company, row).astimezone(BERLIN).isoformat()
    yield "profile_picture", make_picture_url(row, root) if row.has_picture else None
    yield "vacation_day_balance", compute_balances(row, company)[0]["balance"]
    yield "absence_entitlement", [_render_entitlement(company)]
    yield from _list_pay(row, company)
    if latest:
        yield from _list_employment_values(latest, company)


def _list_employment_values(row: Employment, company: Company) -> Iterator[tuple[str, Any]]:
    number = row.person_id
    first = company.employments.find_by_owner(number)[0]
    ended = row.termination
    yield "status", row.status.lower()
    yield "position", row.title
    yield "employment_type", row.type.lower()
    yield "weekly_working_hours", f"{row.weekly_working_hours:g}"
    yield "hire_date", _format_date(first.start_date, number)
    yield "contract_end_date", _format_date(row.contract_end_date, number)
    yield "probation_period_end", _format_date(row.probation_end_date, number)
    yield "termination_date", _format_date(ended.ends_on if ended else None, number)
    yield "termination_type", ended and ended.type.lower()
    yield "termination_reason", ended and ended.reason
    yield "last_working_day", _format_date(ended.last_working_day if ended else None, number)
    boss = {"type": "Employee", "attributes": {"id": _render_integer("ID", "id", row.supervisor_id)}}
    yield "supervisor", boss if row.supervisor_id else NOTHING[number % 3]
    yield (
        "subcompany",
        _wrap_object("Subcompany", row.legal_entity_id, company.legal_entities[row.legal_entity_id].name),
    )
    office = company.offices[row.office_id]
    yield "office", _wrap_object("Office", office.id, office.name)
    yield "department", _wrap_object("Department", row.department_id, company.departments[row.department_id].name)
    team = company.teams[row.team_id] if row.team_id else None
    yield "team", _wrap_object("Team", team.id, team.name) if team else NOTHING[number % 3]
    centers = [(company.cost_centers[center], weight) for center, weight in row.cost_centers]
    yield "cost_centers", [_wrap_object("CostCenter", center.id, center.name, percentage=w) for center, w in centers]
    calendar = _wrap_object(
        "HolidayCalendar", office.legal_entity_id, f"Feiertage {office.country}", country=office.country
    )
    calendar["attributes"]["state"] = office.city if office.country == "DE" else None
    yield "holiday_calendar", calendar
    yield "work_schedule", _render_schedule(row)


def _render_integer(label: str, key: str, value: int | None) -> Json:
    return {"label": label, "value": value, "type": "integer", "universal_id": key}


def _wrap_object(kind: str, number: int, name: str, **more: Any) -> Json:
    return {"type": kind, "attributes": {"id": number, "name": name, **more}}


def _render_schedule(row: Employment) -> Json:
    minutes = int(row.weekly_working_hours * 60) // 5
    worked = f"{minutes // 60:02}:{minutes % 60:02}"
    hours = {day: worked if index < 5 else "00:00" for index, day in enumerate(DAYS)}  # noqa: PLR2004  five days
    number = int(row.weekly_working_hours * 10)
    return _wrap_object("WorkSchedule", number, f"{row.weekly_working_hours:g} h (mon-fri)", valid_from=None, **hours)


def _list_pay(row: Person, company: Company) -> Iterator[tuple[str, Any]]:
    today = company.today
    kinds = {kind.id: kind.category for kind in company.compensation_types}
    now = {
        kinds[pay.type_id]: pay for pay in company.compensations.find_by_owner(row.id) if pay.is_in_effect(today, today)
    }
    fixed, hourly = now.get("FIXED_SALARY"), now.get("HOURLY")
    yield "fix_salary", fixed.amount if fixed else 0
    yield "fix_salary_interval", (fixed.interval or "").lower() if fixed else None
    yield "hourly_salary", hourly.amount if hourly else 0


def _get_currency(row: Person, company: Company) -> str:
    latest = company.latest_employment(row.id)
    return company.legal_entities[latest.legal_entity_id].currency if latest else "EUR"


def _format_date(value: date | None, number: int) -> str | None:
    """Formats a date in one of the formats that accounts have."""
    if value is None:
        return None
    midnight = datetime(value.year, value.month, value.day, tzinfo=BERLIN)
    spaced, joined = midnight.isoformat(" "), midnight.isoformat()
    return (spaced, joined, f"{joined[:-3]}{joined[-2:]}", joined[:19])[number % 4]


def _format_attribute(kind: str, value: Any, number: int) -> Any:  # noqa: ANN401  any attribute
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


def _render_entitlement(company: Company) -> Json:
    vacation = next(iter(company.absence_types))
    return _wrap_object(
        "TimeOffType", vacation.id, vacation.name, category=translate_category(vacation), entitlement=ENTITLEMENT
    )


def compute_balances(row: Person, company: Company) -> list[Json]:
    """Returns a person's remaining days off this year, with and without planned absences."""
    year = company.today.year
    midnight = datetime(year, company.today.month, company.today.day, tzinfo=UTC).replace(tzinfo=None)
    shown = []
    for kind in company.absence_types:
        if kind.unit == "HOURLY":
            continue
        days = [
            (absence.starts_at, _count_workdays(absence.starts_at, absence.ends_at or midnight + timedelta(1)))
            for absence in company.absences.find_by_owner(row.id)
            if absence.type_id == kind.id and absence.starts_at.year == year and absence.approval != "REJECTED"
        ]
        entitled = ENTITLEMENT if kind.category == "PAID_VACATION" else 0
        taken = sum(length for start, length in days if start < midnight)
        shown.append(
            {
                "id": kind.id,
                "name": kind.name,
                "category": translate_category(kind),
                "balance": entitled - taken,
                "available_balance": entitled - sum(length for _, length in days),
            }
        )
    return shown


def _count_workdays(start: datetime, end: datetime) -> float:
    """Returns the working days between two timestamps."""
    first, last = start.date().toordinal(), end.date().toordinal()
    return float(sum(date.fromordinal(day).weekday() < 5 for day in range(first, last)))  # noqa: PLR2004


def _select_attributes(body: Json, chosen: tuple[str, ...]) -> Json:
    if chosen:
        body["attributes"] = {key: value for key, value in body["attributes"].items() if key in {"id", *chosen}}
    return body


def _list_employees(call: Call) -> Json:
    company, query = call.company, call.query
    rows = list(company.people)
    if query["updated_since"]:
        rows = [row for row in rows if find_last_change(company, row) + OVERLAP >= query["updated_since"]]
    elif query["email"]:
        rows = [row for row in rows if row.email == query["email"]]
    page, metadata = page_from_record(rows, call)
    data = [_select_attributes(render_employee(row, company, call.root), query[ATTRIBUTES]) for row in page]
    return wrap_data(data, metadata=metadata, offset=query["offset"], limit=query["limit"])


def _get_employee(call: Call) -> Json:
    return wrap_data(render_employee(call.find_person(), call.company, call.root))


def _get_picture(call: Call) -> Response:
    if not call.find_person().has_picture:
        raise StatusError(404)
    return Response(200, PICTURE, {"content-type": "image/png"})


_PARAMETERS = (
    *make_paging_parameters(50, 100),
    Parameter("email", parse_text),
    Parameter(ATTRIBUTES, parse_text),
    Parameter("updated_since", parse_since),
)
ROUTES = (
    Route(PATH, EMPLOYEES, _list_employees, _PARAMETERS, RATE, STREAM),
    Route(f"{PATH}/attributes", EMPLOYEES, lambda call: wrap_data(describe_attributes(call.company))),
    Route(f"{PATH}/{{id}}", EMPLOYEES, _get_employee, rate=RATE, stream=STREAM),
    Route(
        f"{PATH}/{{id}}/absences/balance",
        ABSENCES,
        lambda call: wrap_data(compute_balances(call.find_person(), call.company)),
    ),
    Route(f"{PATH}/{{id}}/profile-picture", EMPLOYEES, _get_picture),
    Route(f"{PATH}/{{id}}/profile-picture/{{width}}", EMPLOYEES, _get_picture),
)
