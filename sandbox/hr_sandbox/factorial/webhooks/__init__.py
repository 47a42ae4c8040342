"""Webhooks of Factorial: one subscription per type of event, and whole records as bodies."""

from hr_sandbox.factorial.webhooks.push import Pushes
from hr_sandbox.factorial.webhooks.subscriptions import NAME, SubscriptionApi

__all__ = ["NAME", "Pushes", "SubscriptionApi"]
