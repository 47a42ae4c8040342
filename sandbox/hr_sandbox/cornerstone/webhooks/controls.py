"""The controls of webhooks, in place of the portal's pages; and of trainings, whose events they send."""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.webhooks.push import STARTED, STOPPED, TIERS, Endpoint, Signature, Webhook
from hr_sandbox.cornerstone.webhooks.records import ASSIGNED, COMPLETED, EVENTS, make_training_record
from hr_sandbox.http.arguments import (
    ControlError,
    check_choice,
    control,
    take_any,
    take_flag,
    take_optional_text,
    take_text,
    with_default,
)
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.pushes.client import split_address

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.cornerstone.webhooks.push import Pushes
    from hr_sandbox.http.messages import Json

MAX_HEADERS = 4
HEADER = re.compile(r"[A-Za-z0-9-]+")
USUAL_SIGNATURE = {"header": "x-signature", "encoding": "base64", "over": "compressed"}
CHOICES = {"encoding": ("base64", "hex"), "over": ("compressed", "plain")}


class WebhookControls:
    """Creates endpoints and webhooks, starts and stops them, and adds trainings."""

    def __init__(self, pushes: Pushes, store: Store) -> None:
        self._pushes = pushes
        self._store = store

    @control(
        "endpoint",
        url=take_text,
        name=with_default(take_text, "Endpoint"),
        gzip=with_default(take_flag, default=True),
        x_api_key=take_optional_text,
        hmac=take_any,
    )
    def add_endpoint(self, url: str, name: str, x_api_key: str | None, hmac: Any, *, gzip: bool) -> Json:  # noqa: ANN401
        """Creates and verifies an endpoint."""
        if split_address(url) is None:
            raise ControlError("The argument url must be an http or https address.")
        endpoint = Endpoint(
            id=self._pushes.make_id(),
            name=name,
            url=url,
            api_key=x_api_key or secrets.token_hex(16),
            token=base64.b64encode(secrets.token_bytes(32)).decode(),
            compresses=gzip,
            signature=_read_signature(hmac),
        )
        self._pushes.verify(endpoint)
        self._pushes.endpoints[endpoint.id] = endpoint
        return pick_fields(endpoint, "id", "verified", x_api_key="api_key", security_token="token")  # noqa: S106  a name

    @control(
        "webhook",
        endpoint=take_text,
        events=take_any,
        tier=with_default(take_text, "Large"),
        custom_headers=take_any,
    )
    def add_webhook(self, endpoint: str, events: Any, tier: str, custom_headers: Any) -> Json:  # noqa: ANN401
        """Creates and starts a webhook of a verified endpoint."""
        found = self._pushes.endpoints.get(endpoint)
        if found is None or not found.verified:
            raise ControlError(f"There is no verified endpoint {endpoint}.")
        if not isinstance(events, list) or not events or not set(map(str, events)) <= set(EVENTS):
            raise ControlError(f"The argument events must be a list of some of {', '.join(EVENTS)}.")
        check_choice("tier", tier, TIERS)
        headers = custom_headers or {}
        if (
            not isinstance(headers, dict)
            or len(headers) > MAX_HEADERS
            or not all(HEADER.fullmatch(name) and isinstance(value, str) for name, value in headers.items())
        ):
            raise ControlError(f"The argument custom_headers must be an object with up to {MAX_HEADERS} headers.")
        make_id = self._pushes.make_id
        webhook = Webhook(make_id(), found, tuple(dict.fromkeys(events)), tier, headers, make_id())
        self._pushes.webhooks[webhook.id] = webhook
        self._pushes.start(webhook)
        return pick_fields(webhook, "id", "status")

    @control("webhook-status", id=take_text, status=take_optional_text)
    def set_status(self, key: str, status: str | None) -> Json:
        """Starts or stops a webhook, and returns its status."""
        webhook = self._pushes.webhooks.get(key)
        if webhook is None:
            raise ControlError(f"There is no webhook {key}.")
        if status is not None:
            check_choice("status", status, (STARTED, STOPPED))
            if status == STOPPED:
                self._pushes.stop(webhook)
            elif not webhook.is_on:
                self._pushes.start(webhook)
        return pick_fields(webhook, "id", "status")

    @control(
        "training",
        person_id=take_text,
        event=with_default(take_text, COMPLETED),
        training=take_optional_text,
    )
    def add_training(self, person_id: str, event: str, training: str | None) -> Json:
        """Assigns or completes a person's training, by default the first active one."""
        check_choice("event", event, (COMPLETED, ASSIGNED))
        person = self._store.company.people.find(person_id)
        if person is None:
            raise ControlError(f"There is no person {person_id}.")
        trainings = [row for row in self._store.snapshot.trainings if row.active]
        found = next((row for row in trainings if training in {None, row.object_id}), None)
        if found is None:
            raise ControlError(f"There is no active training {training}.")
        self._store.add_training(person.id, found.index, completed=event == COMPLETED)
        snapshot = self._store.snapshot
        taken = [row for row in snapshot.transcripts if row.user_id == person.id and row.training.index == found.index]
        if self._pushes.is_subscribed(event):
            self._pushes.send(event, make_training_record(event, snapshot, taken[-1], self._pushes.make_id))
        return {"person_id": person_id, "training": found.object_id, "reg_num": taken[-1].reg_num, "event": event}


def _read_signature(given: Any) -> Signature | None:  # noqa: ANN401  what JSON holds
    if given is None:
        return None
    if not isinstance(given, dict) or not given.keys() <= USUAL_SIGNATURE.keys():
        raise ControlError(f"The argument hmac must be an object with {', '.join(USUAL_SIGNATURE)}, or null.")
    values = {**USUAL_SIGNATURE, **given}
    for name, choices in CHOICES.items():
        check_choice(name, str(values[name]), choices)
    if not HEADER.fullmatch(str(values["header"])):
        raise ControlError("The header of hmac must be the name of a header.")
    return Signature(**values)
