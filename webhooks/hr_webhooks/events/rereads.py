"""What the taps read again after an event: a table per vendor.

Streams of children come with their parents: `persons` with `employments`, for example. Kinds of records that no table
names, and changes that the vendor sends no event about, are left to the regular syncs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hr_webhooks.events.event import Event


@dataclass(frozen=True)
class Read:
    """A way to read what an event is about.

    Args:
        stream: The stream of the vendor's tap.
        by: The id of the event by which its records are requested. None: all that has changed since the last sync is
            read, because the stream has no records by id, or the event no id.
    """

    stream: str
    by: Literal["subject", "person"] | None = "subject"


Rule = tuple[tuple[Read, ...], ...]
"""What to read: of each of its parts, the first way for which the event has an id."""


def _by_id(*streams: str) -> Rule:
    return tuple((Read(stream),) for stream in streams)


def _changes(*streams: str) -> Rule:
    return tuple((Read(stream, by=None),) for stream in streams)


def _by_person(*streams: str) -> Rule:
    return tuple((Read(stream, by="person"),) for stream in streams)


PERSONIO: Mapping[str, Rule] = {
    "person": _by_id("persons", "employees"),
    "employment": _by_id("employments"),
    "absence_period": _by_id("absence_periods"),
    "attendance_period": _by_id("attendance_periods"),
    "document": ((Read("persons", by="person"), Read("documents", by=None)),),
}

FACTORIAL: Mapping[str, Rule] = {
    "api_public/webhook_subscription": _changes("api_public_webhook_subscriptions"),
    "ats/application": _by_id("ats_applications"),
    "ats/candidate": _by_id("ats_candidates"),
    "ats/evaluation_form": _by_id("ats_evaluation_forms"),
    "ats/job_posting": _by_id("ats_job_postings"),
    # A clock-in may come as its input, without the id of the shift.
    "attendance/shift": ((Read("attendance_shifts"), Read("attendance_shifts", by=None)),),
    "banking/bank_account_number": _changes("banking_bank_accounts"),
    "bookkeepers_management/incidence": _by_id("bookkeepers_management_incidences"),
    "companies/legal_entity": _by_id("companies_legal_entities"),
    "contracts/contract_version": _by_id("contracts_contract_versions"),
    "custom_resources/schema": _by_id("custom_resources_schemas"),
    "documents/document": _by_id("documents_documents"),
    "documents/folder": _by_id("documents_folders"),
    "employees/employee": _by_id("employees_employees"),
    "expenses/expensable": _by_id("expenses_expensables"),
    "finance/cost_center": _by_id("finance_cost_centers"),
    "locations/location": _by_id("locations_locations"),
    "payroll/supplement": _changes("payroll_supplements"),
    "payroll_integrations_base/code": _changes("payroll_integrations_base_codes"),
    "performance/review_process": _by_id("performance_review_processes"),
    "project_management/time_record": _by_id("project_management_time_records"),
    "shift_management/shift": _by_id("shift_management_shifts"),
    "tasks/task": _by_id("tasks_tasks"),
    "teams/membership": _by_id("teams_memberships"),
    "teams/team": _by_id("teams_teams"),
    "timeoff/blocked_period": _by_id("timeoff_blocked_periods"),
    "timeoff/leave": _by_id("timeoff_leaves"),
    "timeoff/leave_type": _by_id("timeoff_leave_types"),
    "timeoff/policy": _by_id("timeoff_policies"),
    "trainings/category": _by_id("trainings_categories"),
    "trainings/training": _by_id("trainings_trainings"),
    "work_schedule/schedule": _by_id("work_schedule_schedules"),
}
"""Left out, because the API has no list of them: requests for contract versions, and periods of payroll policies."""

CORNERSTONE: Mapping[str, Rule] = {
    "employee": _by_person("employees", "users_core", "vw_rpt_user"),
    "user": _by_person("employees", "users_core", "vw_rpt_user"),
    "training": _changes("transcripts", "transcript_core", "vw_rpt_transcript"),
}

TABLES: Mapping[str, Mapping[str, Rule]] = {"personio": PERSONIO, "factorial": FACTORIAL, "cornerstone": CORNERSTONE}


SEARCHED = {"employments": "persons"}
"""Streams whose records the tap searches through a parent stream. If ids of the parent are given, too: only theirs."""


def reads_of(vendor: str, event: Event) -> list[tuple[Read, str | None]]:
    """Returns what to read after an event, each with the id. Empty: nothing.

    Args:
        vendor: Its vendor.
        event: The event.
    """
    found: list[tuple[Read, str | None]] = []
    for ways in TABLES[vendor].get(event.subject_type or "", ()):
        for way in ways:
            record_id = event.person_id if way.by == "person" else event.subject_id
            if way.by is None or record_id:
                found.append((way, record_id if way.by else None))
                break
    return found
