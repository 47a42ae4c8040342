"""The ids that references may point to. They are created once, so that changes of the company do not affect them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.data_files import read_data
from hr_sandbox.factorial.tables import resources
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.factorial.tables import Field

COMPANY = 1
ACCESS = 40_000  # added to a person's id for the id of their access
WORKER = 100_000  # a project worker's id is the project's id times this plus the person's
MIN_SIZE, SIZE_RANGE = 3, 24
_DATA = read_data(__package__, "resources.toml")
SIZES: dict[str, int] = _DATA["sizes"]
# What references point to if the vendor does not say.
REFERENCES: dict[str, str] = _DATA["references"]


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
