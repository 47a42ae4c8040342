"""Employees, their balances and their pictures."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

from hr_sandbox.http.limits import Rate
from hr_sandbox.http.messages import Response
from hr_sandbox.personio.filters import text_value
from hr_sandbox.personio.v1 import employees as render
from hr_sandbox.personio.v1.errors import StatusError
from hr_sandbox.personio.v1.pages import from_record
from hr_sandbox.personio.v1.parameters import Parameter, paging, since
from hr_sandbox.personio.v1.permissions import ABSENCES, EMPLOYEES
from hr_sandbox.personio.v1.route import Call, Route

if TYPE_CHECKING:
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


def _shown(body: Json, chosen: tuple[str, ...]) -> Json:
    if chosen:
        body["attributes"] = {key: value for key, value in body["attributes"].items() if key in {"id", *chosen}}
    return body


def _employees(call: Call) -> Json:
    company, query = call.company, call.query
    rows = list(company.people)
    if query["updated_since"]:
        rows = [row for row in rows if render.modified_at(company, row) + OVERLAP >= query["updated_since"]]
    elif query["email"]:
        rows = [row for row in rows if row.email == query["email"]]
    page, meta = from_record(rows, call)
    return {
        "success": True,
        "metadata": meta,
        "offset": query["offset"],
        "limit": query["limit"],
        "data": [_shown(render.employee(row, company, call.root), query[ATTRIBUTES]) for row in page],
    }


def _employee(call: Call) -> Json:
    return {"success": True, "data": render.employee(call.person(), call.company, call.root)}


def _picture(call: Call) -> Response:
    if not call.person().has_picture:
        raise StatusError(404)
    return Response(200, PICTURE, {"content-type": "image/png"})


ROUTES = (
    Route(
        path=PATH,
        permission=EMPLOYEES,
        handle=_employees,
        parameters=(
            *paging(50, 100),
            Parameter("email", text_value),
            Parameter(ATTRIBUTES, text_value),
            Parameter("updated_since", since),
        ),
        rate=RATE,
        stream=STREAM,
    ),
    Route(
        path=f"{PATH}/attributes",
        permission=EMPLOYEES,
        handle=lambda call: {"success": True, "data": render.attributes_of(call.company)},
    ),
    Route(path=f"{PATH}/{{id}}", permission=EMPLOYEES, handle=_employee, rate=RATE, stream=STREAM),
    Route(
        path=f"{PATH}/{{id}}/absences/balance",
        permission=ABSENCES,
        handle=lambda call: {"success": True, "data": render.balances(call.person(), call.company)},
    ),
    Route(path=f"{PATH}/{{id}}/profile-picture", permission=EMPLOYEES, handle=_picture),
    Route(path=f"{PATH}/{{id}}/profile-picture/{{width}}", permission=EMPLOYEES, handle=_picture),
)
