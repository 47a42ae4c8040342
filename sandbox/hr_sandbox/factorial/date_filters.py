"""Query parameters that compare dates and timestamps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.factorial.fake_values import day_of

if TYPE_CHECKING:
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.query import Query

Test = Callable[["Row"], bool]
EXPENSES = "expenses/"
# By resource and parameter: the operator and the field.
BOUNDS: dict[str, dict[str, tuple[str, str]]] = read_data(__package__, "resources.toml")["bounds"]
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
