"""The company with all of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hr_sandbox.company.model.table import Table

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.company.model import documents, people, recruiting, work


class Company:
    """All records, and a version that increases with every change."""

    def __init__(self, name: str, domain: str, seed: int, today: date) -> None:
        self.name = name
        self.domain = domain
        self.seed = seed
        self.today = today
        self.version = 0
        self.attributes: list[people.AttributeDefinition] = []
        self.legal_entities: Table[people.LegalEntity] = Table("legal_entity", 170)
        self.offices: Table[people.Office] = Table("office", 60300)
        self.cost_centers: Table[people.CostCenter] = Table("cost_center", 20)
        self.jobs: Table[people.Job] = Table("job", 500)
        self.salary_bands: Table[people.SalaryBand] = Table("salary_band", 900, lambda row: row.job_id)
        # Both start with the same number: org unit ids are unique per type only.
        self.departments: Table[people.Department] = Table("department", 400)
        self.teams: Table[people.Team] = Table("team", 400)
        # Starts below 10000, so that numbers sort differently as text.
        self.people: Table[people.Person] = Table("person", 9600)
        self.employments: Table[people.Employment] = Table("employment", 30000, lambda row: row.person_id)
        self.absence_types: Table[people.AbsenceType] = Table("absence_type", 80)
        self.absences: Table[people.Absence] = Table("absence_period", 700000, lambda row: row.person_id)
        self.compensation_types: Table[people.CompensationType] = Table("compensation_type", 40)
        self.compensations: Table[people.Compensation] = Table("compensation", 50000, lambda row: row.person_id)
        self.projects: Table[work.Project] = Table("project", 5100)
        self.attendances: Table[work.Attendance] = Table("attendance_period", 2_000_000, lambda row: row.person_id)
        self.categories: Table[recruiting.Category] = Table("recruiting_category", 60)
        self.openings: Table[recruiting.Opening] = Table("recruiting_job", 410_000)
        self.candidates: Table[recruiting.Candidate] = Table("recruiting_candidate", 860_000)
        self.applications: Table[recruiting.Application] = Table(
            "recruiting_application", 880_000, lambda row: row.candidate_id
        )
        self.document_categories: Table[documents.DocumentCategory] = Table("document_category", 30)
        self.documents: Table[documents.Document] = Table("document", 0, lambda row: row.owner_id)
        self.reports: Table[documents.Report] = Table("report", 0)
        self.custom_reports: Table[documents.CustomReport] = Table("custom_report", 0)
        self.webhooks: Table[documents.Webhook] = Table("webhook", 0)
        self.events: Table[documents.Event] = Table("webhook_event", 0, lambda row: row.webhook_id)
        self.deliveries: Table[documents.Delivery] = Table("webhook_activity", 0, lambda row: row.webhook_id)

    def tables(self) -> tuple[Table[Any], ...]:
        """Return all tables. Referenced tables come first."""
        return tuple(value for value in vars(self).values() if isinstance(value, Table))

    def latest_employment(self, person_id: int) -> people.Employment | None:
        """Return the employment that began last, or None."""
        return max(self.employments.of(person_id), key=lambda row: (row.start_date, row.id), default=None)
