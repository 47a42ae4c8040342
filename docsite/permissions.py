"""The permissions to request from an administrator, by question."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from tap_cornerstone.odata.stream import ODataStream

from docsite.catalog import list_streams
from docsite.text import describe_permission, make_table

if TYPE_CHECKING:
    from docsite.catalog import StreamPage

QUESTIONS: dict[str, dict[str, list[str]]] = {
    "personio": {
        "headcount, joiners and leavers": [
            "persons",
            "employments",
            "employees",
        ],
        "any of these by department, location, legal entity, cost center": [
            "org_units",
            "workplaces",
            "legal_entities",
            "cost_centers",
        ],
        "absences, absence rate": [
            "persons",
            "employments",
            "absence_types",
            "absence_periods",
            "absence_balances",
        ],
        "working time, overtime": ["persons", "employments", "attendance_periods", "projects"],
        "pay, also by job and gender": [
            "persons",
            "employments",
            "compensations",
            "compensation_types",
            "salary_bands",
            "jobs",
        ],
        "applicants, time to hire": ["recruiting_*"],
        "documents": ["persons", "documents", "document_categories"],
    },
    "factorial": {
        "headcount, joiners and leavers": [
            "employees_employees",
            "contracts_contracts",
            "contracts_contract_versions",
            "contracts_contract_activity_periods",
            "contracts_*_contract_types",
            "contracts_taxonomies",
        ],
        "any of these by team, location, legal entity": [
            "teams_*",
            "locations_locations",
            "companies_legal_entities",
        ],
        "any of these by cost center": ["finance_cost_centers", "finance_cost_center_memberships"],
        "absences, absence rate": [
            "employees_employees",
            "contracts_contracts",
            "contracts_contract_versions",
            "holidays_company_holidays",
            "timeoff_*",
        ],
        "working time, overtime": [
            "employees_employees",
            "contracts_contracts",
            "contracts_contract_versions",
            "holidays_company_holidays",
            "attendance_*",
        ],
        "pay, also by job and gender": [
            "employees_employees",
            "contracts_contracts",
            "contracts_contract_versions",
            "contracts_compensations",
            "payroll_supplements",
            "job_catalog_*",
        ],
        "open positions, applicants": ["ats_*"],
        "training, completion": ["employees_employees", "trainings_*"],
    },
    "cornerstone": {
        "headcount, joiners and leavers": [
            "users_core",
            "employees",
            "employment_statuses",
            "termination_reasons",
        ],
        "any of these by department, location, legal entity, cost center": [
            "user_ou_core",
            "ou_core",
            "ou_type_core",
        ],
        "training completion": [
            "users_core",
            "training_core",
            "training_local_core",
            "training_type_core",
            "transcript_core",
            "transcript_status_local_core",
        ],
        "open positions, applicants, time to hire": ["job_requisitions", "job_applicants"],
    },
}
"""The streams that answer each question, as glob patterns."""

DISCOVERY = ("`obj_metadata:read`", "`reportingmetadata:view`")
"""The permissions that the discovery of views and objects needs."""


def make_permission_tables(vendor: str) -> str:
    """Returns a table of a vendor's questions with their streams and permissions, and a list of all permissions."""
    rows = [
        (question, ", ".join(f"`{pattern}`" for pattern in patterns), ", ".join(_list_permissions(vendor, patterns)))
        for question, patterns in QUESTIONS[vendor].items()
    ]
    every = _list_permissions(vendor, [pattern for patterns in QUESTIONS[vendor].values() for pattern in patterns])
    block = "\n".join(name.strip("`") for name in every)
    return f"{make_table(('question', 'streams', 'permissions'), rows)}\n\nFor all questions:\n\n```text\n{block}\n```"


def _list_permissions(vendor: str, patterns: list[str]) -> list[str]:
    pages = [page for pattern in patterns for page in find_matching_streams(vendor, pattern)]
    for page in pages:  # which also grows by the parents of parents
        pages += find_matching_streams(vendor, page.stream.slices.parent or "")
    discovery = DISCOVERY if any(isinstance(page.stream, ODataStream) for page in pages) else ()
    return [*discovery, *sorted({_name_permission(page) for page in pages})]


def _name_permission(page: StreamPage) -> str:
    """Returns the permission that a stream needs, without the plan that includes it."""
    text = describe_permission(page.stream).partition(", and a plan")[0]
    return re.sub(r"^scope (\w+)$", r"`\1`", text).removeprefix("scope ")


def find_matching_streams(vendor: str, pattern: str) -> list[StreamPage]:
    """Returns the streams that match a pattern."""
    known = list_streams()[f"tap-{vendor}"]
    return [known[name] for name in fnmatch.filter(known, pattern)]
