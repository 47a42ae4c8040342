"""Recruiting: requisitions, and who applied for them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Meaning, PageNumber, ParamValues, Request
from typing_extensions import override

from tap_cornerstone.rest import RestList, first_of

if TYPE_CHECKING:
    from singer_rest import Page, Record, Reply, Slice, Slices

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

STATUS = "CurrentStatus"
ASKED = "_asked"
NAME_THEM = "Name those of your portal in `applicant_statuses`; vw_rpt_job_requisition_applicant_status_local has them."


class JobRequisitions(RestList):
    """One row per job requisition."""

    # `lastModifiedSince` passes over what changed in postings, so everything is read.
    name = "job_requisitions"
    path = f"{RECRUITING}/JobRequisitionDetails"
    permission = "the scope jobrequisition:read"
    primary_keys = ("Id",)
    pagination = PageNumber("page", size=100, size_param="pageSize")


class JobApplicants(RestList):
    """One row per application for a requisition.

    One or more requests per status in `applicant_statuses`.
    """

    name = "job_applicants"
    path = f"{RECRUITING}/JobApplicant"
    permission = "the scope jobapplicant:read"
    primary_keys = ("Id", "RequisitionId")
    versioned = False  # who moves on to a status that was asked for already, or is not asked for, is not gone
    pagination = PageNumber("page", size=100, size_param="pageSize")

    @cached_property
    def _unknown(self) -> set[str]:
        """The statuses that the portal does not have."""
        return set()

    @property
    @override
    def slices(self) -> Slices:
        # The list answers one status at a time.
        statuses = self.config.get("applicant_statuses") or STATUSES
        return ParamValues(STATUS, *statuses, column=ASKED)

    @override
    def rows(self, item: Record) -> list[Record]:
        # Without one it could not be told from what else its applicant applied for.
        requisition = first_of(item, "requisitionid", "jobrequisitionid", "reqid", "ref")
        return [{**item, "RequisitionId": "" if requisition is None else requisition}]

    @override
    def post_process(self, row: Record, context: object = None) -> Record | None:
        asked = row.pop(ASKED)
        row[STATUS] = row.get(STATUS) or asked
        return row

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # The portal need not have all of the usual statuses.
        is_unknown = (
            reply.status == HTTPStatus.BAD_REQUEST
            and request.is_first
            and STATUS.lower().encode() in reply.body.lower()
        )
        return Meaning.UNREADABLE if is_unknown else super().classify(reply, request)

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        page = super().fetch(request, part)
        if page.meaning is Meaning.UNREADABLE:  # there is nobody of such a status
            return replace(page, meaning=Meaning.NO_RECORDS, note=part.params[STATUS])
        return page

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        if page.note:
            self._unknown.add(page.note)
        return False

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        super().finish_state(state)
        unknown = self._unknown - set(STATUSES)  # that a portal lacks some of the usual ones is nothing to tell
        if unknown:
            self.logger.warning(
                "%s: the portal has no status of these names: %s.", self.name, ", ".join(sorted(unknown))
            )
        if not self.replication.total_rows:
            self.logger.warning("%s: nobody has a status that was asked for. %s", self.name, NAME_THEM)
