"""Employees with their child resources: version 2, and the lists by page number of version 1."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import BAD_REQUEST, JSON_TYPE, NOT_FOUND, make_validation_error
from hr_sandbox.cornerstone.portal import UNIT_TYPES
from hr_sandbox.cornerstone.rest.route import Context, Route, Streams, make_token_page
from hr_sandbox.cornerstone.rows.common import make_login, make_user_id
from hr_sandbox.cornerstone.rows.people import index_units, list_group_members, list_units_of_user
from hr_sandbox.cornerstone.snapshot import stable_uuid
from hr_sandbox.http.messages import ApiError, make_json_response, pick_fields
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date, datetime

    from hr_sandbox.company.model.people import Person
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

V2 = "/services/api/x/users/v2/employees"
SCOPE, GROUP_SCOPE = "employee:read", "group:read"
BULK_RATE, SINGLE_RATE, PAGE_SIZE = 75, 150, 50
BARE, CAMEL = "bare", "camel"
TITLES = {row.id: row.title for row in UNIT_TYPES}
CUSTOM = {row.id for row in UNIT_TYPES if row.is_custom}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
STATUSES = ((1, "Regular"), (2, "Part time"), (3, "On leave"))
REASONS = ((1, "Voluntary"), (2, "Involuntary"), (3, "Retirement"), (4, "End of contract"))


def format_local(timestamp: datetime) -> str:
    """Formats a timestamp without a zone."""
    return timestamp.replace(tzinfo=None).isoformat()


def _format_midnight(day: date | None) -> str | None:
    return None if day is None else f"{day}T00:00:00"


def is_active(context: Context, person: Person) -> bool:
    """Returns whether a person is employed today."""
    return context.snapshot.is_active(person.id)


def render_employee(context: Context, person: Person, named: str = "externalId") -> Json:
    """Renders an employee, with the User ID under the name in `named`."""
    job = context.snapshot.employments.get(person.id)
    stints = context.company.employments.find_by_owner(person.id)
    people = context.company.people
    above = job and job.supervisor_id
    manager = people[above] if above and above in people else None
    units = index_units(context.snapshot)
    ous = [
        render_unit(units[number])
        for kind, number in list_units_of_user(context.snapshot, person.id)
        if kind not in CUSTOM
    ]
    country = context.company.offices[job.office_id].country if job else None
    return {
        **pick_fields(person, "id", firstName="first_name", lastName="last_name", primaryEmail="email"),
        named: make_user_id(person),
        "userName": make_login(person),
        "guid": stable_uuid("user", person.id),
        **dict.fromkeys(("middleName", "prefix", "suffix", "personalEmail", "homePhone", "mobilePhone", "fax")),
        "workPhone": f"+49 89 {stable_number('phone', person.id) % 1_000_000:06}",
        "address": {
            "country": country,
            **dict.fromkeys(("line1", "line2", "state", "zipCode")),
            "city": person.attributes.get("city"),
        },
        "workerStatus": {
            "lastHireDate": _format_midnight(job.start_date if job else None),
            "originalHireDate": _format_midnight(min((row.start_date for row in stints), default=None)),
            "active": is_active(context, person),
            "absent": bool(job and job.status == "LEAVE"),
        },
        "settings": {"displayLanguage": stable_choice(("English (US)", "Deutsch"), "lang", person.id), "timeZone": ""},
        "manager": manager
        and {
            **pick_fields(manager, "id", firstName="first_name", lastName="last_name"),
            named: make_user_id(manager),
        },
        "ous": ous,
        "employeeMetaData": {
            "createdDate": format_local(person.created_at),
            "modifiedDate": format_local(person.updated_at),
        },
    }


def render_unit(row: Json) -> Json:
    """Renders a unit that an employee belongs to."""
    return {"id": row["ou_id"], "ouId": row["ref"] or "", "name": row["title"], "type": TITLES[row["type_id"]]}


def list_groups_by_user(context: Context) -> dict[int, list[Json]]:
    """Returns the groups by user."""
    units, found = index_units(context.snapshot), dict[int, list["Json"]]()
    for row in list_group_members(context.snapshot):
        if row["user_id"] > 0:
            found.setdefault(row["user_id"], []).append(render_unit(units[row["ou_id"]]))
    return found


def list_custom_fields(context: Context, person: Person) -> list[Json]:
    """Returns a person's custom fields: texts, or lists of choices."""
    found: list[Json] = []
    for row in context.store.portal.fields:
        if row.kind != "user":
            continue
        value = person.attributes.get(row.attribute or "")
        shown: object = value if value is None else str(value)
        if isinstance(value, bool):
            shown = str(value).lower()
        if isinstance(value, list):
            shown = [
                {"valueId": index, "title": title, "isSelected": True} for index, title in enumerate(value, row.id)
            ]
        found.append({"id": row.id, "name": row.label, "value": shown})
    return found


