"""Errors that end a command with one sentence."""

from __future__ import annotations


class WebhookError(Exception):
    """A sentence that says what is wrong and what to do. It holds no secret, no payload and no address code."""


class ConfigError(WebhookError):
    """The configuration file or a file that it names cannot be used."""


class JournalError(WebhookError):
    """The journal cannot be read."""
