"""Documents and webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from hr_sandbox.company.documents import DAYS
from hr_sandbox.personio.endpoint import ListEndpoint, RenderContext, Values, find_or_fail
from hr_sandbox.personio.filters import (
    Filter,
    filter_any_of,
    filter_comparisons,
    filter_equal,
    parse_boolean,
    parse_day,
    parse_list,
    parse_whole_number,
    parser_for_choice,
)
from hr_sandbox.personio.pages import Links
from hr_sandbox.personio.render import render_fields, render_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import documents
    from hr_sandbox.http.messages import Json

WEBHOOKS = "/v2/webhooks"
_declare_webhook = partial(ListEndpoint, permission="personio:webhooks:read", forbidden_status=403, max_limit=200)
_declare_part_of_webhook = partial(
    _declare_webhook,
    links=Links(carries_query=True),
    slices=lambda company, *_: [{"id": row.uuid} for row in company.webhooks],
    extra_fields=lambda values, _: {"_webhook_id": values["id"]},
)


def _render_document(row: documents.Document, _context: RenderContext) -> Json:
    """Renders a document's metadata."""
    return {
        **render_fields(
            row, "name", "comment", "size", "created_at", id="uuid", date="day", document_type="media_type"
        ),
        "category": render_reference(row.category_id),
        "owner": render_reference(row.owner_id),
        "virus_scan": {"status": row.scan},
        "esignature": None if row.signature is None else {"status": row.signature},
    }


def _make_recent_finder(table: str, time_field: str) -> Callable[[Company, Values], list[Any]]:
    """Returns a function for the recent records of an existing webhook."""

    def find_rows(company: Company, values: Values) -> list[Any]:
        webhook = find_or_fail(company.webhooks, values["id"])
        since = datetime.combine(company.today - timedelta(DAYS), time(), UTC)
        return [row for row in getattr(company, table).find_by_owner(webhook.id) if getattr(row, time_field) >= since]

    return find_rows


def render_webhook(row: documents.Webhook, _context: RenderContext | None = None) -> Json:
    """Renders a webhook with its secrets, which every reader of webhooks can see."""
    return {
        **render_fields(row, "url", "status", "created_at", "updated_at", id="uuid", description="name"),
        **render_fields(row, "auth_type", "token", "custom_headers"),
        "enabled_events": list(row.names),
    }


def _render_event(row: documents.Event, _context: RenderContext) -> Json:
    """Renders an event: the id of the record only."""
    return {
        **render_fields(row, "occurred_at", id="uuid", event_name="name"),
        "data": {"id": row.subject} if row.subject else {},
    }


def _render_delivery(row: documents.Delivery, _context: RenderContext) -> Json:
    """Renders a delivery attempt. It has no status if there was no response."""
    return {
        **render_fields(row, "completed_at", id="uuid", event_name="name", is_delivered="delivered"),
        **render_fields(row, response_status="status", redelivery_id="again_id"),
        "event": render_reference(row.event_id),
    }


ENDPOINTS: tuple[ListEndpoint, ...] = (
    ListEndpoint(
        "/v2/document-management/documents",
        "documents",
        _render_document,
        "documents:read",  # the only permission without the prefix
        forbidden_status=403,
        rows=lambda company, values: company.documents.find_by_owner(values["owner_id"]),
        max_limit=200,
        slices=lambda company, *_: [{"owner_id": row.id} for row in company.people],
        filters=(
            Filter("owner_id", parse_whole_number, required=True),
            filter_equal("category_id", "category_id", parse_whole_number),
            *filter_comparisons("created_at", lambda row: row.created_at.date(), ("gte", "lt"), parse_day),
        ),
    ),
    _declare_webhook(
        WEBHOOKS,
        "webhooks",
        render_webhook,
        filters=(
            Filter("enabled_events", parse_list, lambda row, names: not names.isdisjoint(row.names)),
            filter_equal("status", "status", parser_for_choice("ENABLED", "DISABLED")),
        ),
        table="webhooks",
    ),
    _declare_part_of_webhook(
        f"{WEBHOOKS}/{{id}}/events",
        "webhook_events",
        _render_event,
        rows=_make_recent_finder("events", "occurred_at"),
        filters=(
            *filter_comparisons("occurred_at", "occurred_at", ("gte", "lte")),
            filter_any_of("event_name", "name"),
        ),
    ),
    _declare_part_of_webhook(
        f"{WEBHOOKS}/{{id}}/activity",
        "webhook_activity",
        _render_delivery,
        rows=_make_recent_finder("deliveries", "completed_at"),
        filters=(
            *filter_comparisons("completed_at", "completed_at", ("gte", "lte")),
            filter_any_of("event_name", "name"),
            filter_equal("is_delivered", "delivered", parse_boolean),
            filter_equal("redelivery_id", "again_id"),
        ),
    ),
)
