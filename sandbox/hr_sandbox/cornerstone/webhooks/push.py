"""Sends records to webhooks in batches, in order; and heartbeats."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hr_sandbox.company.generator import SeededRandom
from hr_sandbox.cornerstone.webhooks.records import EMPLOYEE, make_employee_record
from hr_sandbox.http.messages import to_json
from hr_sandbox.pushes.sender import DELIVERED, DROPPED, GIVEN_UP, PENDING, Content, Delivery, RetryPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hr_sandbox.company.changes import Change
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.cornerstone.webhooks.records import Record
    from hr_sandbox.http.messages import Json
    from hr_sandbox.pushes.sender import Sender

    ContentMaker = Callable[[int], Content]

# By tier, the number of retries, and the most records per second.
TIERS = {"Starter": (1, 1), "Small": (10, 10), "Medium": (20, 100), "Large": (50, 1000)}
RETRIED = frozenset({408, 500, 502, 503, 504})
STEP = 30  # seconds before the first retry, and how much longer each further one waits
TIMEOUT = 10
HEARTBEAT, HEARTBEAT_SECONDS = "heartbeat", 300
STARTED, RUNNING, STOPPED, FAILING, FAILED = "Started", "Running", "Stopped", "Failing", "Failed"
HEX, COMPRESSED = "hex", "compressed"


@dataclass(frozen=True, slots=True)
class Signature:
    """How bodies are signed, with HMAC-SHA256.

    Attributes:
        header: its name.
        encoding: base64 or hex.
        over: whether the `compressed` or the `plain` body is signed.
    """

    header: str
    encoding: str
    over: str


@dataclass(slots=True)
class Endpoint:
    """An address that webhooks can use once it is verified.

    Attributes:
        token: the key of the signature, in Base64.
    """

    id: str
    name: str
    url: str
    api_key: str
    token: str
    compresses: bool
    signature: Signature | None
    verified: bool = False

    def make_content(self, body: Json, more: dict[str, str]) -> Content:
        """Returns the content of a request."""
        plain = to_json(body).encode()
        sent = gzip.compress(plain, mtime=0) if self.compresses else plain
        headers = {"content-type": "application/json", "x-api-key": self.api_key, **more}
        if self.compresses:
            headers["content-encoding"] = "gzip"
        if self.signature:
            signed = sent if self.signature.over == COMPRESSED else plain
            digest = hmac.digest(base64.b64decode(self.token), signed, hashlib.sha256)
            encoded = digest.hex() if self.signature.encoding == HEX else base64.b64encode(digest).decode()
            headers[self.signature.header] = encoded
        return Content(headers, sent, plain)


@dataclass(slots=True)
class Webhook:
    """A webhook: the events that an endpoint receives.

    Attributes:
        queue: the records that are to be sent.
        offset: of the next record.
        beats: whether a heartbeat is due.
    """

    id: str
    endpoint: Endpoint
    events: tuple[str, ...]
    tier: str
    custom_headers: dict[str, str]
    session_id: str
    status: str = STOPPED
    queue: deque[Record] = field(default_factory=deque)
    offset: int = 0
    beats: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_on(self) -> bool:
        """Whether it sends."""
        return self.status not in {STOPPED, FAILED}


class Pushes:
    """The endpoints and webhooks."""

    def __init__(self, store: Store, sender: Sender) -> None:
        self._store = store
        self._sender = sender
        self._rng = SeededRandom(f"cornerstone webhooks/{store.company.seed}", store.company.today)
        self.endpoints: dict[str, Endpoint] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.make_id = self._rng.uuid

    def announce(self, changes: list[Change]) -> None:
        """Sends the records of changes."""
        if not self.is_subscribed(EMPLOYEE):
            return
        for change in changes:
            if change.kind == "person" and change.action == "created":
                self.send(EMPLOYEE, make_employee_record(self._store.snapshot, change.record, self.make_id))

    def is_subscribed(self, event: str) -> bool:
        """Returns whether a webhook sends the event."""
        return any(event in row.events and row.is_on for row in self.webhooks.values())

    def send(self, event: str, record: Record) -> None:
        """Sends a record to all webhooks with this event."""
        for webhook in self.webhooks.values():
            if event in webhook.events and webhook.is_on:
                webhook.queue.append(replace(record, offset=webhook.offset))
                webhook.offset += 1
                self._sender.run(_wake(webhook))

    def verify(self, endpoint: Endpoint) -> None:
        """Sends a short message to an endpoint, and waits for its response."""
        done = threading.Event()
        content = endpoint.make_content({"message": f"Verification of the endpoint {endpoint.name}"}, {})
        delivery = self._make_delivery(endpoint, "verification", (), lambda _: content)
        self._sender.register(delivery, may_miss=False)
        if delivery.state == PENDING:

            async def deliver() -> None:
                await self._sender.deliver(delivery)
                done.set()

            self._sender.run(deliver())
            done.wait(2 * TIMEOUT)
        endpoint.verified = delivery.state == DELIVERED

    def start(self, webhook: Webhook) -> None:
        """Starts a webhook."""
        webhook.status, webhook.wake = STARTED, asyncio.Event()
        webhook.session_id = self.make_id()
        self._sender.run(self._send_queue(webhook, webhook.session_id))
        self._sender.run(self._beat(webhook, webhook.session_id))

    def stop(self, webhook: Webhook) -> None:
        """Stops a webhook. What it has not sent is lost."""
        webhook.status = STOPPED
        self._sender.run(_wake(webhook))

    # In the sender's thread

    async def _beat(self, webhook: Webhook, session_id: str) -> None:
        while webhook.is_on and webhook.session_id == session_id:
            await self._sender.clock.sleep(HEARTBEAT_SECONDS)
            webhook.beats = True
            webhook.wake.set()

    async def _send_queue(self, webhook: Webhook, session_id: str) -> None:
        _, peak = TIERS[webhook.tier]
        while webhook.is_on and webhook.session_id == session_id:
            await webhook.wake.wait()
            webhook.wake.clear()
            if webhook.beats and webhook.is_on:
                webhook.beats = False
                await self._send_batch(webhook, [])
            while webhook.queue and webhook.is_on:
                batch = [webhook.queue.popleft() for _ in range(min(peak, len(webhook.queue)))]
                await self._send_batch(webhook, batch)
                await self._sender.clock.sleep(len(batch) / peak)
        if webhook.queue and webhook.session_id == session_id:
            lost = self._make_batch(webhook, list(webhook.queue))
            webhook.queue.clear()
            self._sender.register(lost)
            lost.state = DROPPED

    async def _send_batch(self, webhook: Webhook, batch: list[Record]) -> None:
        settings = self._sender.settings
        if settings.reorder_seconds:
            self._sender.random.shuffle(batch)
        delivery = self._make_batch(webhook, batch)
        self._sender.register(delivery)
        if delivery.state == PENDING:
            await self._sender.deliver(delivery)
        if delivery.state == DELIVERED and webhook.is_on:
            webhook.status = RUNNING
            if batch and self._sender.draws(settings.duplicates):
                webhook.queue.extend(replace(row, repeats=True) for row in batch if not row.repeats)
        elif delivery.state == GIVEN_UP and webhook.is_on:
            webhook.status = FAILED if delivery.is_last_try else FAILING

    def _make_batch(self, webhook: Webhook, batch: Sequence[Record]) -> Delivery:
        def make_content(number: int) -> Content:
            body = {
                "records": [row.render() for row in batch],
                "sessionId": webhook.session_id,
                "attemptNumber": number,
                "subscriptionId": webhook.id,
            }
            return webhook.endpoint.make_content(body, webhook.custom_headers)

        def show_failure(delivery: Delivery) -> None:
            if not delivery.has_succeeded and webhook.is_on:
                webhook.status = FAILING

        ids = (row.message_id for row in batch)
        delivery = self._make_delivery(webhook.endpoint, "records" if batch else HEARTBEAT, ids, make_content)
        delivery.subscription = webhook.id
        retries, _ = TIERS[webhook.tier]
        waits = tuple(STEP * number for number in range(1, retries + 1))
        delivery.plan = RetryPlan(waits, TIMEOUT, lambda status: status in RETRIED)
        session_id = webhook.session_id
        delivery.is_wanted = lambda: webhook.is_on and webhook.session_id == session_id
        delivery.on_try = show_failure
        return delivery

    @staticmethod
    def _make_delivery(endpoint: Endpoint, event: str, subjects: Iterable[str], make_content: ContentMaker) -> Delivery:
        return Delivery(
            vendor="cornerstone",
            subscription=endpoint.id,
            event=event,
            url=endpoint.url,
            subjects=tuple(subjects),
            plan=RetryPlan((), TIMEOUT, lambda _: False),
            make_content=make_content,
            is_wanted=lambda: True,
        )


async def _wake(webhook: Webhook) -> None:
    webhook.wake.set()
