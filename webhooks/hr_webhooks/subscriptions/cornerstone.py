"""What has to be clicked at Cornerstone, which has no API for its webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_webhooks.subscriptions.base import Target

KEPT_FOR = timedelta(days=1)
"""How long Cornerstone may still send a former key: the longest retries last 10.6 hours."""


def describe_steps(target: Target) -> str:
    """Returns the steps that create an endpoint and a webhook."""
    return f"""Cornerstone has no API for webhooks. Edge Webhooks must be bought, and support switches them on. Then:
 1. Admin > Tools > Edge > Webhooks > Endpoints: add one, named "{target.label}", with the URL
    {target.make_url()}
 2. Generate its x-api-key, and save it as the only line of {_name_secret(target)} (chmod 600). Leave gzip on.
    To have signatures checked, also generate the security token, and describe it under `hmac` in the configuration.
 3. Start `hr-webhooks serve`, then click "Create and Verify".
 4. Edge > Webhooks: add a webhook for each category, with its events and this endpoint, and click "Create and Start".
 5. hr-webhooks check --vendor cornerstone: a heartbeat arrives every five minutes.
 Any later edit of the endpoint needs a new verification, and stops its webhooks: start them again."""


def describe_rotation(target: Target) -> str:
    """Returns the steps that replace the key."""
    return f"""Cornerstone makes the keys:
 1. Admin > Tools > Edge > Webhooks > Endpoints, "{target.label}": generate a new x-api-key. Before you save, add it as
    the first line of {_name_secret(target)}, above the former key.
 2. Verify the endpoint again, and start its webhooks again, because the edit has stopped them.
 3. A day later: hr-webhooks rotate --finish --vendor cornerstone"""


def _name_secret(target: Target) -> str:
    settings = target.settings
    return str(target.config.resolve(settings.secret_files[0])) if settings.secret_files else settings.secret_env[0]
