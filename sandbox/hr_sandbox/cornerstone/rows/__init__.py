"""Rows of what the company knows, by view and object."""

from hr_sandbox.cornerstone.rows import learning, people, small, units
from hr_sandbox.cornerstone.rows.parts import Builder

BUILDERS: dict[str, Builder] = {**people.BUILDERS, **units.BUILDERS, **learning.BUILDERS, **small.BUILDERS}
