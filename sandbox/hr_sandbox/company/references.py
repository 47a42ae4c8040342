"""References between records, which matter for deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model import Company, Table

# By kind, the tables and fields that refer to it. A referenced record cannot be deleted.
REFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "absence_type": (("absences", "type_id"),),
    "compensation_type": (("compensations", "type_id"),),
    "department": (
        ("employments", "department_id"),
        ("departments", "parent_id"),
        ("teams", "department_id"),
        ("openings", "department_id"),
    ),
    "team": (("employments", "team_id"), ("teams", "parent_id")),
    "legal_entity": (
        ("offices", "legal_entity_id"),
        ("employments", "legal_entity_id"),
        ("compensations", "legal_entity_id"),
    ),
    "office": (("employments", "office_id"), ("openings", "office_id")),
    "job": (("employments", "job_id"), ("openings", "job_id"), ("salary_bands", "job_id")),
    "cost_center": (("projects", "cost_center_id"),),
    "project": (("projects", "parent_id"), ("attendances", "project_id")),
    "recruiting_category": (("openings", "category_id"),),
    "recruiting_job": (("applications", "opening_id"),),
    "document_category": (("documents", "category_id"),),
}

# By kind, the tables whose records are deleted with it.
OWNED = {
    "person": ("employments", "absences", "compensations", "attendances", "documents"),
    "recruiting_candidate": ("applications",),
    "webhook": ("events", "deliveries"),
}


def is_referenced(company: Company, kind: str, number: int) -> bool:
    """Return whether another record refers to this one."""
    if kind == "cost_center" and any(number == center for row in company.employments for center, _ in row.cost_centers):
        return True
    return any(
        getattr(row, field) == number for name, field in REFERENCES.get(kind, ()) for row in getattr(company, name)
    )


def referenced_table(company: Company, table: Table[Any], field: str) -> Table[Any] | None:
    """Return the table that a field refers to, or None."""
    tables = {other.kind: other for other in company.tables()}
    for kind, users in REFERENCES.items():
        if any(getattr(company, name) is table and field == used for name, used in users):
            return tables[kind]
    return None


def owned_by(company: Company, kind: str, number: int) -> Iterator[tuple[Table[Any], list[Any]]]:
    """Yield the tables with the records that this one owns."""
    for name in OWNED.get(kind, ()):
        table: Table[Any] = getattr(company, name)
        yield table, table.of(number)
