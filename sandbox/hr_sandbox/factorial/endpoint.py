"""Handles requests to list endpoints, renders their rows in one version of the API, and reads them in full."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.generator import SATURDAY
from hr_sandbox.factorial import filters
from hr_sandbox.factorial.errors import make_html_error
from hr_sandbox.factorial.filters import (
    MEMBERSHIPS,
    SOURCES,
    list_candidates,
    make_date_predicates,
    make_visibility_predicates,
    remove_unrequested_fields,
)
from hr_sandbox.factorial.query import Paging, Query, make_meta_without_pages, parse_paging, slice_page
from hr_sandbox.factorial.store import SHIFTS, STATS, Store, find_row_key
from hr_sandbox.factorial.tables import CLUSTER, TEXT_IDS, load_resources, to_api_id
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.messages import Response, make_json_response
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hr_sandbox.factorial.access import Access
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.tables import Resource

TIMESTAMP_FORMATS = ("{}.000Z", "{}.000Z", "{}.000+00:00", "{}Z")
TIMESTAMP_LENGTH = 19  # the length of a timestamp without a fraction
TIME_SUFFIXES = ("_at", "_on", "date")  # suffixes of fields with dates and times


@cache
def _find_field_names(name: str, version: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Returns the fields of a version, those that are ids, and those that are dates or times."""
    fields = [field for field in load_resources()[name].fields.values() if version in field.span]
    return (
        tuple(field.name for field in fields),
        tuple(field.name for field in fields if field.type in {"id", "ids"}),
        tuple(field.name for field in fields if field.form or field.name.endswith(TIME_SUFFIXES)),
    )


@cache
def _make_formatter(module: str) -> Callable[[Any], Any]:
    """Returns the function that formats dates and times for a module."""
    form = TIMESTAMP_FORMATS[stable_number("moments", module) % len(TIMESTAMP_FORMATS)]

    def format_value(value: Any) -> Any:  # noqa: ANN401  any JSON
        if isinstance(value, datetime):
            return form.format(value.isoformat()[:TIMESTAMP_LENGTH])
        if isinstance(value, time):
            return value.isoformat("minutes")
        return value.isoformat() if isinstance(value, date) else value

    return format_value


def _add_cluster(value: Any) -> Any:  # noqa: ANN401  an integer, several, or any other value
    if isinstance(value, int):
        return CLUSTER + value
    return [_add_cluster(inner) for inner in value] if isinstance(value, list) else value


def _add_cluster_as_text(value: Any) -> Any:  # noqa: ANN401  an integer, several, or any other value
    if isinstance(value, int):
        return str(CLUSTER + value)
    return [_add_cluster_as_text(inner) for inner in value] if isinstance(value, list) else value


def render_rows(resource: Resource, rows: Iterable[Row], version: str, hidden: frozenset[str]) -> list[Row]:
    """Renders rows. Hidden attributes are null."""
    names, ids, times = _find_field_names(resource.name, version)
    key, format_value = _add_cluster if version < TEXT_IDS else _add_cluster_as_text, _make_formatter(resource.module)
    found = []
    for row in rows:
        body = {name: row[name] for name in names}
        for name in ids:
            body[name] = key(body[name])
        for name in times:
            body[name] = format_value(body[name])
        body.update((name, None) for name in hidden if name in body)
        found.append(body)
    return found


FRENCH_COUNTS = "timeoff/french_leave_day_counts"
# The field with the date of a row, for resources that are read in windows.
WINDOWED = {
    "attendance/estimated_times": "date",
    "attendance/reviews": "date",
    SHIFTS: "date",
    "attendance/worked_times": "date",
    "project_management/exportable_expenses": "date",
}
EXTRA_FIELDS = (
    "_archived",
    "_by_pending_assignment",
    "_by_trash_bin",
    "_company_id",
    "_contact_type",
    "_integration_uuid",
    "_node_uuid",
    "_project_id",
)
EXTRA_IDS = frozenset({"_company_id", "_project_id"})
GATEWAY_TIMEOUT = 504


SHORT, SHORT_ONCE, KEYLESS, NULL_ERRORS = "short", "short-once", "keyless", "null-errors"
UNUSUAL_MODES = (SHORT, SHORT_ONCE, KEYLESS, NULL_ERRORS)
EVERY_NTH = 5  # rows of a page without a key, or that are missing: the first, and every fifth after it


