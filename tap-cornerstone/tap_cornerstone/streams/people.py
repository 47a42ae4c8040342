"""Employees and their data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest import IdsParam, PerParent
from typing_extensions import override

from tap_cornerstone.client import per_minute
from tap_cornerstone.rest import RestList

if TYPE_CHECKING:
    from singer_rest import Record

EMPLOYEES = "/services/api/x/users/v2/employees"


class Employees(RestList):
    """One row per employee, including employees who have left."""

    # It is not documented which changes `modifiedDate` covers, so everything is read.
    name = "employees"
    path = EMPLOYEES
    permission = "the scope employee:read"
    primary_keys = ("id",)
    page_size = 50
    by_id = IdsParam("ids", separator=",")
    prefetches = False  # a page token lives five minutes
    rate = per_minute(75)
    sample_size = 20
    hidden_columns = "null"
    hidden_columns_advice = (
        "Cornerstone hides what the permissions and constraints of the application's service account do not include. "
        "If employees have values there, extend these permissions and constraints."
    )


class TerminationReasons(RestList):
    """One row per reason why somebody leaves."""

    name = "termination_reasons"
    path = f"{EMPLOYEES}/termination-reasons"
    permission = "the scope employee:read"
    primary_keys = ("id",)
    rate = per_minute(150)


class EmploymentStatuses(RestList):
    """One row per status that an employment can have."""

    name = "employment_statuses"
    path = f"{EMPLOYEES}/employment-status"
    permission = "the scope employee:read"
    primary_keys = ("id",)
    rate = per_minute(150)


class EmployeeGroups(RestList):
    """One row per group of an employee."""

    name = "employee_groups"
    path = f"{EMPLOYEES}/{{employee_id}}/groups"
    permission = "the scope group:read"
    primary_keys = ("employee_id", "id")
    slices = PerParent("employees", "employee_id")
    optional = True  # one request per employee
    rate = per_minute(150)
    members = ("data", "groups")


class EmployeeCustomFields(RestList):
    """One row per custom field of an employee."""

    name = "employee_custom_fields"
    path = f"{EMPLOYEES}/{{employee_id}}/customfields"
    permission = "the scope employee:read"
    primary_keys = ("employee_id", "id")
    slices = PerParent("employees", "employee_id")
    optional = True  # one request per employee
    rate = per_minute(150)
    members = ("data", "customfields", "usercustomfields")

    @override
    def post_process(self, row: Record, context: object = None) -> Record | None:
        # A value is text or a list of options.
        if isinstance(row.get("value"), list):
            row["choices"], row["value"] = row["value"], None
        return row


class EmployeeEmploymentStatus(RestList):
    """One row per employee: how they are employed now."""

    name = "employee_employment_status"
    path = f"{EMPLOYEES}/{{employee_id}}/employment-status"
    permission = "the scope employee:read"
    primary_keys = ("employee_id",)
    slices = PerParent("employees", "employee_id")
    optional = True  # one request per employee
    rate = per_minute(150)
