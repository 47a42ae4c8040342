"""Webhooks of Personio: the endpoints that manage them, and what is sent to them."""

from hr_sandbox.personio.webhooks.manage import WRITE_ROUTES, WebhookApi
from hr_sandbox.personio.webhooks.push import Pushes

__all__ = ["WRITE_ROUTES", "Pushes", "WebhookApi"]
