"""Adds records to a person at run time: absences, working time, documents."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.absences import FIRST, SECOND
from hr_sandbox.company.fields import ChangeError, parse_field
from hr_sandbox.company.generator import next_workday
from hr_sandbox.company.model.documents import Document
from hr_sandbox.company.model.people import Absence, Attendance

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company.generator import SeededRandom
    from hr_sandbox.company.model.company import Company, Record
    from hr_sandbox.company.model.people import Employment, Person

NOTICE = timedelta(7)  # how far ahead an absence is by default
REFERENCES = {"type_id": "absence_types", "project_id": "projects", "category_id": "document_categories"}


class Additions:
    """Creates records of people. Fields that are not given get usual values."""

    def __init__(self, company: Company, rng: SeededRandom, now: Callable[[], datetime]) -> None:
        self._company = company
        self._rng = rng
        self._now = now
        self._kinds: dict[str, tuple[type, Callable[[Employment, dict[str, Any]], Record]]] = {
            "absence_period": (Absence, self._add_absence),
            "attendance_period": (Attendance, self._add_attendance),
            "document": (Document, self._add_document),
        }

    def add(self, kind: str, person: Person, given: dict[str, Any]) -> Record:
        """Adds a record of a kind. Raises ChangeError for unknown kinds and fields."""
        if kind not in self._kinds:
            raise ChangeError(f"Records of the kind {kind} cannot be created; choose from {', '.join(self._kinds)}.")
        record_type, add = self._kinds[kind]
        fields = {name: parse_field(record_type, name, value) for name, value in given.items()}
        for name, table in REFERENCES.items():
            if fields.get(name) is not None and fields[name] not in getattr(self._company, table):
                raise ChangeError(f"The field {name} cannot be {fields[name]}: there is no such record.")
        employment = self._company.latest_employment(person.id)
        if employment is None:
            raise ChangeError(f"The person {person.id} has no employment.")
        return add(employment, fields)

    def _add_absence(self, employment: Employment, fields: dict[str, Any]) -> Record:
        company = self._company
        kind = company.absence_types[fields.get("type_id") or next(iter(company.absence_types)).id]
        start = fields.get("starts_at") or datetime.combine(next_workday(company.today + NOTICE), time())
        hourly = kind.unit == "HOURLY"
        usual = {
            "type_id": kind.id,
            "starts_at": start,
            "ends_at": start + (timedelta(hours=1) if hourly else timedelta(1)),
            "start_half": None if hourly else FIRST,
            "end_half": None if hourly else SECOND,
            "timezone": company.offices[employment.office_id].timezone,
            "comment": None,
            "approval": "APPROVED",
        }
        values = {**usual, **fields}
        if values["ends_at"] is None and not hourly:
            values["end_half"] = None
        return company.absences.create(**self._complete(employment, values))

    def _add_attendance(self, employment: Employment, fields: dict[str, Any]) -> Record:
        start = fields.get("starts_at") or datetime.combine(self._company.today, time(9))
        usual = {
            "type": "WORK",
            "starts_at": start,
            "ends_at": start + timedelta(hours=8),
            "day": start.date(),
            "comment": None,
            "project_id": None,
            "approval": "PENDING",
            "automatic": False,
            "on_time_off": False,
        }
        return self._company.attendances.create(**self._complete(employment, {**usual, **fields}))

    def _complete(self, employment: Employment, values: dict[str, Any]) -> dict[str, Any]:
        """Returns all fields of a record with a start and an end."""
        if values["ends_at"] is not None and values["ends_at"] <= values["starts_at"]:
            raise ChangeError("The field ends_at must be later than starts_at.")
        now = self._now()
        return {
            "uuid": self._rng.uuid(),
            "person_id": employment.person_id,
            "created_at": now,
            "updated_at": now,
            **values,
        }

    def _add_document(self, employment: Employment, fields: dict[str, Any]) -> Record:
        category = next(iter(self._company.document_categories))
        usual = {
            "uuid": self._rng.uuid(),
            "owner_id": employment.person_id,
            "category_id": category.id,
            "name": f"{category.name}.pdf",
            "day": None,
            "comment": None,
            "media_type": "application/pdf",
            "size": self._rng.integer(2_000, 4_000_000),
            "scan": "CLEAN",
            "signature": None,
            "created_at": self._now(),
        }
        return self._company.documents.create(**{**usual, **fields})
