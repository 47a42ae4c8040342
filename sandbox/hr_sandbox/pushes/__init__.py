"""Requests that the vendors send to webhooks."""