@dataclass(slots=True)
class Modes:
    """Deviations from normal responses, as set by controls.

    Attributes:
        unusual: modes by resource: fewer rows than the total, once or always; rows without their key; null errors
            instead of rows.
        ignored: parameters that a resource ignores.
        or_later: whether `updated_at` of shifts includes later days.
        unpaged: resources that return all rows at once.
        widest_days: the widest window of shifts that gets a fast response.
        stall_seconds: the delay for a wider window.
        seconds_per_row: an additional delay per shift.
        halting: whether the delay occurs in the middle of the body.
        max_shifts: the most shifts that a response can contain.
    """

    unusual: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, set[str]] = field(default_factory=dict)
    or_later: bool = False
    unpaged: set[str] = field(default_factory=lambda: {SHIFTS})
    widest_days: int = 31
    stall_seconds: float = 300
    seconds_per_row: float = 0
    halting: bool = False
    max_shifts: int = 100_000


class Endpoints:
    """The list endpoints."""

    def __init__(self, store: Store, access: Access) -> None:
        self.store = store
        self.modes = Modes()
        self._access = access

    def handle(self, resource: Resource, version: str, pairs: Sequence[tuple[str, str]]) -> Response:
        """Returns a page, or all rows if the resource does not page."""
        query = Query(resource, version, pairs, frozenset(self.modes.ignored.get(resource.name, ())))
        filters.check_required_parameters(query)
        if self.modes.unusual.get(resource.name) == NULL_ERRORS:
            return make_json_response({"errors": None})
        given = dict(pairs)
        if resource.name == SHIFTS:
            return self._handle_shifts(query)
        key = resource.key
        numbered = resource.name == STATS or (key is not None and resource.fields[key].type == "id")
        asked = parse_paging(given, numbered=numbered)
        rows = self._select_rows(query)
        if resource.name in self.modes.unpaged:
            return self._make_response(query, rows, make_meta_without_pages(len(rows)))
        if resource.name == STATS:
            people = sorted({row["employee_id"] for row in rows})
            # `page` has no effect here.
            part, meta = slice_page(people, Paging(asked.limit, asked.after, asked.before, None), int)
            chosen = set(part)
            return self._make_response(query, [row for row in rows if row["employee_id"] in chosen], meta)
        part, meta = slice_page(rows, asked, lambda row: find_row_key(resource, row))
        return self._make_response(query, part, meta)

    def _make_response(self, query: Query, rows: Sequence[Row], meta: Row) -> Response:
        return make_json_response(
            {"data": self._apply_mode(query.resource, self._render_rows(query, list(rows)), meta), "meta": meta}
        )

    def _apply_mode(self, resource: Resource, shown: list[Row], meta: Row) -> list[Row]:
        """Returns the rows of a page as the mode changes them."""
        mode = self.modes.unusual.get(resource.name)
        if mode in {SHORT, SHORT_ONCE}:
            if mode == SHORT_ONCE and not meta["has_next_page"]:
                del self.modes.unusual[resource.name]
            return [row for index, row in enumerate(shown) if index % EVERY_NTH]
        if mode == KEYLESS:
            for row in shown[::EVERY_NTH]:
                row.pop(resource.key or "", None)
        return shown

    def _render_rows(self, query: Query, rows: list[Row]) -> list[Row]:
        hidden = frozenset(self._access.hidden.get(query.resource.name, ()))
        return render_rows(query.resource, remove_unrequested_fields(query, rows), query.version, hidden)

    def _select_rows(self, query: Query) -> Sequence[Row]:
        name = query.resource.name
        on = query.get_day("reference_date") if "reference_date" in query.resource.parameters else None
        predicates = [
            *make_visibility_predicates(query),
            *filters.make_parameter_predicates(query),
            *make_date_predicates(query),
        ]
        rows = self.store.list_balances(on) if on and name == STATS else list_candidates(self.store, name, predicates)
        if predicates:
            rows = [row for row in rows if all(predicate(row) for predicate in predicates)]
        if name == FRENCH_COUNTS and "from" in query:
            rows = [_count_inside(row, query.get_day("from"), query.get_day("to")) for row in rows]
        return rows

    def _handle_shifts(self, query: Query) -> Response:
        """Returns all shifts at once, regardless of the limit. A wide window takes longer than clients wait."""
        modes, bulk = self.modes, self.store.bulk
        first, last = query.get_day("start_on"), query.get_day("end_on")
        touched = query.get_day("updated_at")
        seconds = 0.0
        if touched is None and not query.get_all("ids[]"):
            wide = first is None or last is None or (last - first).days >= modes.widest_days
            seconds = modes.stall_seconds if wide else 0.0
        predicates = filters.make_parameter_predicates(query)
        bounds = make_date_predicates(query, or_later=modes.or_later)
        # A generated shift was last updated on its own day.
        early = max(filter(None, (first, touched)), default=None)
        late = min(filter(None, (last, None if modes.or_later else touched)), default=None)
        places = bulk.find_indexes(early, late) if bulk.rows else range(0)
        if len(places) > modes.max_shifts:
            response = make_html_error(GATEWAY_TIMEOUT)
        else:
            both = (*predicates, *bounds)
            rows = [
                row for row in list_candidates(self.store, SHIFTS, both) if all(predicate(row) for predicate in both)
            ]
            # Generated rows already match the requested dates.
            response = self._add_generated_shifts(query, rows, places, predicates)
            seconds += modes.seconds_per_row * (len(rows) + len(places))
        response.seconds, response.halting = seconds, modes.halting
        return response

    def _add_generated_shifts(
        self, query: Query, rows: list[Row], places: range, predicates: list[filters.Predicate]
    ) -> Response:
        """Returns shifts including generated ones, which are rendered from a JSON template where possible."""
        bulk = self.store.bulk
        if predicates or not places or SHIFTS in self.modes.unusual:
            rows += [row for row in bulk.make_shifts(places) if all(predicate(row) for predicate in predicates)]
            return self._make_response(query, rows, make_meta_without_pages(len(rows)))
        parts = [make_json_response(row).body.decode() for row in self._render_rows(query, rows)]
        parts += bulk.render_shifts(places, lambda some: self._render_rows(query, some))
        meta = make_json_response(make_meta_without_pages(len(parts)))
        body = f'{{"data":[{",".join(parts)}],"meta":{meta.body.decode()}}}'
        return Response(200, body.encode(), meta.headers)

    # Full reads

    def count_rows(self, resource: Resource, first: date, last: date) -> int:
        """Returns how many rows a full read yields."""
        if resource.name not in WINDOWED:
            return len(self.store.list_rows_to_count(resource.name))
        bulk = len(self.store.bulk.find_indexes(first, last)) if resource.name == SHIFTS and self.store.bulk.rows else 0
        return bulk + sum(
            1 for _ in self._select_window(resource, self.store.list_rows_to_count(resource.name), first, last)
        )

    def list_records(self, resource: Resource, version: str, first: date, last: date) -> list[Row]:
        """Returns the rows of a full read. Values from the query have names that begin with an underscore."""
        bulk = self.store.bulk
        places = bulk.find_indexes(first, last) if resource.name == SHIFTS and bulk.rows else range(0)
        if len(places) > self.modes.max_shifts:
            raise ControlError(f"There are more than {self.modes.max_shifts} shifts in this window.")
        rows: Iterable[Row] = self._select_window(resource, self.store.list_rows(resource.name), first, last)
        kept = [*rows, *bulk.make_shifts(places)]
        # The source of a membership is only returned for a single employee.
        found = render_rows(resource, kept, version, frozenset(SOURCES if resource.name == MEMBERSHIPS else ()))
        return [{**_list_extra_fields(row), **body} for row, body in zip(kept, found, strict=True)]

    @staticmethod
    def _select_window(resource: Resource, rows: list[Row], first: date, last: date) -> Iterable[Row]:
        day = WINDOWED.get(resource.name)
        return rows if day is None else (row for row in rows if row[day] and first <= row[day] <= last)


def _list_extra_fields(row: Row) -> Row:
    return {name: str(to_api_id(row[name])) if name in EXTRA_IDS else row[name] for name in EXTRA_FIELDS if name in row}


def _count_inside(row: Row, first: date | None, last: date | None) -> Row:
    """Counts the working days of a leave that are inside a window."""
    begin, end = row["_start_on"], row["_finish_on"]
    if first is None or last is None or (begin >= first and end is not None and end <= last):
        return row
    begin, end = max(begin, first), min(end or last, last)
    days = (begin + timedelta(index) for index in range((end - begin).days + 1))
    return {**row, "amount": float(sum(day.weekday() < SATURDAY for day in days))}
