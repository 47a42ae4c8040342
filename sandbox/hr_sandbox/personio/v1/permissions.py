"""The permissions of v1."""

from __future__ import annotations

EMPLOYEES = "employees:read"
ABSENCES = "absences:read"
ATTENDANCES = "attendances:read"
DOCUMENTS = "documents:read"
REPORTS = "custom-reports:read"
PERMISSIONS = (EMPLOYEES, ABSENCES, ATTENDANCES, DOCUMENTS, REPORTS)
