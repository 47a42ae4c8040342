"""Sends events to webhooks, and keeps the log of events and attempts."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from hr_sandbox import clock
from hr_sandbox.company.documents import simulate_attempts
from hr_sandbox.company.generator import SeededRandom
from hr_sandbox.http.messages import to_json
from hr_sandbox.personio.webhooks.events import PING, find_events, make_payload
from hr_sandbox.pushes.client import is_simulated
from hr_sandbox.pushes.sender import Content, Delivery, RetryPlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.company.model.documents import Event, Webhook
    from hr_sandbox.http.messages import Json
    from hr_sandbox.pushes.sender import Sender

MINUTE, HOUR = 60, 3600
FAST = 1  # seconds before the second request of an attempt
# Six further attempts within three days.
BEFORE_ATTEMPTS = (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR, 20 * HOUR, 40 * HOUR)
NOT_IMPLEMENTED = 501
PLAN = RetryPlan(
    waits=(*(wait for before in BEFORE_ATTEMPTS for wait in (FAST, before)), FAST),
    timeout=3,
    retries=lambda status: status >= 500 and status != NOT_IMPLEMENTED,  # noqa: PLR2004  failures of the server
)


class Pushes:
    """The events of all webhooks, and the records that are not visible yet when their event is sent."""

    def __init__(self, company: Company, sender: Sender) -> None:
        self.company = company
        self._sender = sender
        self._rng = SeededRandom(f"webhooks/{company.seed}", company.today)
        # What was sent, until a request is handled: only the server's thread changes the company.
        self._attempts: deque[tuple[str, str | None, Delivery, int | None, datetime]] = deque()
        self._invisible: dict[str, float] = {}

    def announce(self, changes: Iterable[Change]) -> None:
        """Sends the events of changes to all enabled webhooks that subscribe to them."""
        enabled = [row for row in self.company.webhooks if row.status == "ENABLED"]
        if not enabled:
            return
        now = clock.read_precise_clock()
        for change in changes:
            for name in find_events(change, self.company.today):
                for webhook in enabled:
                    if name in webhook.names:
                        self._hide(change)
                        self.send(webhook, name, now, change.id)

    def send(
        self, webhook: Webhook, name: str, occurred_at: datetime, subject: str, payload: Json | None = None
    ) -> Json:
        """Adds an event to the log and sends it. Returns its body."""
        event = self.company.events.create(self._rng.uuid(), webhook.id, name, subject, occurred_at)
        body = self._make_body(event, payload)
        if is_simulated(webhook.url):
            simulate_attempts(self.company, self._rng, event)
        else:
            self._submit(webhook, event, body)
        return body

    def redeliver(self, webhook: Webhook, events: Iterable[Event]) -> str:
        """Sends events again. Returns the id of this redelivery."""
        again_id = self._rng.uuid()
        for event in events:
            self._submit(webhook, event, self._make_body(event), again_id)
        return again_id

    def make_id(self) -> str:
        """Returns a new id."""
        return self._rng.uuid()

    def _make_body(self, event: Event, payload: Json | None = None) -> Json:
        usual = {} if event.name == PING else make_payload(event.name, event.subject)
        return {
            "company_id": str(100_000 + self.company.seed),
            "event_name": event.name,
            "occurred_at": clock.format_rfc3339(event.occurred_at),
            "payload": usual if payload is None else payload,
        }

    def _submit(self, webhook: Webhook, event: Event, body: Json, again_id: str | None = None) -> None:
        # Later tries carry the secret that was valid at first.
        headers = {"content-type": "application/json", "user-agent": "Personio-Webhooks"}
        if webhook.auth_type == "TOKEN" and webhook.token:
            headers["authorization"] = webhook.token
        elif webhook.auth_type == "CUSTOM":
            headers |= webhook.custom_headers or {}
        plain = to_json(body).encode()
        content = Content(headers, plain, plain)
        completes = event.uuid, again_id
        self._sender.submit(
            Delivery(
                vendor="personio",
                subscription=webhook.uuid,
                event=event.name,
                url=webhook.url,
                subjects=(event.subject,) if event.subject else (),
                plan=PLAN,
                make_content=lambda _: content,
                is_wanted=lambda: (
                    webhook.id in self.company.webhooks and (webhook.status == "ENABLED" or event.name == PING)
                ),
                on_try=lambda delivery: self._attempts.append(
                    (*completes, delivery, delivery.status, clock.read_precise_clock())
                ),
            )
        )

    def record_attempts(self) -> None:
        """Adds what was sent to the log. Must be called in the server's thread."""
        while self._attempts:
            event_id, again_id, delivery, status, completed_at = self._attempts.popleft()
            webhook = self.company.webhooks.find(delivery.subscription)
            if webhook:
                self.company.deliveries.create(
                    uuid=self._rng.uuid(),
                    webhook_id=webhook.id,
                    event_id=event_id,
                    name=delivery.event,
                    delivered=status is not None and 200 <= status < 300,  # noqa: PLR2004  success
                    status=status,
                    again_id=again_id,
                    completed_at=completed_at,
                )

    # Records that are not visible yet

    def _hide(self, change: Change) -> None:
        settings = self._sender.settings
        seconds = 0.0
        if change.kind == "document":
            seconds = settings.scan_seconds if change.action == "created" else 0
        elif change.action != "deleted" and self._sender.draws(settings.passing_404s):
            seconds = settings.invisible_seconds
        if seconds:
            self._invisible[change.id] = time.monotonic() + seconds

    @property
    def has_invisible_records(self) -> bool:
        """Whether there are records that are not visible yet."""
        return bool(self._invisible)

    def is_invisible(self, key: str) -> bool:
        """Returns whether the record with this id is not visible yet."""
        until = self._invisible.get(key)
        if until is not None and until <= time.monotonic():
            del self._invisible[key]
            return False
        return until is not None