def render_status(context: Context, person: Person) -> Json:
    """Renders the employment status."""
    job = context.snapshot.employments.get(person.id)
    part = bool(job and job.weekly_working_hours < job.full_time_weekly_working_hours)
    number = 3 if job and job.status == "LEAVE" else 1 + part
    ended = job is not None and job.termination is not None
    reason = stable_choice(REASONS, "reason", person.id) if ended else None
    return {
        "id": person.id,
        "userType": {"id": 1 + (person.id % 11 == 0), "title": "Employee"},
        "employmentStatus": {"id": number, "title": dict(STATUSES)[number]},
        "effectiveDate": _format_midnight(job.start_date if job else None),
        "terminationDate": _format_midnight(job.end_date if job and ended else None),
        "terminationReason": reason and {"id": reason[0], "title": reason[1]},
    }


def _read_filters(call: Call) -> Iterator[Callable[[Json], bool]]:
    """Yields a test of rendered employees for each filter in the query."""
    given = call.given
    for name in ("externalId", "userName", "guid", "firstName", "lastName"):
        if name in given:
            yield lambda row, name=name: str(row[name]).lower() == given[name].lower()  # type: ignore[misc]
    if "ids" in given:
        numbers = given["ids"].split(",")
        if not all(part.isascii() and part.isdigit() for part in numbers):
            raise call.make_bad_request("ids", "must be numbers with commas between")
        yield lambda row: str(row["id"]) in numbers
    for name in ("modifiedDate", "createdDate"):
        if name in given:
            since = parse_local_timestamp_parameter(call, name)
            yield lambda row, name=name, since=since: row["employeeMetaData"][name] >= since  # type: ignore[misc]
    if "status" in given:
        if given["status"].lower() not in {"active", "inactive"}:
            raise call.make_bad_request("status", "must be active or inactive")
        yield lambda row: row["workerStatus"]["active"] == (given["status"].lower() == "active")


def parse_local_timestamp_parameter(call: Call, name: str) -> str:
    """Returns a parameter with a local timestamp, without a zone."""
    if not TIMESTAMP.fullmatch(call.given[name]):
        raise call.make_bad_request(name, "must be a date such as 2024-01-31T00:00:00")
    return call.given[name].rstrip("Z")


def _list_employees(call: Call) -> Response:
    size, tests = call.parse_number("pageSize", PAGE_SIZE, PAGE_SIZE), list(_read_filters(call))
    rows = [render_employee(call.context, person) for person in call.context.snapshot.people]
    rows = sorted((row for row in rows if all(test(row) for test in tests)), key=lambda row: int(row["id"]))
    mode = call.context.modes.get("employees")
    if mode == BARE:
        return make_json_response(rows, media_type=JSON_TYPE)
    return make_token_page(call, rows, size, "nextPageToken" if mode == CAMEL else "nextpagetoken")


def _get_status_on_day(call: Call) -> Json:
    """Returns the employment status on a day that is not before it began."""
    day = call.parse_day("asOfDate", call.parts["asOfDate"])
    row = render_status(call.context, call.find_person())
    if row["effectiveDate"] is None or row["effectiveDate"] > _format_midnight(day):
        raise call.make_error(NOT_FOUND)
    return row


def _render_titles(rows: Iterable[tuple[int, str]]) -> list[Json]:
    return [{"id": number, "title": title} for number, title in rows]


LOOK_UPS = ("ids", "userName", "externalId", "guid", "lastName", "firstName", "modifiedDate", "createdDate", "status")
_declare_v2 = partial(Route, per_minute=SINGLE_RATE)
_STATUS = f"{V2}/{{id}}/employment-status"
V2_ROUTES = (
    Route(V2, "employees", SCOPE, _list_employees, ("pageSize", "nextPageToken", *LOOK_UPS), per_minute=BULK_RATE),
    _declare_v2(f"{V2}/termination-reasons", "termination_reasons", SCOPE, lambda _: _render_titles(REASONS)),
    _declare_v2(f"{V2}/employment-status", "employment_statuses", SCOPE, lambda _: _render_titles(STATUSES)),
    _declare_v2(f"{V2}/{{id}}", "employees", SCOPE, lambda call: render_employee(call.context, call.find_person())),
    _declare_v2(
        f"{V2}/{{id}}/groups",
        "employee_groups",
        GROUP_SCOPE,
        lambda call: list_groups_by_user(call.context).get(call.find_person().id, []),
    ),
    _declare_v2(
        f"{V2}/{{id}}/customfields",
        "employee_custom_fields",
        SCOPE,
        lambda call: list_custom_fields(call.context, call.find_person()),
    ),
    _declare_v2(
        _STATUS, "employee_employment_status", SCOPE, lambda call: render_status(call.context, call.find_person())
    ),
    _declare_v2(f"{_STATUS}/effective-date/{{asOfDate}}", "employee_employment_status", SCOPE, _get_status_on_day),
)
V1 = "/services/api/x/users/v1/employees"


