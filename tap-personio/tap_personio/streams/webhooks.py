"""Webhooks and their events: the only source of deletions between full refreshes."""

from __future__ import annotations

from singer_rest import ChangedSince, PerParent

from tap_personio.client import PersonioStream


class Webhooks(PersonioStream):
    """One row per webhook."""

    name = "webhooks"
    path = "/v2/webhooks"
    permission = "personio:webhooks:read"
    primary_keys = ("id",)
    page_size = 200


class WebhookEvents(PersonioStream):
    """One row per event of a webhook.

    Deletions among them. The API keeps 30 days.
    """

    name = "webhook_events"
    path = "/v2/webhooks/{webhook_id}/events"
    permission = "personio:webhooks:read"
    primary_keys = ("webhook_id", "id")
    replication_key = "occurred_at"
    changed_since = ChangedSince("occurred_at.gte")
    slices = PerParent("webhooks", "webhook_id")
    page_size = 200
    versioned = False  # the API keeps 30 days


class WebhookActivity(PersonioStream):
    """One row per delivery of an event.

    The API keeps 30 days.
    """

    name = "webhook_activity"
    path = "/v2/webhooks/{webhook_id}/activity"
    permission = "personio:webhooks:read"
    primary_keys = ("webhook_id", "id")
    replication_key = "completed_at"
    changed_since = ChangedSince("completed_at.gte")
    slices = PerParent("webhooks", "webhook_id")
    page_size = 200
    versioned = False  # the API keeps 30 days
