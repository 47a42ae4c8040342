"""The types of events, and which of them a change of the company causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.data_files import read_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hr_sandbox.company.changes import Change

# By family, the resource of the bodies and the events.
_FAMILIES: dict[str, tuple[str | None, ...]] = read_data(__package__, "events.json")
# The resource of each type's bodies; None if it has no list endpoint.
TYPES: dict[str, str | None] = {
    f"{family}/{event}": resource for family, (resource, *events) in _FAMILIES.items() for event in events
}
FAMILY_OF = {resource: family for family, (resource, *_) in _FAMILIES.items() if resource}
CANDIDATE = "recruiting_candidate"
# By kind of record, the company's table and the family.
KINDS = {
    "person": ("people", "employees/employee"),
    "employment": ("employments", "contracts/contract_version"),
    "absence_period": ("absences", "timeoff/leave"),
    "attendance_period": ("attendances", "attendance/shift"),
    "document": ("documents", "documents/document"),
    "cost_center": ("cost_centers", "finance/cost_center"),
    "office": ("offices", "locations/location"),
    "absence_type": ("absence_types", "timeoff/leave_type"),
    "team": ("teams", "teams/team"),
    CANDIDATE: ("candidates", "ats/candidate"),
    "recruiting_application": ("applications", "ats/application"),
    "recruiting_job": ("openings", "ats/job_posting"),
}
LEAVE, SHIFT, EMPLOYEE = "timeoff/leave", "attendance/shift", "employees/employee"
CREATE_EMPLOYEE, BULK_DELETE, CLOCK_IN = f"{EMPLOYEE}/create_with_contract", f"{LEAVE}/bulk_delete", f"{SHIFT}/clock_in"
VERBS = {"created": "create", "updated": "update", "deleted": "delete"}
DECISIONS = {"APPROVED": "approve", "REJECTED": "reject"}
IN_EMPLOYEES = frozenset({"supervisor_id", "office_id", "legal_entity_id"})  # fields that employees show too


def find_events(changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
    """Yields the types of the events of changes that were made together, with the changes in each.

    A deleted employee causes no event, and neither does what is deleted with an employee or a candidate.
    """
    deleted = {change.kind for change in changes if change.action == "deleted"}
    if "person" in deleted:
        return
    if CANDIDATE in deleted:
        changes = [change for change in changes if change.kind == CANDIDATE]
    hired = any(change.kind == "person" and change.action == "created" for change in changes)
    cancelled = [change for change in changes if change.kind == "absence_period" and change.action == "deleted"]
    if len(cancelled) > 1:
        yield BULK_DELETE, cancelled
    for change in changes:
        if len(cancelled) > 1 and change in cancelled:
            continue
        if hired and change.kind == "employment":
            continue
        for name in _find_types(change):
            if name in TYPES:
                yield name, [change]


def _find_types(change: Change) -> Iterator[str]:
    if change.kind not in KINDS:
        return
    _, family = KINDS[change.kind]
    verb, attribute, record = VERBS[change.action], change.attribute or "", change.record
    if change.kind == "person" and verb == "create":
        yield CREATE_EMPLOYEE
    elif change.kind == "attendance_period" and verb == "create" and record.ends_at is None:
        yield CLOCK_IN
    elif change.kind == "absence_period" and attribute == "approval" and record.approval in DECISIONS:
        yield f"{family}/{DECISIONS[record.approval]}"
    elif change.kind == "cost_center" and verb == "update":
        yield f"{family}/edit"
    else:
        yield f"{family}/{verb}"
    if change.kind == "employment" and attribute == "termination":
        yield f"{EMPLOYEE}/terminate"
    elif change.kind == "employment" and attribute in IN_EMPLOYEES:
        yield f"{EMPLOYEE}/update"
