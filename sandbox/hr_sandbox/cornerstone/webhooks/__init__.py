"""Webhooks of Cornerstone: endpoints and webhooks that controls set up, batches of records, heartbeats."""

from hr_sandbox.cornerstone.webhooks.controls import WebhookControls
from hr_sandbox.cornerstone.webhooks.push import Pushes

__all__ = ["Pushes", "WebhookControls"]
