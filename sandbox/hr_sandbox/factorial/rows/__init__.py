"""Rows with data of the company. Missing fields are generated."""

from hr_sandbox.factorial.rows import (
    attendance,
    contracts,
    documents,
    hiring,
    pay,
    people,
    projects,
    structure,
    time_off,
)
from hr_sandbox.factorial.rows.common import Builder

BUILDERS: dict[str, Builder] = {
    **attendance.BUILDERS,
    **contracts.BUILDERS,
    **hiring.BUILDERS,
    **documents.BUILDERS,
    **pay.BUILDERS,
    **people.BUILDERS,
    **projects.BUILDERS,
    **structure.BUILDERS,
    **time_off.BUILDERS,
}
