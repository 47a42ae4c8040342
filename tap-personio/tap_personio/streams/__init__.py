"""The streams, one module per subject."""

from __future__ import annotations

from tap_personio.streams.absences import AbsencePeriodBreakdowns, AbsencePeriods, AbsenceTypes
from tap_personio.streams.attendance import AttendancePeriods, ProjectMembers, Projects
from tap_personio.streams.careers import OpenPositions
from tap_personio.streams.documents import DocumentCategories, Documents
from tap_personio.streams.employees import AbsenceBalances, EmployeeAttributes, Employees, ProfilePictures
from tap_personio.streams.legacy import (
    AbsencePeriodsV1,
    AttendanceProjects,
    Attendances,
    CustomReportColumns,
    CustomReportRows,
    CustomReports,
    TimeOffs,
    TimeOffTypes,
)
from tap_personio.streams.organization import CostCenters, Jobs, LegalEntities, OrgUnits, SalaryBands, Workplaces
from tap_personio.streams.pay import Compensations, CompensationTypes
from tap_personio.streams.persons import Employments, Persons
from tap_personio.streams.recruiting import (
    RecruitingApplications,
    RecruitingCandidates,
    RecruitingCategories,
    RecruitingJobs,
    RecruitingStageTransitions,
)
from tap_personio.streams.reports import ReportAttributes, ReportRows, Reports
from tap_personio.streams.webhooks import WebhookActivity, WebhookEvents, Webhooks

STREAMS = (
    AbsenceBalances,
    AbsencePeriodBreakdowns,
    AbsencePeriods,
    AbsencePeriodsV1,
    AbsenceTypes,
    AttendancePeriods,
    AttendanceProjects,
    Attendances,
    CompensationTypes,
    Compensations,
    CostCenters,
    CustomReportColumns,
    CustomReportRows,
    CustomReports,
    DocumentCategories,
    Documents,
    EmployeeAttributes,
    Employees,
    Employments,
    Jobs,
    LegalEntities,
    OpenPositions,
    OrgUnits,
    Persons,
    ProfilePictures,
    ProjectMembers,
    Projects,
    RecruitingApplications,
    RecruitingCandidates,
    RecruitingCategories,
    RecruitingJobs,
    RecruitingStageTransitions,
    ReportAttributes,
    ReportRows,
    Reports,
    SalaryBands,
    TimeOffTypes,
    TimeOffs,
    WebhookActivity,
    WebhookEvents,
    Webhooks,
    Workplaces,
)
