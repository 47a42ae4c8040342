"""A full read of each resource, with the parameters that it requires, returns what the controls report."""

from __future__ import annotations

from typing import Any

import pytest
from hr_sandbox.factorial.tables import LIVE, load_newest

WINDOW = [("start_on", "2021-01-01"), ("end_on", "2027-06-17")]
INTEGRATION = "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"
TRUE, FALSE = "true", "false"
# Flags that include hidden rows.
FLAGS: dict[str, dict[str, str]] = {
    "attendance/overtime_requests": {"include_approval_flow": TRUE},
    "attendance/worked_times": {"include_time_range_category": TRUE, "include_non_attendable_employees": TRUE},
    "compensations/cycles": {"include_archived": TRUE, "include_hidden": TRUE},
    "compensations/payroll_runs": {"include_hidden": TRUE},
    "contracts/materialized_templates": {"include_archived": TRUE},
    "employees/employees": {"only_active": FALSE},
    "expenses/expensables": {"include_grouped": TRUE, "include_attachments": TRUE, "include_manual_drafts": TRUE},
    "expenses/expenses": {"include_attachments": TRUE, "include_manual_drafts": TRUE},
    "expenses/mileages": {"include_attachments": TRUE, "include_manual_drafts": TRUE},
    "finance/budget_options": {"include_inactive": TRUE, "include_archived": TRUE},
    "finance/cost_center_memberships": {"only_active": FALSE},
    "job_catalog/tree_nodes": {"include_full_path": TRUE},
    "marketplace/installation_settings": {"integration_uuid": INTEGRATION},
    "locations/work_areas": {"only_non_archived": FALSE},
    "project_management/project_workers": {
        "include_inputed_minutes": TRUE,
        "include_cost": TRUE,
        "include_labor_cost": TRUE,
    },
    "project_management/projects": {"include_inputed_minutes": TRUE, "include_costs": TRUE},
    "project_management/subprojects": {"include_inputed_minutes": TRUE, "include_cost": TRUE},
    "shift_management/shifts": {"only_published": FALSE},
    "timeoff/french_leave_day_counts": {"include_deleted": TRUE},
    "timeoff/leaves": {
        "include_deleted_leaves": TRUE,
        "include_duration": TRUE,
        "include_duration_by_day": TRUE,
        "include_leave_type": TRUE,
    },
    "work_schedule/schedules": {"with_employee_ids": TRUE, "with_periods": TRUE},
    "integrations/sync_runs": {
        "marketplace_integration_uuid": INTEGRATION,
        "created_at_gteq": "2020-01-01T00:00:00.000Z",
    },
    "attendance/reviews": {"reviewed_at": "2026-06-17"},
    "timeoff/policy_timelines": {"reference_date": "2026-06-17"},
    "finance/categories": {"category_level": "all", "type": "all"},
}
# Resources that need one read per value: fixed ones, or values of another resource's rows.
SWEEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "finance/contacts": ("contact_type", ("client", "vendor")),
    "payroll_employees/identifiers": ("country", ("de", "it", "pt")),
    "job_catalog/tree_nodes": (
        "node_type",
        tuple(f"jobcatalog_tree{kind}" for kind in ("family", "function", "level", "role", "root")),
    ),
    "contracts/materialized_templates": ("template_type", ("company", "contract_type", "country", "legal_entity")),
    **{
        f"contracts/{country}_contract_types": ("archived", (TRUE, FALSE))
        for country in ("french", "german", "portuguese", "spanish")
    },
}
PARENTS = {
    "attendance/estimated_times": ("employees/employees", "employee_ids[]", "id"),
    "attendance/reviews": ("employees/employees", "employee_ids[]", "id"),
    "compensations/additional_compensations": ("employees/employees", "employee_ids[]", "id"),
    "contracts/contract_activity_periods": ("contracts/contracts", "contract_id", "id"),
    "contracts/contract_version_meta_data": ("contracts/contract_versions", "contract_version_ids[]", "id"),
    "job_catalog/node_attributes": ("job_catalog/tree_nodes", "node_uuid", "uuid"),
    "performance/target_managers": ("performance/review_processes", "performance_review_process_ids[]", "id"),
    "posts/comments": ("posts/posts", "post_ids[]", "id"),
    "project_management/exportable_expenses": ("project_management/projects", "project_ids[]", "id"),
    "tasks/task_files": ("tasks/tasks", "task_id", "id"),
    "timeoff/french_leave_day_counts": ("timeoff/leaves", "leave_ids[]", "id"),
    "timeoff/policy_timelines": ("employees/employees", "employee_id", "id"),
    "trainings/session_access_memberships": ("trainings/sessions", "session_id", "id"),
}
MANY = 200  # values per request


