"""Document categories and custom reports."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from hr_sandbox.clock import rfc3339
from hr_sandbox.company.custom_reports import columns_of
from hr_sandbox.company.custom_rows import rows_of
from hr_sandbox.personio.filters import one_of, text_value
from hr_sandbox.personio.v1 import cells
from hr_sandbox.personio.v1.errors import StatusError, report_error
from hr_sandbox.personio.v1.pages import metadata
from hr_sandbox.personio.v1.parameters import MAX_PAGE_SIZE, Parameter, number
from hr_sandbox.personio.v1.permissions import DOCUMENTS, REPORTS
from hr_sandbox.personio.v1.route import Call, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import CustomReport
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/custom-reports"
PER_PAGE = 10
NOT_FOUND = "There is no such report"


def categories(company: Company) -> list[Json]:
    """Render the document categories."""
    return [
        {"id": row.id, "type": "DocumentCategory", "attributes": {"name": row.name}}
        for row in company.document_categories
    ]


def report(row: CustomReport) -> Json:
    """Render a report's metadata."""
    return {
        "type": "Report",
        "attributes": {
            "id": row.uuid,
            "name": row.name,
            "description": row.description,
            "author_first_name": row.author[0],
            "author_last_name": row.author[1],
            "type": row.type,
            "status": row.status,
            "start_date": row.starts_on.isoformat(),
            "end_date": row.ends_on.isoformat(),
            "created_at": rfc3339(row.created_at),
            "updated_at": rfc3339(row.updated_at),
            "data_refreshed_at": rfc3339(row.refreshed_at),
            "columns": list(row.columns),
            "filters": [
                {"column": column, "comparison": comparison, "value": value}
                for column, comparison, value in row.filters
            ],
            "period_type": row.period,
        },
    }


def items(company: Company) -> Iterator[Json]:
    """Return the rows of all reports, with the values that only their paths contain."""
    for found in company.custom_reports:
        for row in rows_of(found, company):
            yield {"_report_id": found.uuid, "_row_number": row.id, **cells.item(row, company, found.type)}


def columns(company: Company, locale: str = cells.LOCALES[0]) -> list[Json]:
    """Return the labels of all columns."""
    return [
        {"attribute_id": key, "human_readable": cells.word(label, locale), "data_type": kind}
        for key, (label, kind) in columns_of(company).items()
    ]


def _ids(text: str) -> frozenset[str]:
    """Parse comma-separated values with optional blanks."""
    values = frozenset(part.strip() for part in text.split(","))
    if "" in values:
        raise ValueError(text)
    return values


def _whole(data: list[Json] | Json, count: int) -> Json:
    """Return a complete list in the frame of a page."""
    limit = max(count, PER_PAGE)
    return {"success": True, "metadata": metadata(count, 0, limit), "offset": 0, "limit": limit, "data": data}


def _find(key: str, company: Company) -> CustomReport:
    row = company.custom_reports.find(key)
    if row is None:
        raise StatusError(404, NOT_FOUND)
    return row


def _reports(call: Call) -> Json:
    wanted, status = call.query["report_ids"], call.query["status"]
    rows = [
        report(row)
        for row in call.company.custom_reports
        if (wanted is None or row.uuid in wanted) and status in {None, row.status}
    ]
    return _whole(rows, len(rows))


def _items(call: Call) -> Json:
    """Render a report with the rows of some persons. All rows of a person are on one page."""
    found = _find(call.path["id"], call.company)
    page, limit, locale = (call.query[name] for name in ("page", "limit", "locale"))
    people = [list(rows) for _, rows in groupby(rows_of(found, call.company), lambda row: row.person_id)]
    body = report(found)
    body["attributes"]["items"] = [
        cells.item(row, call.company, found.type, locale)
        for rows in people[(page - 1) * limit : page * limit]
        for row in rows
    ]
    return {
        "success": True,
        "metadata": metadata(len(people), page - 1, limit),
        "offset": (page - 1) * limit,
        "limit": limit,
        "data": [body],
    }


def _columns(call: Call) -> Json:
    wanted, key = call.query["columns"], call.query["report_id"]
    of_report = None if key is None else _find(key, call.company).columns
    rows = [
        row
        for row in columns(call.company, call.query["locale"])
        if (wanted is None or row["attribute_id"] in wanted) and (of_report is None or row["attribute_id"] in of_report)
    ]
    return _whole({"type": "Column", "attributes": rows}, len(rows))


_LOCALE = Parameter("locale", one_of(*cells.LOCALES), cells.LOCALES[0])

ROUTES = (
    Route(
        path="/v1/company/document-categories",
        permission=DOCUMENTS,
        handle=lambda call: {"success": True, "data": categories(call.company)},
    ),
    Route(
        path=f"{PATH}/reports",
        permission=REPORTS,
        handle=_reports,
        parameters=(
            Parameter("report_ids", _ids),
            Parameter("status", one_of("up_to_date", "updating", "update_failed")),
        ),
        fail=report_error,
    ),
    Route(
        path=f"{PATH}/reports/{{id}}",
        permission=REPORTS,
        handle=_items,
        parameters=(
            _LOCALE,
            Parameter("page", number(1, 10**9), 1),
            Parameter("limit", number(1, MAX_PAGE_SIZE), PER_PAGE),
        ),
        fail=report_error,
    ),
    Route(
        path=f"{PATH}/columns",
        permission=REPORTS,
        handle=_columns,
        parameters=(
            Parameter("columns", _ids),
            _LOCALE,
            Parameter("report_id", text_value),
        ),
        fail=report_error,
    ),
)
