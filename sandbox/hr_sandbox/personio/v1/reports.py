"""Document categories and custom reports."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from hr_sandbox.personio.filters import parse_text, parser_for_choice
from hr_sandbox.personio.render import render_fields
from hr_sandbox.personio.v1.report_rows import LOCALES, RowRenderer, list_columns
from hr_sandbox.personio.v1.route import (
    DOCUMENTS,
    MAX_PAGE_SIZE,
    REPORTS,
    Call,
    Parameter,
    Route,
    StatusError,
    describe_page,
    make_report_error,
    parser_for_number,
    wrap_data,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.documents import CustomReport
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/custom-reports"
PER_PAGE = 10
NOT_FOUND = "There is no such report"


def render_categories(company: Company) -> list[Json]:
    """Renders the document categories."""
    return [
        {"id": row.id, "type": "DocumentCategory", "attributes": {"name": row.name}}
        for row in company.document_categories
    ]


def render_report(row: CustomReport) -> Json:
    """Renders a report's metadata."""
    first, last = row.author
    return {
        "type": "Report",
        "attributes": {
            **render_fields(row, "name", "description", "type", "status", "created_at", "updated_at", id="uuid"),
            **render_fields(row, start_date="starts_on", end_date="ends_on", data_refreshed_at="refreshed_at"),
            "author_first_name": first,
            "author_last_name": last,
            "columns": list(row.columns),
            "filters": [dict(zip(("column", "comparison", "value"), part, strict=True)) for part in row.filters],
            "period_type": row.period,
        },
    }


def render_all_items(company: Company) -> Iterator[Json]:
    """Returns the rows of all reports, with the values that only their paths contain."""
    for found in company.custom_reports:
        for row in RowRenderer(found, company).render_rows():
            yield {"_report_id": found.uuid, "_row_number": row.id, **row.body}


def describe_columns(company: Company, locale: str = LOCALES[0]) -> list[Json]:
    """Returns the labels of all columns."""
    return [
        {"attribute_id": key, "human_readable": labels[LOCALES.index(locale)], "data_type": kind}
        for key, (labels, kind) in list_columns(company).items()
    ]


def _parse_ids(text: str) -> frozenset[str]:
    """Parses comma-separated values with optional blanks."""
    values = frozenset(part.strip() for part in text.split(","))
    if "" in values:
        raise ValueError(text)
    return values


def _wrap_complete_list(data: list[Json] | Json, count: int) -> Json:
    """Returns a complete list in the frame of a page."""
    limit = max(count, PER_PAGE)
    return wrap_data(data, metadata=describe_page(count, 0, limit), offset=0, limit=limit)


def _find_report(key: str, company: Company) -> CustomReport:
    row = company.custom_reports.find(key)
    if row is None:
        raise StatusError(404, NOT_FOUND)
    return row


def _list_reports(call: Call) -> Json:
    wanted, status = call.query["report_ids"], call.query["status"]
    rows = [
        render_report(row)
        for row in call.company.custom_reports
        if (wanted is None or row.uuid in wanted) and status in {None, row.status}
    ]
    return _wrap_complete_list(rows, len(rows))


def _get_report(call: Call) -> Json:
    """Renders a report with the rows of some people. All rows of a person are on one page."""
    found = _find_report(call.path["id"], call.company)
    page, limit, locale = (call.query[name] for name in ("page", "limit", "locale"))
    rows = RowRenderer(found, call.company, locale).render_rows()
    people = [list(own) for _, own in groupby(rows, lambda row: row.person_id)]
    body = render_report(found)
    shown = people[(page - 1) * limit : page * limit]
    body["attributes"]["items"] = [row.body for own in shown for row in own]
    return wrap_data(
        [body], metadata=describe_page(len(people), page - 1, limit), offset=(page - 1) * limit, limit=limit
    )


def _list_columns(call: Call) -> Json:
    wanted, key = call.query["columns"], call.query["report_id"]
    of_report = None if key is None else _find_report(key, call.company).columns
    rows = [
        row
        for row in describe_columns(call.company, call.query["locale"])
        if (wanted is None or row["attribute_id"] in wanted) and (of_report is None or row["attribute_id"] in of_report)
    ]
    return _wrap_complete_list({"type": "Column", "attributes": rows}, len(rows))


_LOCALE = Parameter("locale", parser_for_choice(*LOCALES), LOCALES[0])

_declare_report = partial(Route, permission=REPORTS, fail=make_report_error)
ROUTES = (
    Route("/v1/company/document-categories", DOCUMENTS, lambda call: wrap_data(render_categories(call.company))),
    _declare_report(
        f"{PATH}/reports",
        handle=_list_reports,
        parameters=(
            Parameter("report_ids", _parse_ids),
            Parameter("status", parser_for_choice("up_to_date", "updating", "update_failed")),
        ),
    ),
    _declare_report(
        f"{PATH}/reports/{{id}}",
        handle=_get_report,
        parameters=(
            _LOCALE,
            Parameter("page", parser_for_number(1, 10**9), 1),
            Parameter("limit", parser_for_number(1, MAX_PAGE_SIZE), PER_PAGE),
        ),
    ),
    _declare_report(
        f"{PATH}/columns",
        handle=_list_columns,
        parameters=(Parameter("columns", _parse_ids), _LOCALE, Parameter("report_id", parse_text)),
    ),
)
