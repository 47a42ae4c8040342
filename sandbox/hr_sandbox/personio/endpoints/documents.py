"""Documents, reports and webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.reports import ATTRIBUTES, rows_of
from hr_sandbox.company.webhooks import DAYS
from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ALL, ListEndpoint, Values, find_by_id
from hr_sandbox.personio.errors import problem
from hr_sandbox.personio.filters import (
    Filter,
    any_of,
    boolean,
    comma_list,
    comparisons,
    day,
    equals,
    one_of,
    text_value,
    whole_number,
)
from hr_sandbox.personio.links import Links
from hr_sandbox.personio.render import documents as render

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Document, Report, Table
    from hr_sandbox.company.reports import ReportRow

DOCUMENTS = "documents:read"  # the only permission without the prefix
REPORTS = "personio:reports:read"
WEBHOOKS = "personio:webhooks:read"
MAX_PAGE_SIZE = 200
GROUPED = "Unsupported nested type: null"


def _documents(company: Company, values: Values) -> list[Document]:
    """Return the documents of an owner; none for an unknown owner."""
    return company.documents.of(values["owner_id"])


def _shared(company: Company, _values: Values) -> list[Report]:
    return [row for row in company.reports if row.shared]


def _report_rows(company: Company, values: Values) -> list[ReportRow]:
    """Return the rows of a shared report. Grouped reports are not supported."""
    row = company.reports.find(values["id"])
    if row is None or not row.shared:
        raise ApiError(problem(404))
    if row.grouped:
        raise ApiError(problem(400, GROUPED, GROUPED))
    return rows_of(row, company)


def _of_webhook(
    table: Callable[[Company], Table[Any]], timestamp: Callable[[Any], datetime]
) -> Callable[[Company, Values], list[Any]]:
    """Return a function for the recent records of an existing webhook."""

    def rows(company: Company, values: Values) -> list[Any]:
        row = company.webhooks.find(values["id"])
        if row is None:
            raise ApiError(problem(404))
        since = datetime.combine(company.today - timedelta(DAYS), time(), UTC)
        return [other for other in table(company).of(row.id) if timestamp(other) >= since]

    return rows


def _webhooks(company: Company, *_: object) -> list[Values]:
    return [{"id": row.uuid} for row in company.webhooks]


def _wants(row: Any, names: frozenset[str]) -> bool:  # noqa: ANN401  a webhook
    return not names.isdisjoint(row.names)


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        path="/v2/document-management/documents",
        stream="documents",
        permission=DOCUMENTS,
        forbidden_status=403,
        rows=_documents,
        render=render.document,
        max_limit=MAX_PAGE_SIZE,
        slices=lambda company, *_: [{"owner_id": row.id} for row in company.people],
        filters=(
            Filter("owner_id", whole_number, required=True),
            equals("category_id", lambda row: row.category_id, whole_number),
            *comparisons("created_at", lambda row: row.created_at.date(), ("gte", "lt"), day),
        ),
    ),
    ListEndpoint(
        path="/v2/reports",
        stream="reports",
        permission=REPORTS,
        forbidden_status=400,
        rows=_shared,
        render=render.report,
        default_limit=ALL,
        max_limit=ALL,
        accepts_any_limit=True,
        exclusive_cursor=True,
        filters=(Filter("name", text_value, lambda row, wanted: wanted.casefold() in row.name.casefold()),),
    ),
    ListEndpoint(
        path="/v2/reports/attributes",
        stream="report_attributes",
        permission=REPORTS,
        forbidden_status=400,
        rows=lambda *_: list(ATTRIBUTES.values()),
        render=render.report_attribute,
        default_limit=ALL,
        paged=False,
        links=Links(last_page="none"),
    ),
    ListEndpoint(
        path="/v2/reports/{id}",
        stream="report_rows",
        permission=REPORTS,
        forbidden_status=400,
        rows=_report_rows,
        render=render.report_row,
        default_limit=ALL,
        max_limit=ALL,
        exclusive_cursor=True,
        links=Links(last_page="null"),
        extra_body=render.report_frame,
        slices=lambda company, *_: [{"id": row.uuid} for row in _shared(company, {}) if not row.grouped],
        extra_fields=lambda values, row: {"_report_id": values["id"], "_row_number": row.id},
        filters=(Filter("locale", one_of(*render.LOCALES)),),
    ),
    ListEndpoint(
        path="/v2/webhooks",
        stream="webhooks",
        permission=WEBHOOKS,
        forbidden_status=403,
        rows=lambda company, _: list(company.webhooks),
        render=render.webhook,
        max_limit=MAX_PAGE_SIZE,
        filters=(
            Filter("enabled_events", comma_list, _wants),
            equals("status", lambda row: str(row.status), one_of("ENABLED", "DISABLED")),
        ),
        find=find_by_id(lambda company: company.webhooks),
    ),
    ListEndpoint(
        path="/v2/webhooks/{id}/events",
        stream="webhook_events",
        permission=WEBHOOKS,
        forbidden_status=403,
        rows=_of_webhook(lambda company: company.events, lambda row: row.occurred_at),
        render=render.event,
        max_limit=MAX_PAGE_SIZE,
        links=Links(carries_query=True),
        slices=_webhooks,
        extra_fields=lambda values, _: {"_webhook_id": values["id"]},
        filters=(
            *comparisons("occurred_at", lambda row: row.occurred_at, ("gte", "lte")),
            any_of("event_name", lambda row: str(row.name)),
        ),
    ),
    ListEndpoint(
        path="/v2/webhooks/{id}/activity",
        stream="webhook_activity",
        permission=WEBHOOKS,
        forbidden_status=403,
        rows=_of_webhook(lambda company: company.deliveries, lambda row: row.completed_at),
        render=render.delivery,
        max_limit=MAX_PAGE_SIZE,
        links=Links(carries_query=True),
        slices=_webhooks,
        extra_fields=lambda values, _: {"_webhook_id": values["id"]},
        filters=(
            *comparisons("completed_at", lambda row: row.completed_at, ("gte", "lte")),
            any_of("event_name", lambda row: str(row.name)),
            equals("is_delivered", lambda row: row.delivered, boolean),
            equals("redelivery_id", lambda row: str(row.again_id)),
        ),
    ),
)
