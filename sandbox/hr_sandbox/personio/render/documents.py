"""Documents, reports and webhooks."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hr_sandbox.clock import rfc3339
from hr_sandbox.company.reports import ATTRIBUTES, Money, Option
from hr_sandbox.personio.render.common import iso, ref
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from hr_sandbox.company.model import Delivery, Document, Event, Report, Webhook
    from hr_sandbox.company.reports import Attribute, ReportRow
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import RenderContext

LOCALES = ("en", "de")


def document(row: Document, _view: RenderContext) -> Json:
    """Render a document's metadata."""
    return {
        "id": row.uuid,
        "name": row.name,
        "date": iso(row.day),
        "comment": row.comment,
        "category": ref(row.category_id),
        "owner": ref(row.owner_id),
        "document_type": row.media_type,
        "size": row.size,
        "created_at": rfc3339(row.created_at),
        "virus_scan": {"status": row.scan},
        "esignature": None if row.signature is None else {"status": row.signature},
    }


def report(row: Report, _view: RenderContext) -> Json:
    """Render a report's metadata."""
    return {
        "id": row.uuid,
        "name": row.name,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def report_attribute(row: Attribute, _view: RenderContext) -> Json:
    """Render an attribute that reports can have as a column."""
    return {
        "id": row.id,
        "name": row.label,
        "type": row.type.upper(),
        "is_filterable": row.type in {"options", "date"},
    }


def report_frame(context: RenderContext) -> Json:
    """Return the members beside a report's rows: its settings and columns."""
    row = context.company.reports.find(context.values["id"])
    assert row is not None  # noqa: S101  checked before
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


def report_row(row: ReportRow, context: RenderContext) -> list[Json]:
    """Render a row: cells in the order of the columns, whose members depend on their types."""
    found = context.company.reports.find(context.values["id"])
    names = found.columns if found else ()
    return [_cell(ATTRIBUTES[name], value) for name, value in zip(names, row.values, strict=True)]


def _cell(attribute: Attribute, value: Any) -> Json:  # noqa: ANN401  any value of a report
    cell: Json = {"attribute_id": attribute.id}
    if value is None:
        return cell
    if isinstance(value, Money):
        cell["monetary_value"] = {"amount": value.amount, "currency": value.currency}
    elif attribute.type == "options":
        options = [value] if isinstance(value, Option) else value
        cell["options_value"] = {"options": [{"key": row.key, "value": row.label} for row in options]}
    elif attribute.type == "percentage":
        cell["percentage_value"] = {"number": value}
    elif attribute.type == "numeric":
        cell["numeric_value"] = {"number": value}
    else:
        cell["string_value"] = {"value": value.isoformat() if isinstance(value, date) else value}
    return cell


def secret_of(row: Webhook) -> str:
    """Return the secret that is sent to a webhook's address."""
    return f"{stable_number('webhook', row.uuid):08x}{stable_number('secret', row.uuid):08x}"


def webhook(row: Webhook, _view: RenderContext) -> Json:
    """Render a webhook with its secrets, which every reader of webhooks can see."""
    return {
        "id": row.uuid,
        "description": row.name,
        "url": row.url,
        "auth_type": "BEARER",
        "token": f"Bearer {secret_of(row)}",
        "custom_headers": {"X-Webhook-Key": secret_of(row)[::-1]},
        "status": row.status,
        "enabled_events": list(row.names),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def event(row: Event, _view: RenderContext) -> Json:
    """Render an event: the id of the record only."""
    return {
        "id": row.uuid,
        "event_name": row.name,
        "occurred_at": rfc3339(row.occurred_at),
        "data": {"id": row.subject},
    }


def delivery(row: Delivery, _view: RenderContext) -> Json:
    """Render a delivery attempt. It has no status if there was no response."""
    return {
        "id": row.uuid,
        "event": ref(row.event_id),
        "event_name": row.name,
        "is_delivered": row.delivered,
        "response_status": row.status,
        "redelivery_id": row.again_id,
        "completed_at": rfc3339(row.completed_at),
    }
