"""The bodies of events: the bare record as its list endpoint returns it, in the subscription's version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hr_sandbox import clock
from hr_sandbox.factorial.endpoint import render_rows
from hr_sandbox.factorial.store import DELETED
from hr_sandbox.factorial.tables import find_served_version, format_id, load_resources
from hr_sandbox.factorial.webhooks.catalogue import (
    CLOCK_IN,
    CREATE_EMPLOYEE,
    EMPLOYEE,
    KINDS,
    TYPES,
)
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.changes import Change
    from hr_sandbox.company.model.company import Company, Table
    from hr_sandbox.factorial.access import Access
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.store import Store
    from hr_sandbox.http.messages import Json

# Kinds with many records: only the changed one is built.
MANY = frozenset({"person", "employment", "absence_period", "attendance_period", "document"})
NO_EMAIL_PERCENT = 50  # of employees that were just created
EMAILS = ("email", "login_email")


class _OneRow:
    """A table that lists only one record, and finds the others too."""

    def __init__(self, table: Table[Any], record: object) -> None:
        self._table = table
        self._record = record

    def __iter__(self) -> Iterator[Any]:
        return iter((self._record,))

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401  a record of the table
        return self._table[number]

    def __contains__(self, number: object) -> bool:
        return number in self._table

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  what the table has
        return getattr(self._table, name)


class _CompanyView:
    """The company with only one record in one of its tables."""

    def __init__(self, company: Company, table: str, record: object) -> None:
        self._company = company
        setattr(self, table, _OneRow(getattr(company, table), record))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  what the company has
        return getattr(self._company, name)


class Bodies:
    """Makes the bodies of events."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def make_body(self, name: str, change: Change, version: str) -> Json:
        """Returns the body of a type of event for a change."""
        version = find_served_version(version) or version
        if name == CLOCK_IN:
            return self._make_clock_in(change, version)
        resource = TYPES[name] or ""
        if name.startswith(EMPLOYEE) and change.kind == "employment":
            row = self._build("employees/employees", "people", self._store.company.people[change.record.person_id])
        else:
            table, _ = KINDS[change.kind]
            found = None if change.kind in MANY or change.action == "deleted" else change.number
            kept = self._store.find_row(resource, found) if found else None
            row = kept or self._build(resource, table, change.record)
        body = self.render(resource, row, version)
        if change.action == "deleted" and DELETED in body:
            body[DELETED] = clock.read_clock().isoformat()
        if name == CREATE_EMPLOYEE and stable_chance(NO_EMAIL_PERCENT, "new", change.number):
            body |= dict.fromkeys(EMAILS)
        return body

    def render(self, name: str, row: Row, version: str) -> Json:
        """Renders a row in a version, or in the first one that has the resource."""
        resource = load_resources()[name]
        version = find_served_version(version) or version
        shown = version if version in resource.span else resource.span.since
        return render_rows(resource, [row], shown, frozenset(self._access.hidden.get(name, ())))[0]

    def _build(self, name: str, table: str, record: object) -> Row:
        return self._store.build_rows_of(name, _CompanyView(self._store.company, table, record))[0]

    def _make_clock_in(self, change: Change, version: str) -> Json:
        """Returns what the action was called with. There is no id."""
        row, company = change.record, self._store.company
        employment = company.latest_employment(row.person_id)
        return {
            "employee_id": format_id(row.person_id, version),
            "now": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "latitude": 52.377956,
            "longitude": 4.89707,
            "accuracy": 5,
            "observations": row.comment,
            "location_type": "office",
            "workplace_id": employment and format_id(employment.office_id, version),
            "time_settings_break_configuration_id": None,
            "project_worker_id": None,
            "subproject_id": row.project_id and format_id(row.project_id, version),
        }
