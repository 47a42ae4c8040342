"""The lists of the REST families, one module per subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cornerstone.streams.bulk import BulkImportReports, BulkImports, BulkJobs, BulkPermissions
from tap_cornerstone.streams.learning import Catalog, SessionRoster, TrainingDetails, Transcripts
from tap_cornerstone.streams.people import (
    EmployeeCustomFields,
    EmployeeEmploymentStatus,
    EmployeeGroups,
    Employees,
    EmploymentStatuses,
    TerminationReasons,
)
from tap_cornerstone.streams.recruiting import JobApplicants, JobRequisitions
from tap_cornerstone.streams.skills import EmployeeSkills, SkillCategories, SkillCategoryLinks, Skills
from tap_cornerstone.streams.units import OrganizationalUnits, OuLocalizations, OuTypes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_cornerstone.rest import RestList

STREAMS: Sequence[type[RestList]] = (
    BulkImportReports,
    BulkImports,
    BulkJobs,
    BulkPermissions,
    Catalog,
    EmployeeCustomFields,
    EmployeeEmploymentStatus,
    EmployeeGroups,
    EmployeeSkills,
    Employees,
    EmploymentStatuses,
    JobApplicants,
    JobRequisitions,
    OrganizationalUnits,
    OuLocalizations,
    OuTypes,
    SessionRoster,
    SkillCategories,
    SkillCategoryLinks,
    Skills,
    TerminationReasons,
    TrainingDetails,
    Transcripts,
)
