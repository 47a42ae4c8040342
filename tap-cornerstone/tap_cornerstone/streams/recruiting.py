"""Recruiting: requisitions, and who applied for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from singer_rest import Numbered, Values
from typing_extensions import override

from tap_cornerstone.rest import RestList

if TYPE_CHECKING:
    from singer_rest import Reply, Slices

RECRUITING = "/services/api/Recruiting"
STATUSES = [
    "New Submission",
    "In Review",
    "Phone Screening",
    "Assessment",
    "Interview",
    "Background Check",
    "Offer Letter",
    "Hired",
    "Closed",
    "Withdrawn",
]
"""Statuses of applicants as portals have them from the beginning; each can rename them and add others."""


class JobRequisitions(RestList):
    """One row per job requisition."""

    # `lastModifiedSince` passes over what changed in postings, so everything is read.
    name = "job_requisitions"
    path = f"{RECRUITING}/JobRequisitionDetails"
    primary_keys = ("Id",)
    scope = "jobrequisition:read"
    pages = Numbered("page", 100, first=1, limit="pageSize")


class JobApplicants(RestList):
    """One row per application for a requisition."""

    name = "job_applicants"
    path = f"{RECRUITING}/JobApplicant"
    primary_keys = ("Id", "RequisitionId")
    versioned = False  # who moves on to a status that was asked for already, or is not asked for, is not gone
    scope = "jobapplicant:read"
    pages = Numbered("page", 100, first=1, limit="pageSize")

    @property
    @override
    def slices(self) -> Slices:
        # The list answers one status at a time.
        statuses = self.config.get("applicant_statuses") or STATUSES
        return Values("CurrentStatus", *statuses, column="CurrentStatus")

    @override
    def has_no_records(self, reply: Reply) -> bool:
        # The portal need not have all of the usual statuses.
        return reply.status == HTTPStatus.BAD_REQUEST and b"currentstatus" in reply.body.lower()
