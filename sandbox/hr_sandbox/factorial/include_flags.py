"""Rows and fields that are only returned if a flag requests them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.query import Query

Predicate = Callable[["Row"], bool]


def _some(percent: float, *words: str) -> Predicate:
    return lambda row: stable_chance(percent, *words, row["id"])


def _has(field: str) -> Predicate:
    return lambda row: row[field] is not None


def _is(field: str, value: object) -> Predicate:
    return lambda row: bool(row[field] == value)


HIDDEN = _some(20, "hidden")
ARCHIVED = _has("archived_at")
# Hidden rows: the flag, the value that includes them, and which rows.
HIDDEN_ROWS: dict[str, tuple[tuple[str, bool, Predicate], ...]] = {
    "attendance/worked_times": (("include_non_attendable_employees", True, _is("_attendable", value=False)),),
    "compensations/cycles": (("include_archived", True, ARCHIVED), ("include_hidden", True, HIDDEN)),
    "compensations/payroll_runs": (("include_hidden", True, HIDDEN),),
    "employees/employees": (
        ("only_active", False, lambda row: bool(row["terminated_on"] and not row["is_terminating"])),
    ),
    "expenses/expensables": (
        ("include_grouped", True, _has("group_id")),
        ("include_manual_drafts", True, _is("status", "draft")),
    ),
    "expenses/expenses": (("include_manual_drafts", True, _is("status", "draft")),),
    "expenses/mileages": (("include_manual_drafts", True, _is("status", "draft")),),
    "finance/budget_options": (
        ("include_inactive", True, _some(20, "inactive")),
        ("include_archived", True, _some(20, "archived")),
    ),
    "finance/cost_center_memberships": (("only_active", False, _is("_active", value=False)),),
    "locations/work_areas": (("only_non_archived", False, ARCHIVED),),
    "shift_management/shifts": (("only_published", False, lambda row: row["state"] != "published"),),
    "timeoff/french_leave_day_counts": (("include_deleted", True, _is("_deleted", value=True)),),
    "timeoff/leaves": (("include_deleted_leaves", True, _has("deleted_at")),),
}
RANGE = ("time_range_category_id", "time_range_category_name")
# Empty fields by resource: the flag, the fields, and their values without the flag.
EMPTY: dict[str, tuple[tuple[str, tuple[str, ...], Any], ...]] = {
    name: tuple((row["flag"], row["fields"], row.get("value")) for row in rows)
    for name, rows in read_data(__package__, "resources.toml")["empty_fields"].items()
}
SOURCES = ("direct", "source_team_ids", "parent_team_ids")
MEMBERSHIPS, WORKED = "teams/memberships", "attendance/worked_times"


def visible(query: Query) -> list[Predicate]:
    """Return the tests for rows that are visible without further flags."""
    hiding = [
        hidden
        for flag, shown, hidden in HIDDEN_ROWS.get(query.resource.name, ())
        # If the version does not have the flag, nothing is hidden.
        if query.flag(flag) is not shown and query.version in query.resource.parameters[flag].span
    ]
    if query.resource.name == WORKED and len(query.many("employee_ids[]")) == 1:
        hiding = []  # for a single employee everything is visible
    return [lambda row, hidden=hidden: not hidden(row) for hidden in hiding]  # type: ignore[misc]


def without_unrequested(query: Query, rows: list[Row]) -> list[Row]:
    """Remove the fields that were not requested."""
    name = query.resource.name
    without = {
        field: value for flag, fields, value in EMPTY.get(name, ()) if query.flag(flag) is not True for field in fields
    }
    if name == MEMBERSHIPS and not _attributed(query):
        without = dict.fromkeys(SOURCES)
    rows = [{**row, **without} for row in rows] if without else rows
    if name == WORKED and query.flag("include_time_range_category") is not True:
        return [{**row, "worked_time_blocks": _without_range(row["worked_time_blocks"])} for row in rows]
    return rows


def _attributed(query: Query) -> bool:
    """Return whether the source of memberships was requested, which requires a single employee and no teams."""
    alone = len(query.many("employee_ids[]")) == 1 and "team_ids[]" not in query
    return alone and query.flag("with_source_attribution") is True


def _without_range(blocks: list[Row]) -> list[Row]:
    return [{**block, **dict.fromkeys(RANGE)} for block in blocks]
