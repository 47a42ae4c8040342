"""The streams, a module per subject."""

from __future__ import annotations

from tap_personio.streams.absences import AbsencePeriodBreakdowns, AbsencePeriods, AbsenceTypes
from tap_personio.streams.attendance import AttendancePeriods, ProjectMembers, Projects
from tap_personio.streams.documents import Documents
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
    AbsencePeriodBreakdowns,
    AbsencePeriods,
    AbsenceTypes,
    AttendancePeriods,
    CompensationTypes,
    Compensations,
    CostCenters,
    Documents,
    Employments,
    Jobs,
    LegalEntities,
    OrgUnits,
    Persons,
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
    WebhookActivity,
    WebhookEvents,
    Webhooks,
    Workplaces,
)
