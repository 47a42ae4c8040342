"""Documents of people: a contract each, payslips and whatever else gathers over the years."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company import catalogue
from hr_sandbox.company.model import Company, Document, DocumentCategory

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.dice import Dice
    from hr_sandbox.company.model import Person

MOST = 6
COMMENTS = (None, None, None, "unterschrieben zurück", "à vérifier", 'Scan "neu", Seite 1\nund 2')
ENDINGS = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
    "application/vnd.oasis.opendocument.text": "odt",
}


class Documents:
    """Makes the documents of a company that has its people."""

    def __init__(self, company: Company, dice: Dice) -> None:
        """Make documents for this company."""
        self.company = company
        self.dice = dice
        for name, *_ in catalogue.DOCUMENTS:
            company.document_categories.add(DocumentCategory(company.document_categories.next_id(), name))
        self._categories = list(company.document_categories)

    def make(self) -> None:
        """Make the documents of everybody."""
        today = self.company.today
        for person in self.company.people:
            first = min(person.created_at.date(), today)
            if self.dice.chance(0.9):
                self._add(person, 0, first)
            days = sorted(self.dice.day(first, today - timedelta(1)) for _ in range(self.dice.number(0, MOST)))
            for day in days:
                kind = self.dice.weighted(range(len(self._categories)), [share for _, share, _ in catalogue.DOCUMENTS])
                self._add(person, kind, day)

    def _add(self, person: Person, kind: int, day: date) -> None:
        dice = self.dice
        category = self._categories[kind]
        media_type = dice.pick(catalogue.DOCUMENTS[kind][2])
        self.company.documents.add(
            Document(
                id=self.company.documents.next_id(),
                uuid=dice.uuid(),
                owner_id=person.id,
                category_id=category.id,
                name=f"{category.name} {day:%Y-%m} {person.last_name}.{ENDINGS[media_type]}",
                day=day if dice.chance(0.8) else None,
                comment=dice.pick(COMMENTS),
                media_type=media_type,
                size=dice.number(2_000, 4_000_000),
                scan=dice.weighted(("CLEAN", "PENDING"), (98, 2)),
                signature=dice.pick(("SIGNED", "REQUESTED", "SIGNED")) if kind == 0 else None,
                created_at=dice.stamp(day),
            )
        )
