"""Rows with data of the company, by view and object."""

from hr_sandbox.cornerstone.rows import learning, other, people, units
from hr_sandbox.cornerstone.rows.common import Builder

BUILDERS: dict[str, Builder] = {**people.BUILDERS, **units.BUILDERS, **learning.BUILDERS, **other.BUILDERS}
