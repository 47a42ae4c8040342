"""Generates documents of persons: contracts, payslips and others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import seed_data
from hr_sandbox.company.generator import Generator
from hr_sandbox.company.model import Company, Document, DocumentCategory

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.model import Person
    from hr_sandbox.company.seeded_random import SeededRandom

MOST = 6
COMMENTS = (None, None, None, "unterschrieben zurück", "à vérifier", 'Scan "neu", Seite 1\nund 2')
ENDINGS = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
    "application/vnd.oasis.opendocument.text": "odt",
}


class Documents(Generator):
    """Generates the documents of a company that has persons."""

    def __init__(self, company: Company, rng: SeededRandom) -> None:
        super().__init__(company, rng)
        for name, *_ in seed_data.DOCUMENTS:
            company.document_categories.add(DocumentCategory(company.document_categories.next_id(), name))
        self._categories = list(company.document_categories)

    def make(self) -> None:
        """Generate the documents of all persons."""
        today = self.company.today
        for person in self.company.people:
            first = min(person.created_at.date(), today)
            if self.rng.chance(0.9):
                self._add(person, 0, first)
            days = sorted(self.rng.day(first, today - timedelta(1)) for _ in range(self.rng.integer(0, MOST)))
            for day in days:
                kind = self.rng.weighted_choice(
                    range(len(self._categories)), [share for _, share, _ in seed_data.DOCUMENTS]
                )
                self._add(person, kind, day)

    def _add(self, person: Person, kind: int, day: date) -> None:
        rng = self.rng
        category = self._categories[kind]
        media_type = rng.choice(seed_data.DOCUMENTS[kind][2])
        self.company.documents.add(
            Document(
                id=self.company.documents.next_id(),
                uuid=rng.uuid(),
                owner_id=person.id,
                category_id=category.id,
                name=f"{category.name} {day:%Y-%m} {person.last_name}.{ENDINGS[media_type]}",
                day=day if rng.chance(0.8) else None,
                comment=rng.choice(COMMENTS),
                media_type=media_type,
                size=rng.integer(2_000, 4_000_000),
                scan=rng.weighted_choice(("CLEAN", "PENDING"), (98, 2)),
                signature=rng.choice(("SIGNED", "REQUESTED", "SIGNED")) if kind == 0 else None,
                created_at=rng.timestamp(day),
            )
        )
