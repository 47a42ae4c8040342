"""The base class of the generators of records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_sandbox.company.model import Company
    from hr_sandbox.company.seeded_random import SeededRandom


class Generator:
    """Generates one kind of records for a company."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        self.company = company
        self.rng = rng
