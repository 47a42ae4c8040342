"""Query parameters that compare dates and timestamps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.fake_values import day_of

if TYPE_CHECKING:
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.query import Query

Test = Callable[["Row"], bool]
UPDATED_FROM = {"updated_from": (">=", "updated_at")}
UPDATED_AFTER = {"updated_after": (">", "_updated_at")}
WINDOW = {"start_on": ("day>=", "date"), "end_on": ("day<=", "date")}
SINCE = {"updated_at_gteq": (">=", "updated_at"), "updated_at_lteq": ("<=", "updated_at")}
EXPENSES = "expenses/"

# By resource and parameter: the operator and the field.
BOUNDS: dict[str, dict[str, tuple[str, str]]] = {
    "attendance/edit_timesheet_requests": WINDOW,
    "attendance/estimated_times": WINDOW,
    "attendance/overtime_requests": WINDOW,
    "attendance/reviews": {**WINDOW, "reviewed_at": ("any", "date")},
    "attendance/shifts": {**WINDOW, "updated_at": ("day==", "updated_at")},
    "attendance/worked_times": WINDOW,
    "banking/card_payments": {"from": ("day>=", "created_at"), "to": ("day<=", "created_at")},
    "banking/transactions": {"from": ("day>=", "booking_date"), "to": ("day<=", "booking_date"), **UPDATED_FROM},
    "bookkeepers_management/incidences": {"starts_on": ("day>=", "starts_on"), "ends_on": ("day<=", "ends_on")},
    "compensations/payroll_runs": {"from": ("day>=", "ends_on"), "to": ("day<=", "starts_on")},
    "contracts/contract_version_histories": {
        "current_on": ("day<=", "effective_on"),
        "changes_gteq": (">=", "updated_at"),
        "changes_lteq": ("<=", "updated_at"),
    },
    "contracts/contract_versions": {"date": ("day<=", "effective_on"), **SINCE},
    "contracts/contracts": {"starts_on": ("day==", "starts_on")},
    "custom_fields/values": {"updated_at_gteq": (">=", "updated_at")},
    # Parameters of which only the date counts.
    "employees/employees": {"updated_at_gteq": ("day>=", "updated_at")},
    "employee_updates/summaries": {"starts_on": ("day>", "starts_on"), "ends_on": ("day<=", "ends_on")},
    "expenses/expensables": {"from": ("day>=", "effective_on"), "to": ("day<=", "effective_on")},
    "expenses/expenses": {"from": ("day>=", "effective_on"), "to": ("day<", "effective_on")},
    "expenses/mileages": {"from": ("day>=", "effective_on"), "to": ("day<", "effective_on")},
    "finance/cost_center_memberships": {
        "active_on": ("within", "start_date/end_date"),
        "applying_on": ("within", "start_date/end_date"),
    },
    "holidays/company_holidays": {"start_at": ("day>=", "date"), "end_at": ("day<=", "date")},
    "integrations/sync_runs": {"created_at_gteq": (">=", "_created_at")},
    "payroll/supplements": {"from": ("day>=", "effective_on"), "to": ("day<=", "effective_on")},
    "posts/posts": {"from": ("day>=", "published_at"), "until": ("day<=", "published_at")},
    "project_management/expense_records": {
        "start_date": ("day>=", "effective_on"),
        "end_date": ("day<=", "effective_on"),
        **UPDATED_AFTER,
    },
    "project_management/exportable_expenses": {"start_date": ("day>=", "date"), "end_date": ("day<=", "date")},
    "project_management/planned_records": {"start_date": ("day>=", "end_date"), "end_date": ("day<=", "start_date")},
    "project_management/project_workers": UPDATED_AFTER,
    "project_management/projects": UPDATED_AFTER,
    "project_management/subprojects": UPDATED_AFTER,
    "project_management/time_records": UPDATED_AFTER,
    "shift_management/shifts": {"start_at": ("day>=", "end_at"), "end_at": ("day<=", "start_at")},
    "tasks/tasks": {"due_on": ("day==", "due_on")},
    "timeoff/french_leave_day_counts": {"from": ("day>=", "_finish_on"), "to": ("day<=", "_start_on")},
    "timeoff/leaves": {"from": ("day>=", "finish_on"), "to": ("day<=", "start_on")},
    "trainings/sessions": {"start_after": (">=", "starts_at"), "start_before": ("<=", "starts_at")},
    **{
        f"finance/{name}": UPDATED_FROM
        for name in [
            "accounting_settings",
            "accounts",
            "contacts",
            "financial_documents",
            "journal_entries",
            "journal_lines",
            "ledger_account_resources",
            "tax_rates",
            "tax_types",
        ]
    },
    "banking/bank_accounts": UPDATED_FROM,
}
# Fields that are null while a period is open.
OPEN_ENDED = frozenset({"timeoff/leaves/finish_on", "timeoff/french_leave_day_counts/_finish_on"})
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda held, bound: bool(held >= bound),
    "<=": lambda held, bound: bool(held <= bound),
    ">": lambda held, bound: bool(held > bound),
    "<": lambda held, bound: bool(held < bound),
    "==": lambda held, bound: bool(held == bound),
}


def date_tests(query: Query, *, or_later: bool = False) -> list[Test]:
    """Return the tests for the date parameters of a query.

    Args:
        query: the query.
        or_later: whether `updated_at` of shifts includes later days.
    """
    bounds = BOUNDS.get(query.resource.name, {})
    given = {name: bounds[name] for name in query.names if name in bounds}
    if query.resource.name.startswith(EXPENSES) and len({"from", "to"} & given.keys()) == 1:
        given = {name: bound for name, bound in given.items() if name not in {"from", "to"}}
        for name in ("from", "to"):
            query.timestamp(name)
    tests = []
    for name, (operator, field) in given.items():
        if operator == "any":
            query.day(name)  # must be a date, but has no documented effect
            continue
        if operator == "within":
            tests.append(_within(field, query.day(name)))
            continue
        by_day = operator.startswith("day")
        sign = operator.removeprefix("day")
        if or_later and sign == "==":
            sign = ">="
        bound = query.day(name) if by_day else query.timestamp(name)
        tests.append(_test(field, COMPARE[sign], bound, f"{query.resource.name}/{field}" in OPEN_ENDED))
    return tests


def _within(fields: str, day: date | None) -> Test:
    first, _, last = fields.partition("/")
    return lambda row: (
        day is not None and (row[first] is None or row[first] <= day) and (row[last] is None or row[last] >= day)
    )


def _test(field: str, compare: Callable[[Any, Any], bool], bound: date | datetime | None, open_ended: bool) -> Test:  # noqa: FBT001  private
    by_day = not isinstance(bound, datetime)

    def test(row: Row) -> bool:
        held = row.get(field)
        if held is None:
            return open_ended
        return compare(day_of(held) if by_day else held, bound)

    return test
