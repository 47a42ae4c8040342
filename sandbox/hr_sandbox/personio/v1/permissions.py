"""The names of the permissions that v1 asks for."""

from __future__ import annotations

EMPLOYEES = "employees:read"
ABSENCES = "absences:read"
ATTENDANCES = "attendances:read"
DOCUMENTS = "documents:read"
REPORTS = "custom-reports:read"
PERMISSIONS = (EMPLOYEES, ABSENCES, ATTENDANCES, DOCUMENTS, REPORTS)