def render_employee_v1(context: Context, person: Person, *, whole: bool) -> Json:
    """Renders an employee of version 1. Lists have neither groups nor fields."""
    row = render_employee(context, person, "userId")
    units = index_units(context.snapshot)
    custom = [
        render_unit(units[number]) for kind, number in list_units_of_user(context.snapshot, person.id) if kind in CUSTOM
    ]
    meta = row.pop("employeeMetaData")
    row["settings"]["trainingApprovals"] = 1
    return {
        **row,
        "approver": row["manager"],
        "relations": None,
        "selfRegistrationGroup": None,
        "groups": list_groups_by_user(context).get(person.id, []) if whole else None,
        "customOus": custom or None,
        "customFields": list_custom_fields(context, person) if whole else None,
        "employeeMetaData": meta,
    }


def _make_success_body(context: Context, data: object) -> Json:
    timestamp = f"{context.store.clock.now().replace(tzinfo=None).isoformat()}.6474578Z"
    return {"status": "Success", "timestamp": timestamp, "data": data}


def _make_list_handler(member: str, render: Callable[[Context, Person], Json]) -> Callable[[Call], Json]:
    """Returns a handler that lists something of all people in pages."""

    def handle(call: Call) -> Json:
        context, size, number = call.context, PAGE_SIZE, call.parse_number("pagenumber", 1)
        if (text := call.given.get("pagesize")) is not None:
            if not (text.isascii() and text.isdigit() and 0 < int(text) <= PAGE_SIZE):
                raise ApiError(
                    make_validation_error(BAD_REQUEST, {"pageSize": f"Page size must be between 1 and {PAGE_SIZE}"})
                )
            size = int(text)
        people = context.snapshot.people
        if call.given.get("includeInactive", "false").lower() != "true":
            people = [row for row in people if is_active(context, row)]
        for name, field in (("lastmodified", "updated_at"), ("createdate", "created_at")):
            if name in call.given:
                since = parse_local_timestamp_parameter(call, name)
                people = [row for row in people if format_local(getattr(row, field)) >= since]
        start = (number - 1) * size
        rows = [render(context, row) for row in people[start : start + size]]
        return _make_success_body(context, {member: rows, "size": len(rows), "start": start + 1, "total": len(people)})

    return handle


def _render_fields(context: Context, person: Person) -> Json:
    return {"id": person.id, "customFields": list_custom_fields(context, person)}


def _render_groups(context: Context, person: Person) -> Json:
    return {"id": person.id, "groups": list_groups_by_user(context).get(person.id, [])}


def _get_employee(call: Call) -> Json:
    text, context = call.parts["id"], call.context
    for person in context.snapshot.people:
        if text in {str(person.id), f"userid-{make_user_id(person)}", f"guid-{stable_uuid('user', person.id)}"}:
            return _make_success_body(context, render_employee_v1(context, person, whole=True))
    raise call.make_error(NOT_FOUND)


_declare_v1_list = partial(
    Route, parameters=("pagenumber", "pagesize", "lastmodified", "createdate", "includeInactive")
)
_render_short = partial(render_employee_v1, whole=False)
ROUTES = (
    *V2_ROUTES,
    _declare_v1_list(V1, "employees_v1", SCOPE, _make_list_handler("employees", _render_short)),
    _declare_v1_list(
        f"{V1}/customfields", "custom_fields_v1", SCOPE, _make_list_handler("userCustomFields", _render_fields)
    ),
    _declare_v1_list(
        f"{V1}/employmentstatus", "employment_status_v1", SCOPE, _make_list_handler("employmentStatus", render_status)
    ),
    _declare_v1_list(f"{V1}/groups", "groups_v1", GROUP_SCOPE, _make_list_handler("groups", _render_groups)),
    Route(f"{V1}/{{id}}", "employees_v1", SCOPE, _get_employee),
    Route(
        f"{V1}/{{id}}/customfields",
        "custom_fields_v1",
        SCOPE,
        lambda call: _make_success_body(call.context, _render_fields(call.context, call.find_person())),
    ),
)
STREAMS: Streams = {
    "employees": lambda context, *_: [render_employee(context, person) for person in context.snapshot.people],
    "employee_groups": lambda context, *_: [
        {"_employee_id": number, **row} for number, rows in sorted(list_groups_by_user(context).items()) for row in rows
    ],
    "employee_custom_fields": lambda context, *_: [
        {"_employee_id": who.id, **row} for who in context.snapshot.people for row in list_custom_fields(context, who)
    ],
    "employee_employment_status": lambda context, *_: [
        {"_employee_id": who.id, **render_status(context, who)} for who in context.snapshot.people
    ],
    "termination_reasons": lambda *_: _render_titles(REASONS),
    "employment_statuses": lambda *_: _render_titles(STATUSES),
}
MODES = {"employees": (BARE, CAMEL)}
