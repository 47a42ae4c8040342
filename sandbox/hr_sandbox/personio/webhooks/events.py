"""The events that a change of the company causes. Not every change causes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from hr_sandbox.company.changes import Change

PING = "ping"
NAMES = (
    *("person.created", "person.updated", "person.deleted"),
    *("employment.created", "employment.updated", "employment.updated.cost-centers", "employment.deleted"),
    *("employment.started", "employment.terminated"),
    *("absence-period.created", "absence-period.updated.status", "absence-period.updated.timerange"),
    "absence-period.deleted",
    *("attendance-period.created", "attendance-period.updated", "attendance-period.deleted"),
    *("document.created", "document.updated", "document.deleted", "document.signed"),
)
FAMILIES = {
    "person": "person",
    "employment": "employment",
    "absence_period": "absence-period",
    "attendance_period": "attendance-period",
    "document": "document",
}
# Custom attributes too.
PERSON_FIELDS = frozenset({"first_name", "last_name", "preferred_name", "email", "gender"})
CUSTOM = "attributes."
SILENT = frozenset({"job_id"})  # fields of employments whose changes cause no event


def find_events(change: Change, today: date) -> Iterator[str]:
    """Yields the names of a change's events."""
    family = FAMILIES.get(change.kind)
    if family is None:
        return
    if change.action != "updated":
        yield f"{family}.{change.action}"
        if change.kind == "employment" and change.action == "created" and change.record.start_date == today:
            yield "employment.started"
        return
    attribute = change.attribute or ""
    if change.kind == "person":
        if attribute in PERSON_FIELDS or attribute.startswith(CUSTOM):
            yield "person.updated"
    elif change.kind == "absence_period":
        yield f"absence-period.updated.{'status' if attribute == 'approval' else 'timerange'}"
    elif change.kind == "employment":
        yield from _find_employment_events(change, today)
    else:
        signed = change.kind == "document" and attribute == "signature" and change.record.signature == "SIGNED"
        yield "document.signed" if signed else f"{family}.updated"


def _find_employment_events(change: Change, today: date) -> Iterator[str]:
    if change.attribute == "cost_centers":
        yield "employment.updated.cost-centers"
    elif change.attribute not in SILENT:
        yield "employment.updated"
        if change.attribute == "termination" and change.record.end_date <= today:
            yield "employment.terminated"


def make_payload(name: str, subject: str) -> dict[str, dict[str, str]]:
    """Returns the payload of an event: the id of its record."""
    return {name.partition(".")[0].replace("-", "_"): {"id": subject}}
