"""Employees of version 1: complete ones by id, and lists by page number."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import BAD_REQUEST, NOT_FOUND, validation_error
from hr_sandbox.cornerstone.rest.people import (
    CUSTOM,
    GROUP_SCOPE,
    PAGE_SIZE,
    SCOPE,
    format_local,
    group_memberships,
    is_active,
    list_custom_fields,
    read_since,
    render_employee,
    render_status,
    render_unit,
)
from hr_sandbox.cornerstone.rest.route import Context, Route
from hr_sandbox.cornerstone.rows.common import ref
from hr_sandbox.cornerstone.rows.units import places, units_by_id
from hr_sandbox.cornerstone.snapshot import uuid
from hr_sandbox.http.messages import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.model import Person
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json

V1 = "/services/api/x/users/v1/employees"


def render_employee_v1(context: Context, person: Person, *, whole: bool) -> Json:
    """Render an employee of version 1. Lists have neither groups nor fields."""
    row = render_employee(context, person, "userId")
    units = units_by_id(context.snapshot)
    custom = [render_unit(units[number]) for kind, number in places(context.snapshot, person.id) if kind in CUSTOM]
    meta = row.pop("employeeMetaData")
    row["settings"]["trainingApprovals"] = 1
    return {
        **row,
        "approver": row["manager"],
        "relations": None,
        "selfRegistrationGroup": None,
        "groups": group_memberships(context).get(person.id, []) if whole else None,
        "customOus": custom or None,
        "customFields": list_custom_fields(context, person) if whole else None,
        "employeeMetaData": meta,
    }


def _succeed(context: Context, data: object) -> Json:
    timestamp = f"{context.store.clock.now().replace(tzinfo=None).isoformat()}.6474578Z"
    return {"status": "Success", "timestamp": timestamp, "data": data}


def _list_members(member: str, render: Callable[[Context, Person], Json]) -> Callable[[Call], Json]:
    """Return a handler that lists something of all persons in pages."""

    def handle(call: Call) -> Json:
        context, size, number = call.context, PAGE_SIZE, call.parse_number("pagenumber", 1)
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
                since = read_since(call, name)
                people = [row for row in people if format_local(getattr(row, field)) >= since]
        start = (number - 1) * size
        rows = [render(context, row) for row in people[start : start + size]]
        return _succeed(context, {member: rows, "size": len(rows), "start": start + 1, "total": len(people)})

    return handle


def _render_fields(context: Context, person: Person) -> Json:
    return {"id": person.id, "customFields": list_custom_fields(context, person)}


def _render_groups(context: Context, person: Person) -> Json:
    return {"id": person.id, "groups": group_memberships(context).get(person.id, [])}


def _get_employee(call: Call) -> Json:
    text, context = call.parts["id"], call.context
    for person in context.snapshot.people:
        if text in {str(person.id), f"userid-{ref(person)}", f"guid-{uuid('user', person.id)}"}:
            return _succeed(context, render_employee_v1(context, person, whole=True))
    raise call.fail(NOT_FOUND)


_LIST = partial(Route, parameters=("pagenumber", "pagesize", "lastmodified", "createdate", "includeInactive"))
_render_short = partial(render_employee_v1, whole=False)
ROUTES = (
    _LIST(V1, "employees_v1", SCOPE, _list_members("employees", _render_short)),
    _LIST(f"{V1}/customfields", "custom_fields_v1", SCOPE, _list_members("userCustomFields", _render_fields)),
    _LIST(f"{V1}/employmentstatus", "employment_status_v1", SCOPE, _list_members("employmentStatus", render_status)),
    _LIST(f"{V1}/groups", "groups_v1", GROUP_SCOPE, _list_members("groups", _render_groups)),
    Route(f"{V1}/{{id}}", "employees_v1", SCOPE, _get_employee),
    Route(
        f"{V1}/{{id}}/customfields",
        "custom_fields_v1",
        SCOPE,
        lambda call: _succeed(call.context, _render_fields(call.context, call.find_person())),
    ),
)
