"""Document categories and custom reports."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.custom_reports import (
    HISTORY,
    Away,
    Centers,
    Entity,
    Minutes,
    Span,
    Word,
    list_columns,
    list_rows,
)
from hr_sandbox.company.documents import Money
from hr_sandbox.personio.filters import parse_text, parser_for_choice
from hr_sandbox.personio.render import render_fields
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
    succeed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.custom_reports import Cell, CustomRow
    from hr_sandbox.company.model.documents import CustomReport
    from hr_sandbox.http.messages import Json

PATH = "/v1/company/custom-reports"
PER_PAGE = 10
NOT_FOUND = "There is no such report"
LOCALES = ("en", "de")
SYMBOLS = {"EUR": "€", "PLN": "zł", "GBP": "£", "JPY": "¥"}


def render_item(row: CustomRow, company: Company, kind: str, locale: str = LOCALES[0]) -> Json:
    """Render a row. Reports about changes use other names for cells."""
    columns = list_columns(company)
    cells = [_render_cell(part, columns[part.column][1], row.person_id, locale) for part in row.cells]
    return {"employee_id": row.person_id, "historical_attributes" if kind == HISTORY else "attributes": cells}


def translate(value: Word, locale: str) -> str:
    """Translate a word."""
    return value.german if locale == "de" else value.english


def _render_cell(cell: Cell, kind: str, person_id: int, locale: str) -> Json:
    body = {
        "attribute_id": cell.column,
        "data_type": kind,
        **_render_value(cell.value, kind, locale),
        "employee_id": person_id,
    }
    if cell.since:
        body["effective_date"] = cell.since.isoformat()
    return body


def _render_value(value: Any, kind: str, locale: str) -> Json:  # noqa: ANN401, PLR0911  many types of values
    match value:
        case Word():
            return {"value": translate(value, locale)}
        case Entity():
            return {"entity_id": str(value.number), "value": value.name}
        case Centers():
            return {
                "cost_centers": [
                    {"cost_center_id": str(row.number), "value": row.name, "weight": f"{share:g}%"}
                    for row, share in value.shares
                ]
            }
        case Minutes():
            return {"duration": value.value}
        case Money():
            return {"amount": f"{value.amount:.2f}", "currency_symbol": SYMBOLS.get(value.currency, value.currency)}
        case Away():
            return {
                "start_date": value.first.isoformat(),
                "end_date": value.last.isoformat(),
                "duration_days": f"{value.days:g}",
                "duration_hours": f"{value.hours:g}",
            }
        case Span():
            return {
                "start_date": value.first.isoformat(),
                "end_date": value.last.isoformat() if value.last else None,
                "half_day_at_start": value.half_start,
                "half_day_at_end": value.half_end,
            }
    return _EMPTY_CELL.get(kind, {"value": value})


# The cell of an empty value.
_EMPTY_CELL: dict[str, Json] = {
    "ENTITY": {"entity_id": None, "value": None},
    "COST_CENTER": {"cost_centers": []},
    "DURATION": {"duration": None},
    "SALARY": {"amount": None, "currency_symbol": None},
}


def render_categories(company: Company) -> list[Json]:
    """Render the document categories."""
    return [
        {"id": row.id, "type": "DocumentCategory", "attributes": {"name": row.name}}
        for row in company.document_categories
    ]


def render_report(row: CustomReport) -> Json:
    """Render a report's metadata."""
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
    """Return the rows of all reports, with the values that only their paths contain."""
    for found in company.custom_reports:
        for row in list_rows(found, company):
            yield {"_report_id": found.uuid, "_row_number": row.id, **render_item(row, company, found.type)}


def describe_columns(company: Company, locale: str = LOCALES[0]) -> list[Json]:
    """Return the labels of all columns."""
    return [
        {"attribute_id": key, "human_readable": translate(label, locale), "data_type": kind}
        for key, (label, kind) in list_columns(company).items()
    ]


def _parse_ids(text: str) -> frozenset[str]:
    """Parse comma-separated values with optional blanks."""
    values = frozenset(part.strip() for part in text.split(","))
    if "" in values:
        raise ValueError(text)
    return values


def _succeed_at_once(data: list[Json] | Json, count: int) -> Json:
    """Return a complete list in the frame of a page."""
    limit = max(count, PER_PAGE)
    return succeed(data, metadata=describe_page(count, 0, limit), offset=0, limit=limit)


def _find(key: str, company: Company) -> CustomReport:
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
    return _succeed_at_once(rows, len(rows))


def _get_report(call: Call) -> Json:
    """Render a report with the rows of some persons. All rows of a person are on one page."""
    found = _find(call.path["id"], call.company)
    page, limit, locale = (call.query[name] for name in ("page", "limit", "locale"))
    people = [list(rows) for _, rows in groupby(list_rows(found, call.company), lambda row: row.person_id)]
    body = render_report(found)
    body["attributes"]["items"] = [
        render_item(row, call.company, found.type, locale)
        for rows in people[(page - 1) * limit : page * limit]
        for row in rows
    ]
    return succeed([body], metadata=describe_page(len(people), page - 1, limit), offset=(page - 1) * limit, limit=limit)


def _list_columns(call: Call) -> Json:
    wanted, key = call.query["columns"], call.query["report_id"]
    of_report = None if key is None else _find(key, call.company).columns
    rows = [
        row
        for row in describe_columns(call.company, call.query["locale"])
        if (wanted is None or row["attribute_id"] in wanted) and (of_report is None or row["attribute_id"] in of_report)
    ]
    return _succeed_at_once({"type": "Column", "attributes": rows}, len(rows))


_LOCALE = Parameter("locale", parser_for_choice(*LOCALES), LOCALES[0])

_REPORTS = partial(Route, permission=REPORTS, fail=make_report_error)
ROUTES = (
    Route("/v1/company/document-categories", DOCUMENTS, lambda call: succeed(render_categories(call.company))),
    _REPORTS(
        f"{PATH}/reports",
        handle=_list_reports,
        parameters=(
            Parameter("report_ids", _parse_ids),
            Parameter("status", parser_for_choice("up_to_date", "updating", "update_failed")),
        ),
    ),
    _REPORTS(
        f"{PATH}/reports/{{id}}",
        handle=_get_report,
        parameters=(
            _LOCALE,
            Parameter("page", parser_for_number(1, 10**9), 1),
            Parameter("limit", parser_for_number(1, MAX_PAGE_SIZE), PER_PAGE),
        ),
    ),
    _REPORTS(
        f"{PATH}/columns",
        handle=_list_columns,
        parameters=(Parameter("columns", _parse_ids), _LOCALE, Parameter("report_id", parse_text)),
    ),
)
