"""Documents, reports and webhooks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.documents import ATTRIBUTES, DAYS, Money, Option, list_report_rows
from hr_sandbox.http.messages import ApiError
from hr_sandbox.personio.endpoint import ALL, ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.errors import make_problem
from hr_sandbox.personio.filters import (
    Filter,
    filter_any_of,
    filter_comparisons,
    filter_equal,
    parse_boolean,
    parse_day,
    parse_list,
    parse_text,
    parse_whole_number,
    parser_for_choice,
)
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import refer_to, render_fields
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.documents import Attribute, ReportRow
    from hr_sandbox.company.model import documents
    from hr_sandbox.http.messages import Json

GROUPED = "Unsupported nested type: null"
LOCALES = ("en", "de")

_REPORTS = partial(ListEndpoint, permission="personio:reports:read", forbidden_status=400, default_limit=ALL)
_WEBHOOKS = partial(ListEndpoint, permission="personio:webhooks:read", forbidden_status=403, max_limit=200)
_OF_WEBHOOK = partial(
    _WEBHOOKS,
    links=Links(carries_query=True),
    slices=lambda company, *_: [{"id": row.uuid} for row in company.webhooks],
    extra_fields=lambda values, _: {"_webhook_id": values["id"]},
)


def _render_document(row: documents.Document, _context: RenderContext) -> Json:
    """Render a document's metadata."""
    return {
        **render_fields(
            row, "name", "comment", "size", "created_at", id="uuid", date="day", document_type="media_type"
        ),
        "category": refer_to(row.category_id),
        "owner": refer_to(row.owner_id),
        "virus_scan": {"status": row.scan},
        "esignature": None if row.signature is None else {"status": row.signature},
    }


def _find_shared_reports(company: Company, _values: Values) -> list[documents.Report]:
    return [row for row in company.reports if row.shared]


def _find_report_rows(company: Company, values: Values) -> list[ReportRow]:
    """Return the rows of a shared report. Grouped reports are not supported."""
    row = find_or_fail(company.reports, values["id"])
    if not row.shared:
        raise ApiError(make_problem(404))
    if row.grouped:
        raise ApiError(make_problem(400, GROUPED, GROUPED))
    return list_report_rows(row, company)


def _render_report(row: documents.Report, _context: RenderContext) -> Json:
    """Render a report's metadata."""
    return render_fields(row, "name", "created_at", "updated_at", id="uuid")


def _render_report_attribute(row: Attribute, _context: RenderContext) -> Json:
    """Render an attribute that reports can have as a column."""
    is_filterable = row.type in {"options", "date"}
    return {**render_fields(row, "id", name="label"), "type": row.type.upper(), "is_filterable": is_filterable}


def _render_report_frame(context: RenderContext) -> Json:
    """Return the members beside a report's rows: its settings and columns."""
    row = find_or_fail(context.company.reports, context.values["id"])
    locale = context.values.get("locale", LOCALES[0])
    columns = [ATTRIBUTES[name] for name in row.columns]
    return {
        "report_config": {"id": row.uuid, "name": row.name, "locale": locale},
        "_meta": {
            "links": None,
            "columns": [
                {"name": part.id, "display": part.german if locale == "de" else part.label, "type": part.type.upper()}
                for part in columns
            ],
        },
    }


def _render_report_row(row: ReportRow, context: RenderContext) -> list[Json]:
    """Render a row: cells in the order of the columns, whose members depend on their types."""
    found = context.company.reports.find(context.values["id"])
    names = found.columns if found else ()
    return [_render_cell(ATTRIBUTES[name], value) for name, value in zip(names, row.values, strict=True)]


def _render_cell(attribute: Attribute, value: Any) -> Json:  # noqa: ANN401  any value of a report
    cell: Json = {"attribute_id": attribute.id}
    if value is None:
        return cell
    if isinstance(value, Money):
        cell["monetary_value"] = {"amount": value.amount, "currency": value.currency}
    elif attribute.type == "options":
        options = [value] if isinstance(value, Option) else value
        cell["options_value"] = {"options": [{"key": row.key, "value": row.label} for row in options]}
    elif attribute.type in {"percentage", "numeric"}:
        cell[f"{attribute.type}_value"] = {"number": value}
    else:
        cell["string_value"] = {"value": value.isoformat() if isinstance(value, date) else value}
    return cell


