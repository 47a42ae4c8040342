"""References between records, which matter for deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.data_files import read_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company.model.company import Company, Table

_DATA = read_data(__package__, "references.json")
# By kind, the tables and fields that refer to it. A referenced record cannot be deleted.
REFERENCES: dict[str, tuple[tuple[str, str], ...]] = _DATA["references"]

# By kind, the tables whose records are deleted with it.
OWNED: dict[str, tuple[str, ...]] = _DATA["owned"]


def is_referenced(company: Company, kind: str, number: int) -> bool:
    """Returns whether another record refers to this one."""
    if kind == "cost_center" and any(number == center for row in company.employments for center, _ in row.cost_centers):
        return True
    return any(
        getattr(row, field) == number for name, field in REFERENCES.get(kind, ()) for row in getattr(company, name)
    )


def find_referenced_table(company: Company, table: Table[Any], field: str) -> Table[Any] | None:
    """Returns the table that a field refers to, or None."""
    tables = {other.kind: other for other in company.tables()}
    for kind, users in REFERENCES.items():
        if any(getattr(company, name) is table and field == used for name, used in users):
            return tables[kind]
    return None


def find_owned(company: Company, kind: str, number: int) -> Iterator[tuple[Table[Any], list[Any]]]:
    """Yields the tables with the records that this one owns."""
    for name in OWNED.get(kind, ()):
        table: Table[Any] = getattr(company, name)
        yield table, table.find_by_owner(number)
