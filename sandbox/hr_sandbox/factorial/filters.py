"""The rows that match a request: filters, views, and required parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.factorial.date_filters import BOUNDS
from hr_sandbox.factorial.errors import invalid_parameter
from hr_sandbox.factorial.ids import to_api_id
from hr_sandbox.factorial.tables import resources

if TYPE_CHECKING:
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.query import Query

Test = Callable[["Row"], bool]
_DATA = read_data(__package__, "resources.toml")
# Parameters whose names differ from the field's, by resource or in general.
FIELD_NAMES: dict[str, str] = _DATA["field_names"]
ALL = "all"
APPROVED = "timeoff/leaves/approved"  # only has an effect together with another parameter
NAMES = ("name", "title", "full_name", "label", "legal_name", "label_text")
STARTS = "name_starts_with"
EXCLUDING = frozenset({"exclude_ids[]", "without_ids[]"})
SEARCHES = frozenset(
    {"search", STARTS, "name_or_code", "full_text_name", "name", "title", "employee_name", "legal_name"}
)
# Flags that have no effect if they are false.
TRUE_ONLY: dict[str, Test] = {
    "ats/messages/last_per_conversation": lambda _row: True,
    "attendance/edit_timesheet_requests/pending": lambda row: row["approved"] is None,
    "attendance/shifts/half_day": lambda row: row["half_day"] is not None,
    "employees/employees/only_managers": lambda row: bool(row["_manages"]),
    "expenses/per_diems/exclude_drafts": lambda row: row["status"] != "draft",
    "project_management/imputable_projects/only_active": lambda row: row["status"] == "active",
    "project_management/projects/no_clients": lambda row: row["client_id"] is None,
    "project_management/rates/without_project": lambda row: row["project_id"] is None,
    "project_management/rates/without_quote": lambda row: row["quote_id"] is None,
    "project_management/budget_strategies/without_subproject": lambda row: row["subproject_id"] is None,
    "timeoff/allowances/by_overtime": lambda row: row["source_units"] == "overtime_units",
}
# Resources that require one of these groups of parameters.
ONE_OF: dict[str, tuple[tuple[str, ...], ...]] = _DATA["one_of"]
# The maximum number of values of a parameter.
AT_MOST: dict[str, tuple[str, int]] = _DATA["at_most"]
CONTACT_TYPE, VENDOR = "contact_type", "vendor"
VIEWS = ("by_trash_bin", "by_pending_assignment")


def check_required(query: Query) -> None:
    """Reject a request that lacks required parameters."""
    resource = query.resource
    for name in resource.needs:
        known = query.version in resource.parameters[name].span
        if known and not any(query.many(name)):
            raise invalid_parameter(resource.module, name, "can't be blank")
        parameter = resource.parameters[name]
        if known and parameter.choices and not set(query.many(name)) <= set(parameter.choices):
            raise invalid_parameter(resource.module, name, "is not included in the list")
    groups = ONE_OF.get(resource.name, ())
    if groups and not any(all(any(query.many(name)) for name in group) for group in groups):
        raise invalid_parameter(resource.module, groups[0][0], "is missing, and nothing else bounds the request")
    name, most = AT_MOST.get(resource.name, ("", 0))
    if len(query.many(name)) > most:
        raise invalid_parameter(resource.module, name, f"takes {most} at most")


def tests(query: Query) -> list[Test]:
    """Return the tests for the parameters of a query and for views."""
    found = [test for name in query.names if (test := _test(query, name))]
    return [*found, *_views(query)]


def _test(query: Query, name: str) -> Test | None:
    """Return the test for a parameter, or None if it has no effect."""
    place = f"{query.resource.name}/{name}"
    if place in TRUE_ONLY:
        return TRUE_ONLY[place] if query.flag(name) else None
    if name in BOUNDS.get(query.resource.name, {}) or place == APPROVED:
        return None
    if name in EXCLUDING:
        without = set(query.many(name))
        return lambda row: str(to_api_id(row["id"])) not in without
    field = _field(query.resource.name, name)
    if field is None:
        return _search(query, name) if name in SEARCHES else None
    return _equal(query, name, field)


def _equal(query: Query, name: str, field: str) -> Test | None:
    if query.resource.parameters[name].type == "boolean":
        wanted = query.flag(name)
        return lambda row: row.get(field) is wanted
    texts = {text for text in query.many(name) if text} if name.endswith("[]") else {query.one(name)}
    if ALL in texts:
        return None
    numbers = _is_number(query.resource.name, field)
    return lambda row: not texts.isdisjoint(_texts(row.get(field), numbers=numbers))


def _texts(held: Any, *, numbers: bool) -> list[str]:  # noqa: ANN401  any field
    values = held if isinstance(held, list) else [held]
    return [str(to_api_id(value)) if numbers and isinstance(value, int) else str(value) for value in values]


@cache
def _is_number(resource: str, field: str) -> bool:
    known = resources()[resource].fields.get(field)
    return known.type in {"id", "ids"} if known else field.endswith("_id")


@cache
def _field(resource: str, name: str) -> str | None:
    """Return the field that a parameter refers to, or None."""
    for called in (f"{resource}/{name}", name):
        if called in FIELD_NAMES:
            return FIELD_NAMES[called]
    fields = resources()[resource].fields
    plain = name.removesuffix("[]")
    for guess in (plain, plain.removesuffix("s"), plain.removesuffix("es"), f"{plain.removesuffix('ies')}y"):
        if guess in fields:
            return None if guess in SEARCHES and not name.endswith("[]") else guess
    return None


def _search(query: Query, name: str) -> Test | None:
    wanted = (query.one(name) or "").lower()
    fields = [field for field in NAMES if field in query.resource.fields]
    if not fields:
        return None
    if name == STARTS:
        return lambda row: any(str(row[field] or "").lower().startswith(wanted) for field in fields)
    return lambda row: any(wanted in str(row[field] or "").lower() for field in fields)


def _views(query: Query) -> list[Test]:
    """Return the tests for resources with several views. Rows do not show which view they belong to."""
    parameters = query.resource.parameters
    if query.resource.name == "finance/contacts":
        wanted = query.one(CONTACT_TYPE) or VENDOR
        return [lambda row: row["_contact_type"] == wanted]
    if query.resource.name == "documents/documents":
        views = {f"_{name}": query.flag(name) or False for name in VIEWS}
        return [lambda row: all(bool(row.get(name)) is wanted for name, wanted in views.items())]
    if "archived" in parameters and query.resource.name.endswith("_contract_types"):
        archived = query.flag("archived") or False
        return [lambda row: row["_archived"] is archived]
    if query.resource.name == "timeoff/leaves":
        return _approval(query)
    return []


def _approval(query: Query) -> list[Test]:
    approved, pending = query.flag("approved"), query.flag("include_pending")
    if approved is None and not pending:
        return []
    wanted = {value for value, asked in ((approved, approved is not None), (None, pending)) if asked}
    return [lambda row: row["approved"] in wanted]
