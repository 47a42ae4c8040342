"""Rows that come from the company, each list in the vendor's words. What is missing in a row is invented."""

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