# Parameters that are repeated, besides the flags.
LISTS = {
    "attendance/estimated_times": WINDOW,
    "attendance/reviews": WINDOW,
    "attendance/shifts": WINDOW,
    "attendance/worked_times": WINDOW,
    "finance/categories": [("statuses[]", status) for status in ("enabled", "disabled", "deleted")],
    "job_catalog/node_attributes": [
        ("attribute_types[]", kind) for kind in ("competency", "it_management", "salary_range", "working_conditions")
    ],
    "project_management/exportable_expenses": [("start_date", "2021-01-01"), ("end_date", "2027-06-17")],
}
OF_COMPANY = ("contracts/materialized_templates", "marketplace/installation_settings")
VIEWS = ((FALSE, FALSE), (TRUE, FALSE), (FALSE, TRUE))
CODES = "payroll_integrations_base/codes"


def queries_of_full_read(api: Any, name: str) -> list[list[tuple[str, str]]]:
    """Returns the queries of a full read."""
    shared = [*FLAGS.get(name, {}).items(), *LISTS.get(name, ())]
    if name in OF_COMPANY:
        shared += [("company_id", api.rows("api_public/credentials")[0]["company_id"])]
    if name == CODES:
        return [[("integrations[]", value)] for value in load_newest()[name].parameters["integrations[]"].choices]
    if name == "documents/documents":
        return [[("by_trash_bin", trash), ("by_pending_assignment", pending)] for trash, pending in VIEWS]
    if name in SWEEPS:
        parameter, values = SWEEPS[name]
        return [[*shared, (parameter, value)] for value in values]
    if name in PARENTS:
        parent, parameter, key = PARENTS[name]
        keys = [row[key] for row in read_all_rows(api, parent)]
        step = MANY if parameter.endswith("[]") and name != "performance/target_managers" else 1
        return [[*shared, *((parameter, key) for key in keys[i : i + step])] for i in range(0, len(keys), step)]
    return [shared]


def read_all_rows(api: Any, name: str) -> list[Any]:
    return [row for query in queries_of_full_read(api, name) for row in api.rows(name, query)]


@pytest.mark.parametrize("name", load_newest())
def test_a_full_read_returns_what_the_controls_report(factorial: Any, name: str) -> None:
    stream = name.replace("/", "_")
    rows = read_all_rows(factorial, name)
    records = factorial.vendor.list_records(stream, None, None, "")
    rendered = [{key: value for key, value in row.items() if not key.startswith("_")} for row in records]
    assert len(rows) == len(rendered) == factorial.vendor.count_rows(stream, None, None)
    assert sorted(map(repr, rows)) == sorted(map(repr, rendered))
    if key := load_newest()[name].key:
        keys = [row[key] for row in rows]
        assert None not in keys
        assert len(set(keys)) == len(keys)


def test_most_resources_have_rows_many_have_pages_and_some_are_empty(factorial: Any) -> None:
    counts = {stream: factorial.vendor.count_rows(stream, None, None) for stream in factorial.vendor.streams}
    assert len(counts) == len(load_newest())
    assert 3 <= sum(not count for count in counts.values()) <= 8
    assert sum(count > 100 for count in counts.values()) > 30


@pytest.mark.parametrize("version", LIVE)
def test_bodies_have_the_fields_of_the_version(factorial: Any, version: str) -> None:
    for name, resource in load_newest().items():
        if version in resource.span and name not in PARENTS and name not in SWEEPS and not resource.needs:
            query = queries_of_full_read(factorial, name)[0]
            fields = {field.name for field in resource.fields.values() if version in field.span}
            for row in factorial.get(name, query, version)[1]["data"]:
                assert set(row) == fields, name
