"""The company with all of its tables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from hr_sandbox.company.model import documents, people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date


class Record(Protocol):
    """Anything with a number."""

    @property
    def id(self) -> int:
        """The number, unique per kind."""


R = TypeVar("R", bound=Record)


def key_of(record: Record) -> str:
    """Returns the opaque id: the uuid if there is one, else the number."""
    return str(getattr(record, "uuid", record.id))


class Table(Generic[R]):
    """Records of one kind ordered by number. They can be found by number, uuid or owner."""

    def __init__(
        self, kind: str, record: Callable[..., R], first_id: int, owner: Callable[[R], int] | None = None
    ) -> None:
        """Creates an empty table.

        Args:
            kind: the kind of record, such as `person`.
            record: makes a record from its number and its other fields.
            first_id: the number before the first one that `next_id` returns.
            owner: returns the number of a record's owner, for `of`.
        """
        self.kind = kind
        self._record = record
        self._last_id = first_id
        self._owner = owner
        self._rows: dict[int, R] = {}
        self._numbers: dict[str, int] = {}
        self._owned: defaultdict[int, list[R]] = defaultdict(list)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> R:
        return self._rows[number]

    def __contains__(self, number: int) -> bool:
        return number in self._rows

    def next_id(self, step: int = 1) -> int:
        """Returns the next unused number."""
        self._last_id += step
        return self._last_id

    def create(self, *values: Any, step: int = 1, **fields: Any) -> R:
        """Adds a record with the next unused number."""
        return self.add(self._record(self.next_id(step), *values, **fields))

    def add(self, row: R) -> R:
        """Adds a record."""
        self._rows[row.id] = row
        self._numbers[key_of(row)] = row.id
        if self._owner:
            self._owned[self._owner(row)].append(row)
        return row

    def remove(self, row: R) -> None:
        """Removes a record."""
        del self._rows[row.id]
        del self._numbers[key_of(row)]
        if self._owner:
            self._owned[self._owner(row)].remove(row)

    def find(self, key: str) -> R | None:
        """Returns the record with this opaque id, or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def find_by_owner(self, owner_id: int) -> list[R]:
        """Returns the records of an owner, oldest first."""
        return list(self._owned.get(owner_id, ()))


class Company:
    """All records, and a version that increases with every change."""

    def __init__(self, name: str, domain: str, seed: int, today: date) -> None:
        self.name = name
        self.domain = domain
        self.seed = seed
        self.today = today
        self.version = 0
        self.attributes: list[people.AttributeDefinition] = []
        self.legal_entities = Table("legal_entity", people.LegalEntity, 170)
        self.offices = Table("office", people.Office, 60300)
        self.cost_centers = Table("cost_center", people.CostCenter, 20)
        self.jobs = Table("job", people.Job, 500)
        self.salary_bands = Table("salary_band", people.SalaryBand, 900, lambda row: row.job_id)
        # Both start with the same number: org unit ids are unique per type only.
        self.departments = Table("department", people.Department, 400)
        self.teams = Table("team", people.Team, 400)
        # Starts below 10000, so that numbers sort differently as text.
        self.people = Table("person", people.Person, 9600)
        self.employments = Table("employment", people.Employment, 30000, lambda row: row.person_id)
        self.absence_types = Table("absence_type", people.AbsenceType, 80)
        self.absences = Table("absence_period", people.Absence, 700000, lambda row: row.person_id)
        self.compensation_types = Table("compensation_type", people.CompensationType, 40)
        self.compensations = Table("compensation", people.Compensation, 50000, lambda row: row.person_id)
        self.projects = Table("project", people.Project, 5100)
        self.attendances = Table("attendance_period", people.Attendance, 2_000_000, lambda row: row.person_id)
        self.categories = Table("recruiting_category", documents.Category, 60)
        self.openings = Table("recruiting_job", documents.Opening, 410_000)
        self.candidates = Table("recruiting_candidate", documents.Candidate, 860_000)
        self.applications = Table(
            "recruiting_application", documents.Application, 880_000, lambda row: row.candidate_id
        )
        self.document_categories = Table("document_category", documents.DocumentCategory, 30)
        self.documents = Table("document", documents.Document, 0, lambda row: row.owner_id)
        self.reports = Table("report", documents.Report, 0)
        self.custom_reports = Table("custom_report", documents.CustomReport, 0)
        self.webhooks = Table("webhook", documents.Webhook, 0)
        self.events = Table("webhook_event", documents.Event, 0, lambda row: row.webhook_id)
        self.subscriptions = Table("webhook_subscription", documents.Subscription, 20)
        self.deliveries = Table("webhook_activity", documents.Delivery, 0, lambda row: row.webhook_id)

    def tables(self) -> tuple[Table[Any], ...]:
        """Returns all tables. Referenced tables come first."""
        return tuple(value for value in vars(self).values() if isinstance(value, Table))

    def latest_employment(self, person_id: int) -> people.Employment | None:
        """Returns the employment that began last, or None."""
        return max(self.employments.find_by_owner(person_id), key=lambda row: (row.start_date, row.id), default=None)
