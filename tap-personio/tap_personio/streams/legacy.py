"""v1 lists that v2 replaces, for users who still depend on them. Personio switches them off one by one."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_rest import (
    ChangedSince,
    MonthlyBackfill,
    Offset,
    PageNumber,
    ParsedBody,
    PerParent,
    Request,
    TapError,
    parse_count,
    times,
    value_at_path,
)
from typing_extensions import override

from tap_personio.client import ZONE_UNKNOWN
from tap_personio.v1 import V1Stream

if TYPE_CHECKING:
    from singer_rest import Page, Record


EMPLOYEES_PER_PAGE = 200
"""Employees per page of a custom report."""


class LegacyStream(V1Stream):
    """A list that `legacy_v1_streams` enables."""

    setting = "legacy_v1_streams"


class Attendances(LegacyStream):
    """One row per attendance.

    In v2: `attendance_periods`. A long first read goes by year or month.
    """

    name = "attendances"
    path = "/v1/company/attendances"
    permission = "attendances:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_from", format_timestamp=times.format_zoneless)
    lookback = ZONE_UNKNOWN
    slices = MonthlyBackfill("start_date", "end_date", days=True)
    pagination = Offset("offset", size=200)
    params = {"includePending": "true"}  # noqa: RUF012 - read only

    @override
    def advice_for_status(self, status: int) -> str:
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return "It cannot return attendances that cross midnight: use attendance_periods."
        return super().advice_for_status(status)


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
    changed_since = ChangedSince("updated_from", format_timestamp=times.format_date)
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
    params = {"limit": str(EMPLOYEES_PER_PAGE)}  # noqa: RUF012 - read only

    @override
    def unwrap_record(self, record: Record) -> Record:
        report = record.get("attributes")  # with its rows unchanged
        items = report.get("items") if isinstance(report, dict) else record
        if items is None:
            return {"items": []}
        if not isinstance(items, list) or (items and not any(isinstance(item, dict) for item in items)):
            raise TapError(
                f"{self.name}: the response of {self.path} contains no list of records. Report it to Personio."
            )
        return {"items": items}

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        reports = super().parse(body, request)
        items = [item for report in reports.records for item in report["items"]]
        rows = [item for item in items if isinstance(item, dict)]
        current_page = parse_count(value_at_path(body, "metadata.current_page"))
        size = min(parse_count(body.get("limit")) or EMPLOYEES_PER_PAGE, EMPLOYEES_PER_PAGE)
        employees = len({str(row.get("employee_id")) for row in rows})
        failed = reports.failed_items + len(items) - len(rows)
        parsed = ParsedBody(rows, total=reports.total, item_count=employees, failed_items=failed)
        # The total counts employees. Some may have no rows, so that a page with fewer is not always the last.
        received = (request.note or 0) + employees
        if request.total_known or not rows or (employees < size and received >= (reports.total or 0)):
            return parsed
        # The number of the first page is not documented: the first response states it, and the second shows whether
        # it is the number to request.
        requested_page = parse_count(dict(request.params).get("page"))
        if requested_page is not None and current_page is not None and current_page < requested_page - 1:
            return ParsedBody([])  # the vendor ignores the page number
        page = requested_page if requested_page is not None else current_page or 0
        next_requests = [self._page_request(request, page + 1, received)]
        if (requested_page, current_page) == (1, 0):
            # The first page again: its number is 1 in the request and 0 in the response.
            return ParsedBody([], [self._page_request(request, page + 1, request.note)])
        if (requested_page, current_page) == (2, 3):
            # The first page was skipped: its number is 1 in the request and 2 in the response.
            next_requests.append(self._page_request(request, 1, received, counted=True))
        return replace(parsed, next_requests=next_requests)

    def _page_request(self, request: Request, page: int, received: int, *, counted: bool = False) -> Request:
        params = (("limit", str(EMPLOYEES_PER_PAGE)), ("page", str(page)))
        return Request(request.path, params, request.endpoint, counted, note=received)

    @override
    def prepared_records(self, page: Page) -> list[Record]:
        # All rows of an employee are on one page.
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
    def find_rows(self, data: Any) -> Any:
        return data.get("attributes") if isinstance(data, dict) else data  # the only list in an object
