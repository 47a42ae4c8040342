"""Employees of version 1: complete ones by id, and lists by page number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import BAD_REQUEST, JSON_TYPE, validation_error
from hr_sandbox.cornerstone.rest.people import (
    CUSTOM,
    GROUP_SCOPE,
    PAGE_SIZE,
    SCOPE,
    TIMESTAMP,
    as_unit,
    employee,
    fields_of,
    groups_of,
    is_active,
    status_of,
    written,
)
from hr_sandbox.cornerstone.rest.route import Context, Route
from hr_sandbox.cornerstone.rows.common import ref
from hr_sandbox.cornerstone.rows.units import places, units_by_id
from hr_sandbox.cornerstone.snapshot import uuid
from hr_sandbox.http.messages import ApiError, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.model import Person
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

V1 = "/services/api/x/users/v1/employees"


def employee_v1(context: Context, person: Person, *, whole: bool) -> Json:
    """Render an employee of version 1. Lists have neither groups nor fields."""
    row = employee(context, person, "userId")
    units = units_by_id(context.snapshot)
    custom = [as_unit(units[number]) for kind, number in places(context.snapshot, person.id) if kind in CUSTOM]
    meta = row.pop("employeeMetaData")
    row["settings"]["trainingApprovals"] = 1
    return {
        **row,
        "approver": row["manager"],
        "relations": None,
        "selfRegistrationGroup": None,
        "groups": groups_of(context).get(person.id, []) if whole else None,
        "customOus": custom or None,
        "customFields": fields_of(context, person) if whole else None,
        "employeeMetaData": meta,
    }


def _framed(context: Context, data: object) -> Response:
    timestamp = f"{context.store.clock.now().replace(tzinfo=None).isoformat()}.6474578Z"
    return json_response({"status": "Success", "timestamp": timestamp, "data": data}, media_type=JSON_TYPE)


def _v1(member: str, make: Callable[[Context, Person], Json]) -> Callable[[Context, Call], Response]:
    def handle(context: Context, call: Call) -> Response:
        size, number = PAGE_SIZE, call.number("pagenumber", 1)
        if (text := call.given.get("pagesize")) is not None:
            if not (text.isascii() and text.isdigit() and 0 < int(text) <= PAGE_SIZE):
                raise ApiError(
                    validation_error(BAD_REQUEST, {"pageSize": f"Page size must be between 1 and {PAGE_SIZE}"})
                )
            size = int(text)
        people = context.snapshot.people
        if call.given.get("includeInactive", "false").lower() != "true":
            people = [row for row in people if is_active(context, row)]
        for name, field in (("lastmodified", "updated_at"), ("createdate", "created_at")):
            if name in call.given:
                if not TIMESTAMP.fullmatch(call.given[name]):
                    raise call.bad_request(name, "must be a date such as 2024-01-31T00:00:00")
                since = call.given[name].rstrip("Z")
                people = [row for row in people if written(getattr(row, field)) >= since]
        page = people[(number - 1) * size : number * size]
        rows = [make(context, row) for row in page]
        return _framed(
            context, {member: rows, "size": len(rows), "start": (number - 1) * size + 1, "total": len(people)}
        )

    return handle


def _one_v1(context: Context, call: Call) -> Response:
    text = call.parts["id"]
    for person in context.snapshot.people:
        if text in {str(person.id), f"userid-{ref(person)}", f"guid-{uuid('user', person.id)}"}:
            return _framed(context, employee_v1(context, person, whole=True))
    raise call.not_found()


def _fields_v1(context: Context, call: Call) -> Response:
    person = call.person(context)
    return _framed(context, {"id": person.id, "customFields": fields_of(context, person)})


V1_PARAMETERS = ("pagenumber", "pagesize", "lastmodified", "createdate", "includeInactive")
ROUTES = (
    Route(V1, "employees_v1", SCOPE, _v1("employees", lambda *who: employee_v1(*who, whole=False)), V1_PARAMETERS),
    Route(
        f"{V1}/customfields",
        "custom_fields_v1",
        SCOPE,
        _v1("userCustomFields", lambda context, who: {"id": who.id, "customFields": fields_of(context, who)}),
        V1_PARAMETERS,
    ),
    Route(f"{V1}/employmentstatus", "employment_status_v1", SCOPE, _v1("employmentStatus", status_of), V1_PARAMETERS),
    Route(
        f"{V1}/groups",
        "groups_v1",
        GROUP_SCOPE,
        _v1("groups", lambda context, who: {"id": who.id, "groups": groups_of(context).get(who.id, [])}),
        V1_PARAMETERS,
    ),
    Route(f"{V1}/{{id}}", "employees_v1", SCOPE, _one_v1),
    Route(f"{V1}/{{id}}/customfields", "custom_fields_v1", SCOPE, _fields_v1),
)
