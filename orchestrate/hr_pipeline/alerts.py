"""Alerts of tasks that have failed for good."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hr_pipeline.plan import Alert, Secret

logger = logging.getLogger(__name__)


def send_alert(chosen: Alert, message: Mapping[str, Any], find_secret: Callable[[Secret], str]) -> None:
    """Calls the function and the webhook of the plan.

    Args:
        chosen: Which they are.
        message: Names and numbers, and a sentence in `text`. No data.
        find_secret: Returns the secret that a source leads to.
    """
    if chosen.function:
        module, _, name = chosen.function.partition(":")
        getattr(importlib.import_module(module), name)(message)
    if chosen.url:
        try:
            requests.post(find_secret(chosen.url), json=message, timeout=10).raise_for_status()
        except requests.RequestException as error:  # its message has the URL, which may be a secret
            logger.error("The alert could not be sent: %s", type(error).__name__)  # noqa: TRY400
