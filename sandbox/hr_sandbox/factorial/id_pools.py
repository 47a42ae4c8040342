"""The ids that references may point to. They are created once, so that changes of the company do not affect them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.factorial.tables import resources
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.factorial.tables import Field

COMPANY = 1
ACCESS = 40_000  # added to a person's id for the id of their access
WORKER = 100_000  # a project worker's id is the project's id times this plus the person's
MIN_SIZE, SIZE_RANGE = 3, 24
# The sizes of generated resources where they matter: empty, more than a page, or as many as in reality.
SIZES = {
    "banking/bank_accounts": 6,
    "banking/transactions": 340,
    "banking/card_payments": 120,
    "bookkeepers_management/incidences": 130,
    "compensations/concepts": 30,
    "compensations/cycles": 5,
    "compensations/employees_compensations": 260,
    "compensations/payroll_results": 205,
    "expenses/expenses": 230,
    "expenses/expensables": 230,
    "finance/accounts": 160,
    "finance/journal_entries": 150,
    "finance/journal_lines": 420,
    "finance/tax_types": 4,
    "holidays/company_holidays": 60,
    "marketplace/installation_settings": 1,
    "payroll_integrations_base/codes": 110,
    "posts/comments": 101,
    "procurement/po_field_values": 100,
    "project_management/expense_records": 140,
    "project_management/planned_records": 45,
    "shift_management/shifts": 320,
    "teams/teams": 0,
    "trainings/session_access_memberships": 130,
    "trainings/session_attendances": 130,
    "trainings/training_memberships": 210,
    # Modules that the company does not use.
    "custom_resources/resources": 0,
    "custom_resources/schemas": 0,
    "custom_resources/values": 0,
    "processes/processes": 0,
    "time_settings/split_custom_time_range_categories": 0,
}
# What references point to if the vendor does not say.
REFERENCES = {
    "access_id": "access",
    "assignee_ids": "employees/employees",
    "approver_id": "employees/employees",
    "ats_conversation_id": "conversations",
    "author_id": "employees/employees",
    "category_id": "finance/categories",
    "category_ids": "trainings/categories",
    "client_id": "finance/contacts",
    "contract_id": "contracts/contracts",
    "contracts_taxonomy_id": "contracts/taxonomies",
    "cycle_id": "compensations/cycles",
    "default_work_area_id": "locations/work_areas",
    "leave_type_ids": "timeoff/leave_types",
    "location_ids": "locations/locations",
    "members": "employees/employees",
    "owner_id": "employees/employees",
    "parent_category_id": "finance/categories",
    "payroll_concept_id": "compensations/concepts",
    "payroll_policy_id": "compensations/concepts",
    "po_template_version_id": "procurement/po_template_versions",
    "process_id": "performance/review_processes",
    "requester_employee_id": "employees/employees",
    "review_evaluation_id": "performance/review_evaluations",
    "review_process_id": "performance/review_processes",
    "it_asset_model_id": "it_management/it_asset_models",
    "review_process_target_id": "performance/review_process_targets",
    "reviewer_access_id": "access",
    "manager_access_id": "access",
    "session_access_membership_id": "trainings/session_access_memberships",
    "source_id": "ats/candidate_sources",
    "target_access_id": "access",
    "target_id": "performance/review_process_targets",
    "training_class_id": "trainings/training_classes",
    "team_ids": "teams/teams",
    "time_settings_break_configuration_id": "time_settings/break_configurations",
    "type_id": "procurement/types",
    "work_schedule_schedule_id": "work_schedule/schedules",
    "legal_entity_ids": "companies/legal_entities",
    "cost_center_ids": "finance/cost_centers",
    "syncable_state_id": "integrations/syncable_states",
}


def size_of(resource: str) -> int:
    """Return how many rows a generated resource has."""
    return SIZES.get(resource, MIN_SIZE + stable_number("size", resource) % SIZE_RANGE)


def first_of(resource: str) -> int:
    """Return the id of the first row of a generated resource."""
    return 1000 + stable_number("first", resource) % 90_000


def keys_of(resource: str) -> list[int] | list[str]:
    """Return the ids of a generated resource: integers, or texts if the vendor's are texts."""
    row, first, size = resources().get(resource), first_of(resource), size_of(resource)
    if row is not None and row.key is not None and row.fields[row.key].type != "id":
        return sorted(
            f"{stable_number(resource, index):08x}-{index:04x}-4{size:03x}-8000-{first:012x}" for index in range(size)
        )
    return list(range(first, first + size))


class Pools:
    """The existing ids by resource."""

    def __init__(self, company: Company) -> None:
        """Collect the ids of the company."""
        people = [row.id for row in company.people]
        parts = [row for row in company.projects if row.parent_id]
        self._pools: dict[str, list[int] | list[str]] = {
            "access": [number + ACCESS for number in people],
            "conversations": list(range(500, 560)),
            "api_public/credentials": [COMPANY],
            "ats/applications": [row.id for row in company.applications],
            "ats/candidates": [row.id for row in company.candidates],
            "ats/job_postings": [row.id for row in company.openings],
            "companies/legal_entities": [row.id for row in company.legal_entities],
            "contracts/contract_versions": [row.id for row in company.employments],
            "contracts/contracts": [row.id for row in company.employments],
            "documents/documents": [row.id for row in company.documents],
            "documents/folders": [row.id for row in company.document_categories],
            "employees/employees": people,
            "finance/cost_centers": [row.id for row in company.cost_centers],
            "job_catalog/levels": [row.id for row in company.jobs],
            "locations/locations": [row.id for row in company.offices],
            "project_management/projects": [row.id for row in company.projects if not row.parent_id],
            "project_management/project_workers": [
                row.id * WORKER + person_id for row in company.projects for person_id in row.member_ids
            ],
            "project_management/subprojects": [row.id for row in parts],
            "teams/teams": [row.id for row in company.teams],
            "timeoff/leave_types": [row.id for row in company.absence_types],
            "timeoff/leaves": [row.id for row in company.absences],
            "attendance/shifts": [row.id for row in company.attendances],
        }

    def of(self, field: Field) -> list[int] | list[str]:
        """Return the ids that a field may contain."""
        return self.named(field.refers or REFERENCES.get(field.name))

    def named(self, resource: str | None) -> list[int] | list[str]:
        """Return the ids of a resource, or arbitrary numbers if it is unknown."""
        if resource is None:
            return list(range(1, 60))
        if resource not in self._pools:
            self._pools[resource] = keys_of(resource)
        return self._pools[resource]
