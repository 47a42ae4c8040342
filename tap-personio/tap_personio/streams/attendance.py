"""Working times, and the projects that they are booked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import ChangedSince, MonthlyBackfill, PerParent, times, value_at_path
from typing_extensions import override

from tap_personio.client import ID_FILTER, ZONE_UNKNOWN, PersonioStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest import Record


def has_members(project: Mapping[str, Any]) -> bool:
    """Whether a project lists its members. Sub-projects and projects open to everybody do not."""
    is_open_to_all = str(project.get("assigned_to_all")).strip().lower() in {"true", "1"}
    return not is_open_to_all and not value_at_path(project, "parent_project.id")


class AttendancePeriods(PersonioStream):
    """One row per stretch of work or break.

    A long first read goes by year or month.
    """

    name = "attendance_periods"
    path = "/v2/attendance-periods"
    permission = "personio:attendances:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gte", format_timestamp=times.format_zoneless)  # the API rejects a zone
    lookback = ZONE_UNKNOWN
    slices = MonthlyBackfill("start.date_time.gte", "start.date_time.lte")  # by far the longest list
    page_size = 100
    by_id = ID_FILTER


class Projects(PersonioStream):
    """One row per project."""

    name = "projects"
    path = "/v2/projects"
    permission = "personio:attendances:read"
    primary_keys = ("id",)
    page_size = 200
    by_id = ID_FILTER
    params = {  # noqa: RUF012 - read only
        "include": "tracked_minutes,sub_projects_tracked_minutes,sub_projects_count,tracked_periods_count"
    }


class ProjectMembers(PersonioStream):
    """One row per member of a project.

    Only requested for projects with their own members.
    """

    name = "project_members"
    path = "/v2/projects/{project_id}/members"
    permission = "personio:attendances:read"
    primary_keys = ("project_id", "person_id")
    slices = PerParent("projects", "project_id", where=has_members)
    page_size = 200

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        row["person_id"] = value_at_path(row, "person.id")  # a row has no other fields
        return row
