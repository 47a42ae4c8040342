"""Recruiting: openings, candidates, applications and their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import ChangedSince, ParsedBody, PerParent, RecordPath, Request
from typing_extensions import override

from tap_personio import zones
from tap_personio.client import PersonioStream

if TYPE_CHECKING:
    from singer_rest import Record


class RecruitingStream(PersonioStream):
    """A recruiting list. Its timestamps are objects, which cannot be replication keys."""

    timestamps: tuple[str, ...] = ("created_at", "updated_at")

    _zone_missed = False

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        parsed = super().parse(body, request)
        for row in parsed.records:
            for name in self.timestamps:
                zones.flatten_timestamp(row, name)
        return parsed

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        if not self._zone_missed and any(zones.is_local(row.get(name)) for name in self.timestamps):
            self._zone_missed = True
            self.logger.warning(
                "%s: some timestamps are local times in an unnamed or unknown time zone; they are taken as UTC.",
                self.name,
            )
        return row


class ChangingStream(RecruitingStream):
    """A recruiting list with an incremental filter."""

    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gt", strict=True)
    page_size = 200


class RecruitingApplications(ChangingStream):
    """One row per application."""

    name = "recruiting_applications"
    path = "/v2/recruiting/applications"
    permission = "personio:recruiting:read"
    by_id = RecordPath("/v2/recruiting/applications/{id}")


class RecruitingCandidates(ChangingStream):
    """One row per candidate."""

    name = "recruiting_candidates"
    path = "/v2/recruiting/candidates"
    permission = "personio:recruiting:read"
    by_id = RecordPath("/v2/recruiting/candidates/{id}")


class RecruitingJobs(ChangingStream):
    """One row per opening."""

    name = "recruiting_jobs"
    path = "/v2/recruiting/jobs"
    permission = "personio:recruiting:read"
    by_id = RecordPath("/v2/recruiting/jobs/{id}")


class RecruitingStageTransitions(RecruitingStream):
    """One row per stage that an application reached."""

    name = "recruiting_stage_transitions"
    path = "/v2/recruiting/applications/{application_id}/stage-transitions"
    permission = "personio:recruiting:read"
    primary_keys = ("application_id", "entered_at")
    replication_key = "application_updated_at"
    slices = PerParent("recruiting_applications", "application_id", changed="application_updated_at")
    timestamps = ("entered_at",)


class RecruitingCategories(PersonioStream):
    """One row per category of openings, with its stages."""

    name = "recruiting_categories"
    path = "/v2/recruiting/categories"
    permission = "personio:recruiting:read"
    primary_keys = ("id",)
    by_id = RecordPath("/v2/recruiting/categories/{id}")
