"""What the company is made of. Every vendor renders these records in its own words."""

from hr_sandbox.company.model.company import Company
from hr_sandbox.company.model.papers import CustomReport, Delivery, Document, DocumentCategory, Event, Report, Webhook
from hr_sandbox.company.model.people import (
    Absence,
    AbsenceType,
    AttributeDefinition,
    AttributeValue,
    Compensation,
    CompensationType,
    CostCenter,
    Department,
    Employment,
    Job,
    LegalEntity,
    Office,
    Person,
    SalaryBand,
    Team,
    Termination,
)
from hr_sandbox.company.model.recruiting import Application, Candidate, Category, Opening, Stage, Transition
from hr_sandbox.company.model.table import Record, Table, key_of
from hr_sandbox.company.model.work import AbsenceDay, Attendance, Project

__all__ = [
    "Absence",
    "AbsenceDay",
    "AbsenceType",
    "Application",
    "Attendance",
    "AttributeDefinition",
    "AttributeValue",
    "Candidate",
    "Category",
    "Company",
    "Compensation",
    "CompensationType",
    "CostCenter",
    "CustomReport",
    "Delivery",
    "Department",
    "Document",
    "DocumentCategory",
    "Employment",
    "Event",
    "Job",
    "LegalEntity",
    "Office",
    "Opening",
    "Person",
    "Project",
    "Record",
    "Report",
    "SalaryBand",
    "Stage",
    "Table",
    "Team",
    "Termination",
    "Transition",
    "Webhook",
    "key_of",
]
