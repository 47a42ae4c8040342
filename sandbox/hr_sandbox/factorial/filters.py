"""The rows that match a request: filters, bounds of dates, flags, views, and required parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data
from hr_sandbox.factorial.errors import make_invalid_parameter
from hr_sandbox.factorial.fake_values import to_date
from hr_sandbox.factorial.tables import load_resources, to_api_id
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.query import Query
    from hr_sandbox.factorial.store import Store

Predicate = Callable[["Row"], bool]
EXPENSES = "expenses/"
_DATA = read_data(__package__, "resources.toml")
# By resource and parameter: the operator and the field.
BOUNDS: dict[str, dict[str, tuple[str, str]]] = _DATA["bounds"]
# Fields that are null while a period is open.
OPEN_ENDED = frozenset({"timeoff/leaves/finish_on", "timeoff/french_leave_day_counts/_finish_on"})
INDEXED_DAYS = 366  # the longest period for which looking up each day is faster than reading all rows
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda held, bound: bool(held >= bound),
    "<=": lambda held, bound: bool(held <= bound),
    ">": lambda held, bound: bool(held > bound),
    "<": lambda held, bound: bool(held < bound),
    "==": lambda held, bound: bool(held == bound),
}


@dataclass(frozen=True, slots=True)
class OneOf:
    """Tests whether a field has one of the given values, or contains one.

    Attributes:
        texts: the values as they are in a query.
        list_texts: returns the values of a field as they are in a query.
    """

    field: str
    texts: frozenset[str | None]
    list_texts: Callable[[Any], list[str]]

    def __call__(self, row: Row) -> bool:
        """Tests a row."""
        return not self.texts.isdisjoint(self.list_texts(row.get(self.field)))


@dataclass(frozen=True, slots=True)
class Bound:
    """Tests whether a date or timestamp is within a bound.

    Attributes:
        sign: the comparison, such as `>=`.
        bound: for a date, only the date of a timestamp counts.
        open_ended: whether no date means an open end.
    """

    field: str
    sign: str
    bound: date | datetime | None
    open_ended: bool

    def __call__(self, row: Row) -> bool:
        """Tests a row."""
        held = row.get(self.field)
        if held is None:
            return self.open_ended
        return COMPARE[self.sign](held if isinstance(self.bound, datetime) else to_date(held), self.bound)


def list_candidates(store: Store, name: str, predicates: Iterable[Predicate]) -> Sequence[Row]:
    """Returns the rows that can pass the predicates. An index finds them for values and short periods."""
    rows = store.list_rows(name)
    periods: dict[str, tuple[date, date]] = {}
    places: set[int] | None = None
    for predicate in predicates:
        if isinstance(predicate, OneOf):
            index = store.index(name, predicate.field, predicate.list_texts)
            found = {place for text in predicate.texts for place in index.get(text, ())}
            places = found if places is None else places & found
        elif (
            isinstance(predicate, Bound)
            and not predicate.open_ended
            and predicate.bound
            and not isinstance(predicate.bound, datetime)
        ):
            first, last = periods.get(predicate.field, (date.min, date.max))
            periods[predicate.field] = (
                first if "<" in predicate.sign else max(first, predicate.bound),
                last if ">" in predicate.sign else min(last, predicate.bound),
            )
    for field, (first, last) in periods.items():
        if (last - first).days <= INDEXED_DAYS:
            index = store.index(name, field, list_days)
            days = (first + timedelta(number) for number in range((last - first).days + 1))
            found = {place for day in days for place in index.get(day, ())}
            places = found if places is None else places & found
    return rows if places is None else [rows[place] for place in sorted(places)]


def make_date_predicates(query: Query, *, or_later: bool = False) -> list[Predicate]:
    """Returns the predicates for the date parameters of a query; `updated_at` of shifts may include later days."""
    bounds = BOUNDS.get(query.resource.name, {})
    given = {name: bounds[name] for name in query.names if name in bounds}
    if query.resource.name.startswith(EXPENSES) and len({"from", "to"} & given.keys()) == 1:
        given = {name: bound for name, bound in given.items() if name not in {"from", "to"}}
        for name in ("from", "to"):
            query.get_timestamp(name)
    predicates: list[Predicate] = []
    for name, (operator, field) in given.items():
        if operator == "any":
            query.get_day(name)  # must be a date, but has no documented effect
            continue
        if operator == "within":
            predicates.append(_make_overlap_predicate(field, query.get_day(name)))
            continue
        by_day = operator.startswith("day")
        sign = operator.removeprefix("day")
        if or_later and sign == "==":
            sign = ">="
        bound = query.get_day(name) if by_day else query.get_timestamp(name)
        predicates.append(Bound(field, sign, bound, f"{query.resource.name}/{field}" in OPEN_ENDED))
    return predicates


def _make_overlap_predicate(fields: str, day: date | None) -> Predicate:
    first, _, last = fields.partition("/")
    return lambda row: (
        day is not None and (row[first] is None or row[first] <= day) and (row[last] is None or row[last] >= day)
    )


def _make_random_predicate(percent: float, *words: str) -> Predicate:
    return lambda row: stable_chance(percent, *words, row["id"])


def _make_presence_predicate(field: str) -> Predicate:
    return lambda row: row[field] is not None


def _make_equality_predicate(field: str, value: object) -> Predicate:
    return lambda row: bool(row[field] == value)


HIDDEN = _make_random_predicate(20, "hidden")
ARCHIVED = _make_presence_predicate("archived_at")
# Hidden rows: the flag, the value that includes them, and which rows.
HIDDEN_ROWS: dict[str, tuple[tuple[str, bool, Predicate], ...]] = {
    "attendance/worked_times": (
        ("include_non_attendable_employees", True, _make_equality_predicate("_attendable", value=False)),
    ),
    "compensations/cycles": (("include_archived", True, ARCHIVED), ("include_hidden", True, HIDDEN)),
    "compensations/payroll_runs": (("include_hidden", True, HIDDEN),),
    "employees/employees": (
        ("only_active", False, lambda row: bool(row["terminated_on"] and not row["is_terminating"])),
    ),
    "expenses/expensables": (
        ("include_grouped", True, _make_presence_predicate("group_id")),
        ("include_manual_drafts", True, _make_equality_predicate("status", "draft")),
    ),
    "expenses/expenses": (("include_manual_drafts", True, _make_equality_predicate("status", "draft")),),
    "expenses/mileages": (("include_manual_drafts", True, _make_equality_predicate("status", "draft")),),
    "finance/budget_options": (
        ("include_inactive", True, _make_random_predicate(20, "inactive")),
        ("include_archived", True, _make_random_predicate(20, "archived")),
    ),
    "finance/cost_center_memberships": (("only_active", False, _make_equality_predicate("_active", value=False)),),
    "locations/work_areas": (("only_non_archived", False, ARCHIVED),),
    "shift_management/shifts": (("only_published", False, lambda row: row["state"] != "published"),),
    "timeoff/french_leave_day_counts": (("include_deleted", True, _make_equality_predicate("_deleted", value=True)),),
    "timeoff/leaves": (("include_deleted_leaves", True, _make_presence_predicate("deleted_at")),),
}
RANGE = ("time_range_category_id", "time_range_category_name")
# Empty fields by resource: the flag, the fields, and their values without the flag.
EMPTY: dict[str, tuple[tuple[str, tuple[str, ...], Any], ...]] = {
    name: tuple((row["flag"], row["fields"], row.get("value")) for row in rows)
    for name, rows in _DATA["empty_fields"].items()
}
SOURCES = ("direct", "source_team_ids", "parent_team_ids")
MEMBERSHIPS, WORKED = "teams/memberships", "attendance/worked_times"


def make_visibility_predicates(query: Query) -> list[Predicate]:
    """Returns the predicates for rows that are visible without further flags."""
    hiding = [
        hidden
        for flag, shown, hidden in HIDDEN_ROWS.get(query.resource.name, ())
        # If the version does not have the flag, nothing is hidden.
        if query.get_flag(flag) is not shown and query.version in query.resource.parameters[flag].span
    ]
    if query.resource.name == WORKED and len(query.get_all("employee_ids[]")) == 1:
        hiding = []  # for a single employee everything is visible
    return [lambda row, hidden=hidden: not hidden(row) for hidden in hiding]  # type: ignore[misc]


def remove_unrequested_fields(query: Query, rows: list[Row]) -> list[Row]:
    """Removes the fields that were not requested."""
    name = query.resource.name
    without = {
        field: value
        for flag, fields, value in EMPTY.get(name, ())
        if query.get_flag(flag) is not True
        for field in fields
    }
    if name == MEMBERSHIPS and not _wants_sources(query):
        without = dict.fromkeys(SOURCES)
    rows = [{**row, **without} for row in rows] if without else rows
    if name == WORKED and query.get_flag("include_time_range_category") is not True:
        return [{**row, "worked_time_blocks": _hide_range(row["worked_time_blocks"])} for row in rows]
    return rows


def _wants_sources(query: Query) -> bool:
    """Returns whether the source of memberships was requested, which requires a single employee and no teams."""
    alone = len(query.get_all("employee_ids[]")) == 1 and "team_ids[]" not in query
    return alone and query.get_flag("with_source_attribution") is True


def _hide_range(blocks: list[Row]) -> list[Row]:
    return [{**block, **dict.fromkeys(RANGE)} for block in blocks]


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
TRUE_ONLY: dict[str, Predicate] = {
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


def check_required_parameters(query: Query) -> None:
    """Rejects a request that lacks required parameters."""
    resource = query.resource
    for name in resource.needs:
        known = query.version in resource.parameters[name].span
        if known and not any(query.get_all(name)):
            raise make_invalid_parameter(resource.module, name, "can't be blank")
        parameter = resource.parameters[name]
        if known and parameter.choices and not set(query.get_all(name)) <= set(parameter.choices):
            raise make_invalid_parameter(resource.module, name, "is not included in the list")
    groups = ONE_OF.get(resource.name, ())
    if groups and not any(all(any(query.get_all(name)) for name in group) for group in groups):
        raise make_invalid_parameter(resource.module, groups[0][0], "is missing, and nothing else bounds the request")
    name, most = AT_MOST.get(resource.name, ("", 0))
    if len(query.get_all(name)) > most:
        raise make_invalid_parameter(resource.module, name, f"takes {most} at most")


def make_parameter_predicates(query: Query) -> list[Predicate]:
    """Returns the predicates for the parameters of a query and for views."""
    found = [predicate for name in query.names if (predicate := _make_parameter_predicate(query, name))]
    return [*found, *_make_view_predicates(query)]


def _make_parameter_predicate(query: Query, name: str) -> Predicate | None:
    """Returns the predicate for a parameter, or None if it has no effect."""
    place = f"{query.resource.name}/{name}"
    if place in TRUE_ONLY:
        return TRUE_ONLY[place] if query.get_flag(name) else None
    if name in BOUNDS.get(query.resource.name, {}) or place == APPROVED:
        return None
    if name in EXCLUDING:
        without = set(query.get_all(name))
        return lambda row: str(to_api_id(row["id"])) not in without
    field = _find_field(query.resource.name, name)
    if field is None:
        return _make_search_predicate(query, name) if name in SEARCHES else None
    return _make_field_predicate(query, name, field)


def _make_field_predicate(query: Query, name: str, field: str) -> Predicate | None:
    if query.resource.parameters[name].type == "boolean":
        wanted = query.get_flag(name)
        return lambda row: row.get(field) is wanted
    texts = {text for text in query.get_all(name) if text} if name.endswith("[]") else {query.get(name)}
    if ALL in texts:
        return None
    return OneOf(field, frozenset(texts), list_ids if _is_number(query.resource.name, field) else list_texts)


def list_texts(held: Any) -> list[str]:  # noqa: ANN401  any field
    """Returns the values of a field in the form in which queries have them."""
    return [str(value) for value in (held if isinstance(held, list) else [held])]


def list_ids(held: Any) -> list[str]:  # noqa: ANN401  any field
    """Returns the ids in a field in the form in which queries have them."""
    values = held if isinstance(held, list) else [held]
    return [str(to_api_id(value) if isinstance(value, int) else value) for value in values]


def list_days(held: object) -> list[date | None]:
    """Returns the date in a field."""
    return [to_date(held)]


@cache
def _is_number(resource: str, field: str) -> bool:
    known = load_resources()[resource].fields.get(field)
    return known.type in {"id", "ids"} if known else field.endswith("_id")


@cache
def _find_field(resource: str, name: str) -> str | None:
    """Returns the field that a parameter refers to, or None."""
    for called in (f"{resource}/{name}", name):
        if called in FIELD_NAMES:
            return FIELD_NAMES[called]
    fields = load_resources()[resource].fields
    plain = name.removesuffix("[]")
    for guess in (plain, plain.removesuffix("s"), plain.removesuffix("es"), f"{plain.removesuffix('ies')}y"):
        if guess in fields:
            return None if guess in SEARCHES and not name.endswith("[]") else guess
    return None


def _make_search_predicate(query: Query, name: str) -> Predicate | None:
    wanted = (query.get(name) or "").lower()
    fields = [field for field in NAMES if field in query.resource.fields]
    if not fields:
        return None
    if name == STARTS:
        return lambda row: any(str(row[field] or "").lower().startswith(wanted) for field in fields)
    return lambda row: any(wanted in str(row[field] or "").lower() for field in fields)


def _make_view_predicates(query: Query) -> list[Predicate]:
    """Returns the predicates for resources with several views. Rows do not show which view they belong to."""
    parameters = query.resource.parameters
    if query.resource.name == "finance/contacts":
        wanted = query.get(CONTACT_TYPE) or VENDOR
        return [lambda row: row["_contact_type"] == wanted]
    if query.resource.name == "documents/documents":
        views = {f"_{name}": query.get_flag(name) or False for name in VIEWS}
        return [lambda row: all(bool(row.get(name)) is wanted for name, wanted in views.items())]
    if "archived" in parameters and query.resource.name.endswith("_contract_types"):
        archived = query.get_flag("archived") or False
        return [lambda row: row["_archived"] is archived]
    if query.resource.name == "timeoff/leaves":
        return _make_approval_predicates(query)
    return []


def _make_approval_predicates(query: Query) -> list[Predicate]:
    approved, pending = query.get_flag("approved"), query.get_flag("include_pending")
    if approved is None and not pending:
        return []
    wanted = {value for value, asked in ((approved, approved is not None), (None, pending)) if asked}
    return [lambda row: row["approved"] in wanted]
