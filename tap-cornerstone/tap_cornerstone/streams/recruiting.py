"""Recruiting: requisitions and applications."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import Meaning, PageNumber, ParamValues, Request
from typing_extensions import override

from tap_cornerstone.rest import RestList, first_value_of

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
"""The default statuses of applicants. Portals can rename them and add others."""

STATUS = "CurrentStatus"
REQUESTED_STATUS = "_asked"
STATUS_ADVICE = (
    "Set `applicant_statuses` to your portal's statuses; vw_rpt_job_requisition_applicant_status_local lists them."
)


class JobRequisitions(RestList):
    """One row per job requisition."""

    # `lastModifiedSince` ignores changes to postings, so everything is read.
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
    versioned = False  # an applicant with an unrequested or already requested status is not deleted
    pagination = PageNumber("page", size=100, size_param="pageSize")

    @cached_property
    def _unknown_statuses(self) -> set[str]:
        """The requested statuses that the portal rejected as unknown."""
        return set()

    @property
    @override
    def slices(self) -> Slices:
        # The list returns one status at a time.
        statuses = self.config.get("applicant_statuses") or STATUSES
        return ParamValues(STATUS, *statuses, column=REQUESTED_STATUS)

    @override
    def rows_in_item(self, item: Record) -> list[Record]:
        # Without it, applications of the same person could not be distinguished.
        requisition = first_value_of(item, "requisitionid", "jobrequisitionid", "reqid", "ref")
        return [{**item, "RequisitionId": "" if requisition is None else requisition}]

    @override
    def post_process(self, row: Record, context: object = None) -> Record | None:
        requested = row.pop(REQUESTED_STATUS)
        row[STATUS] = row.get(STATUS) or requested
        return row

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # The portal need not have all default statuses.
        is_unknown = (
            reply.status == HTTPStatus.BAD_REQUEST
            and request.is_first
            and STATUS.lower().encode() in reply.body.lower()
        )
        return Meaning.UNREADABLE if is_unknown else super().classify(reply, request)

    @override
    def fetch(self, request: Request, part: Slice) -> Page:
        page = super().fetch(request, part)
        if page.meaning is Meaning.UNREADABLE:  # nobody has this status
            return replace(page, meaning=Meaning.NO_RECORDS, note=part.params[STATUS])
        return page

    @override
    def remember(self, page: Page, state: dict[str, Any]) -> bool:
        if page.note:
            self._unknown_statuses.add(page.note)
        return False

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        unknown = self._unknown_statuses - set(STATUSES)  # a missing default status is not worth a warning
        if unknown:
            self.logger.warning("%s: the portal has no status named: %s.", self.name, ", ".join(sorted(unknown)))
        if not (self.replication.total_rows or self.part):
            self.logger.warning("%s: no applicant has any of the requested statuses. %s", self.name, STATUS_ADVICE)
