"""The columns of the streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hr_webhooks.config import Vendor

TEXT = ["string", "null"]
INTEGER = ["integer", "null"]

KEY: dict[str, dict[str, Any]] = {
    "position": {"type": ["integer"], "description": "The position of the request in the journal, from 1."},
    "record": {"type": ["integer"], "description": "The position of the event in the request, from 0."},
}
COMMON: dict[str, dict[str, Any]] = {
    "id": {
        "type": TEXT,
        "description": "Equal for deliveries of the same event: the vendor's id of the message, or a hash.",
    },
    "tenant": {"type": TEXT, "description": "The company, as the configuration of the receiver names it."},
    "type": {"type": TEXT, "description": "The vendor's name of the event. Null: the body is in `body`, unread."},
    "action": {"type": TEXT, "description": "What happened, such as created, updated or deleted."},
    "received_at": {
        "type": TEXT,
        "format": "date-time",
        "description": "When the request was received, or read from the vendor's log of events, UTC.",
    },
    "happened_at": {"type": TEXT, "format": "date-time", "description": "When it happened, if the event says so, UTC."},
    "subject_type": {"type": TEXT, "description": "The kind of record that the event is about."},
    "subject_id": {"type": TEXT, "description": "The id of that record, if the event says so."},
    "person_id": {"type": TEXT, "description": "The id of the person that the record is about, if the event says so."},
    "source": {"type": TEXT, "description": "push: the vendor sent it; log: read from the vendor's log of events."},
}
OWN: dict[Vendor, dict[str, dict[str, Any]]] = {
    "personio": {"company_id": {"type": TEXT, "description": "Personio's id of the company."}},
    "factorial": {
        "company_id": {"type": TEXT, "description": "Factorial's id of the company."},
        "author_type": {"type": TEXT, "description": "Who caused the event: employee or company."},
        "author_id": {"type": TEXT, "description": "The id of the one who caused the event."},
    },
    "cornerstone": {
        "subscription_id": {"type": TEXT, "description": "The webhook in Cornerstone."},
        "offset": {"type": INTEGER, "description": "Orders the events of a webhook."},
    },
}
PAYLOAD: dict[str, dict[str, Any]] = {
    "payload": {"type": ["object", "null"], "description": "The event as it was sent, without secrets."},
    "body": {"type": TEXT, "description": "The body of a request that could not be read."},
}
DESCRIPTIONS: dict[Vendor, str] = {
    "personio": "One row per event of Personio. It names records by their ids, without values.",
    "factorial": "One row per event of Factorial, with the record that it is about.",
    "cornerstone": "One row per event of Cornerstone, with its data.",
}


def make_schema(vendor: Vendor, *, with_payload: bool) -> dict[str, Any]:
    """Returns the JSON Schema of a vendor's events.

    Args:
        vendor: The vendor.
        with_payload: Whether rows have what the vendor sent.
    """
    columns = {**KEY, **COMMON, **OWN[vendor], **(PAYLOAD if with_payload else {})}
    return {"type": "object", "description": DESCRIPTIONS[vendor], "properties": columns}