def _find_recent(table: str, time_field: str) -> Callable[[Company, Values], list[Any]]:
    """Return a function for the recent records of an existing webhook."""

    def find_rows(company: Company, values: Values) -> list[Any]:
        webhook = find_or_fail(company.webhooks, values["id"])
        since = datetime.combine(company.today - timedelta(DAYS), time(), UTC)
        return [row for row in getattr(company, table).of(webhook.id) if getattr(row, time_field) >= since]

    return find_rows


def _get_secret(row: documents.Webhook) -> str:
    """Return the secret that is sent to a webhook's address."""
    return f"{stable_number('webhook', row.uuid):08x}{stable_number('secret', row.uuid):08x}"


def _render_webhook(row: documents.Webhook, _context: RenderContext) -> Json:
    """Render a webhook with its secrets, which every reader of webhooks can see."""
    return {
        **render_fields(row, "url", "status", "created_at", "updated_at", id="uuid", description="name"),
        "auth_type": "BEARER",
        "token": f"Bearer {_get_secret(row)}",
        "custom_headers": {"X-Webhook-Key": _get_secret(row)[::-1]},
        "enabled_events": list(row.names),
    }


def _render_event(row: documents.Event, _context: RenderContext) -> Json:
    """Render an event: the id of the record only."""
    return {**render_fields(row, "occurred_at", id="uuid", event_name="name"), "data": {"id": row.subject}}


def _render_delivery(row: documents.Delivery, _context: RenderContext) -> Json:
    """Render a delivery attempt. It has no status if there was no response."""
    return {
        **render_fields(row, "completed_at", id="uuid", event_name="name", is_delivered="delivered"),
        **render_fields(row, response_status="status", redelivery_id="again_id"),
        "event": refer_to(row.event_id),
    }


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        "/v2/document-management/documents",
        "documents",
        _render_document,
        "documents:read",  # the only permission without the prefix
        forbidden_status=403,
        rows=lambda company, values: company.documents.of(values["owner_id"]),
        max_limit=200,
        slices=lambda company, *_: [{"owner_id": row.id} for row in company.people],
        filters=(
            Filter("owner_id", parse_whole_number, required=True),
            filter_equal("category_id", "category_id", parse_whole_number),
            *filter_comparisons("created_at", lambda row: row.created_at.date(), ("gte", "lt"), parse_day),
        ),
    ),
    _REPORTS(
        "/v2/reports",
        "reports",
        _render_report,
        rows=_find_shared_reports,
        max_limit=ALL,
        accepts_any_limit=True,
        exclusive_cursor=True,
        filters=(Filter("name", parse_text, lambda row, wanted: wanted.casefold() in row.name.casefold()),),
    ),
    _REPORTS(
        "/v2/reports/attributes",
        "report_attributes",
        _render_report_attribute,
        rows=lambda *_: list(ATTRIBUTES.values()),
        paged=False,
        links=Links(last_page="none"),
    ),
    _REPORTS(
        "/v2/reports/{id}",
        "report_rows",
        _render_report_row,
        rows=_find_report_rows,
        max_limit=ALL,
        exclusive_cursor=True,
        links=Links(last_page="null"),
        extra_body=_render_report_frame,
        slices=lambda company, *_: [{"id": row.uuid} for row in company.reports if row.shared and not row.grouped],
        extra_fields=lambda values, row: {"_report_id": values["id"], "_row_number": row.id},
        filters=(Filter("locale", parser_for_choice(*LOCALES)),),
    ),
    _WEBHOOKS(
        "/v2/webhooks",
        "webhooks",
        _render_webhook,
        filters=(
            Filter("enabled_events", parse_list, lambda row, names: not names.isdisjoint(row.names)),
            filter_equal("status", "status", parser_for_choice("ENABLED", "DISABLED")),
        ),
        table="webhooks",
    ),
    _OF_WEBHOOK(
        "/v2/webhooks/{id}/events",
        "webhook_events",
        _render_event,
        rows=_find_recent("events", "occurred_at"),
        filters=(
            *filter_comparisons("occurred_at", "occurred_at", ("gte", "lte")),
            filter_any_of("event_name", "name"),
        ),
    ),
    _OF_WEBHOOK(
        "/v2/webhooks/{id}/activity",
        "webhook_activity",
        _render_delivery,
        rows=_find_recent("deliveries", "completed_at"),
        filters=(
            *filter_comparisons("completed_at", "completed_at", ("gte", "lte")),
            filter_any_of("event_name", "name"),
            filter_equal("is_delivered", "delivered", parse_boolean),
            filter_equal("redelivery_id", "again_id"),
        ),
    ),
)
