"""Lists of v1 that v2 replaces, for who still builds on them; Personio switches them off one by one."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import ChangedSince, MonthlyBackfill, Offset, PageNumber, Parsed, PerParent, Request, TapError, times
from typing_extensions import override

from tap_personio.client import ZONE_UNKNOWN
from tap_personio.v1 import V1Stream
from tap_personio.values import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_rest import Page, Record


PEOPLE = 200
"""Employees on a page of a custom report."""


class LegacyStream(V1Stream):
    """A list that `legacy_v1_streams` offers."""

    setting = "legacy_v1_streams"


class Attendances(LegacyStream):
    """One row per attendance.

    In v2: `attendance_periods`. A first read of more than one page goes by month.
    """

    name = "attendances"
    path = "/v1/company/attendances"
    permission = "attendances:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_from", text=times.zoneless)
    lookback = ZONE_UNKNOWN
    slices = MonthlyBackfill("start_date", "end_date", days=True)
    pagination = Offset("offset", size=200)
    params = {"includePending": "true"}  # noqa: RUF012 - read only

    @override
    def advice(self, status: int) -> str:
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return "It cannot serve attendances over midnight: use attendance_periods."
        return super().advice(status)


class AttendanceProjects(LegacyStream):
    """One row per project.

    In v2: `projects`.
    """

    name = "attendance_projects"
    path = "/v1/company/attendances/projects"
    permission = "attendances:read"
    primary_keys = ("id",)


class TimeOffs(LegacyStream):
    """One row per absence by days.

    In v2: `absence_periods`.
    """

    name = "time_offs"
    path = "/v1/company/time-offs"
    permission = "absences:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_from", text=times.date)
    lookback = ZONE_UNKNOWN
    pagination = PageNumber("offset", size=200)  # the offset counts pages


class TimeOffTypes(LegacyStream):
    """One row per type of absence.

    In v2: `absence_types`.
    """

    name = "time_off_types"
    path = "/v1/company/time-off-types"
    permission = "absences:read"
    primary_keys = ("id",)
    pagination = Offset("offset", size=200)


class AbsencePeriodsV1(LegacyStream):
    """One row per absence by hours.

    In v2: `absence_periods`.
    """

    name = "absence_periods_v1"
    path = "/v1/company/absence-periods"
    permission = "absences:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_from")
    pagination = PageNumber("offset", size=200)  # the offset counts pages


class CustomReports(LegacyStream):
    """One row per custom report.

    In v2: `reports`.
    """

    name = "custom_reports"
    path = "/v1/company/custom-reports/reports"
    permission = "custom-reports:read"
    primary_keys = ("id",)


class CustomReportRows(LegacyStream):
    """One row per employee of a custom report, or per change of one.

    In v2: `report_rows`. Employees / 200 requests per report.
    """

    name = "custom_report_rows"
    path = "/v1/company/custom-reports/reports/{report_id}"
    permission = "custom-reports:read"
    primary_keys = ("report_id", "employee_id", "row_number")
    slices = PerParent("custom_reports", "report_id")
    params = {"limit": str(PEOPLE)}  # noqa: RUF012 - read only

    @override
    def record(self, row: Record) -> Record:
        report = row.get("attributes")  # with its rows as they are
        items = report.get("items") if isinstance(report, dict) else row
        if items is None:
            return {"items": []}
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise TapError(f"{self.name}: the answer of {self.path} holds no rows. Report it to Personio.")
        return {"items": items}

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        reports = super().parse(body, request)
        rows = [row for report in reports.records for row in report["items"]]
        metadata = body.get("metadata")
        told = count(metadata.get("current_page")) if isinstance(metadata, dict) else None
        size = min(count(body.get("limit")) or PEOPLE, PEOPLE)
        employees = len({str(row.get("employee_id")) for row in rows})
        parsed = Parsed(rows, total=reports.total, item_count=employees)  # the total counts employees
        if request.total_known or not rows or employees < size:
            return parsed
        # Where pages begin is not documented: the first answer says its number, and the second shows whether that is
        # the number to ask with.
        asked = count(dict(request.params).get("page"))
        if asked is not None and told is not None and told < asked - 1:
            return Parsed([])  # the vendor does not heed the number
        page = asked if asked is not None else told or 0
        following = [self._page(request, page + 1)]
        if (asked, told) == (1, 0):
            return Parsed([], following)  # the first page again: it is asked for as 1, and called 0
        if (asked, told) == (2, 3):
            following.append(self._page(request, 1, counted=True))  # it was left out: asked for as 1, and called 2
        return replace(parsed, next_requests=following)

    def _page(self, request: Request, page: int, *, counted: bool = False) -> Request:
        params = (("limit", str(PEOPLE)), ("page", str(page)))
        return Request(request.path, params, request.endpoint, counted)

    @override
    def prepared_records(self, page: Page) -> Iterable[Record]:
        # An employee's rows stand on one page.
        numbers: dict[str, int] = {}
        for row in page.records:
            employee = str(row.get("employee_id"))
            row["row_number"] = numbers[employee] = numbers.get(employee, 0) + 1
        return super().prepared_records(page)


class CustomReportColumns(LegacyStream):
    """One row per column that custom reports can hold.

    In v2: `report_attributes`.
    """

    name = "custom_report_columns"
    path = "/v1/company/custom-reports/columns"
    permission = "custom-reports:read"
    primary_keys = ("attribute_id",)

    @override
    def rows(self, data: Any) -> Any:
        return data.get("attributes") if isinstance(data, dict) else data  # the only list in an object
