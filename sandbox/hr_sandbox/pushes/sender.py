"""Sends deliveries to webhooks, in a thread of its own so that slow receivers delay no response of the sandbox."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

import h11

from hr_sandbox.pushes.client import Client, is_local
from hr_sandbox.pushes.timing import ScaledClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from hr_sandbox.http.messages import Json

PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given_up"
DROPPED, MISSING, SKIPPED = "dropped", "missing", "skipped"
STATES = (PENDING, DELIVERED, GIVEN_UP, DROPPED, MISSING, SKIPPED)
MAX_REQUESTS = 256  # of a vendor at the same time
MAX_KEPT = 500_000
SUCCESS = range(200, 300)
STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """When a vendor sends a request again.

    Attributes:
        waits: the vendor's seconds before the second try, the third one, and so on.
        timeout: the seconds after which a request has failed.
        retries: whether a status is tried again. Requests without a response always are.
    """

    waits: tuple[float, ...]
    timeout: float
    retries: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one request.

    Attributes:
        headers: all but host and content-length.
        body: as it is sent.
        plain: before it was compressed.
    """

    headers: dict[str, str]
    body: bytes
    plain: bytes


@dataclass(slots=True, kw_only=True)
class Delivery:
    """An event, or a batch of events, on its way to a subscription.

    Attributes:
        subjects: the ids of the records or messages in it.
        make_content: returns the content of the nth request, from 1.
        is_wanted: whether the subscription still exists and is enabled.
        on_try: is called after each request.
        number: its number in the report.
        tries: how many requests were sent.
        status: the last status; None if there was no response.
        seconds: how long the slowest response took.
        acknowledged: the SHA-256 of each body that was answered with a success, before compression.
        duplicate_of: the number of the delivery that it repeats.
    """

    vendor: str
    subscription: str
    event: str
    url: str
    subjects: tuple[str, ...]
    plan: RetryPlan
    make_content: Callable[[int], Content]
    is_wanted: Callable[[], bool]
    on_try: Callable[[Delivery], None] = lambda _: None
    number: int = 0
    state: str = PENDING
    tries: int = 0
    status: int | None = None
    seconds: float = 0
    acknowledged: list[str] = field(default_factory=list)
    duplicate_of: int | None = None

    @property
    def is_last_try(self) -> bool:
        """Whether there is no further try."""
        return self.tries > len(self.plan.waits)

    @property
    def has_succeeded(self) -> bool:
        """Whether the last request was answered with a success."""
        return self.status in SUCCESS

    def describe(self) -> Json:
        """Returns the delivery for the report."""
        names = ("number", "vendor", "subscription", "event", "url", "subjects", "state", "tries", "status", "seconds")
        return {name: getattr(self, name) for name in (*names, "acknowledged", "duplicate_of")}


@dataclass(slots=True)
class PushSettings:
    """How pushes deviate from plain ones, as set by controls.

    Attributes:
        timeout: the seconds after which a request has failed; None for the vendor's own.
        duplicates: the share of deliveries that are sent twice.
        missing: the share of deliveries that are never sent.
        reorder_seconds: up to how long a first request waits.
        passing_404s: the share of Personio's created and updated records that are invisible at first.
        invisible_seconds: for how long.
        scan_seconds: how long a new document is invisible at Personio.
        bulk: whether Factorial sends bulk events as a `list`, or `one` record per request.
    """

    timeout: float | None = None
    duplicates: float = 0
    missing: float = 0
    reorder_seconds: float = 0
    passing_404s: float = 0
    invisible_seconds: float = 1
    scan_seconds: float = 2
    bulk: str = "one"


class Sender:
    """Sends deliveries. Its thread begins with the first one."""

    def __init__(self, seed: int, *, allow_remote: bool) -> None:
        self.settings = PushSettings()
        self.clock = ScaledClock()
        self.random = random.Random(f"pushes/{seed}")  # noqa: S311  no cryptography
        self.deliveries: dict[int, Delivery] = {}
        self.requests = 0
        self._last_success = time.monotonic()
        self._allow_remote = allow_remote
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = Client()
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MAX_REQUESTS))

    def draws(self, share: float) -> bool:
        """Returns True for this share of all calls."""
        return share > 0 and self.random.random() < share

    def can_reach(self, url: str) -> bool:
        """Returns whether requests to an address are sent."""
        return self._allow_remote or is_local(url)

    def submit(self, delivery: Delivery) -> None:
        """Registers a delivery, and sends it if the settings and its address allow this."""
        self.register(delivery)
        if delivery.state == PENDING:
            self.run(self._deliver_later(delivery))

    def register(self, delivery: Delivery, *, may_miss: bool = True) -> None:
        """Adds a delivery to the report, and decides whether it is sent."""
        delivery.number = next(self._numbers)
        if not self.can_reach(delivery.url):
            delivery.state = SKIPPED
        elif may_miss and delivery.duplicate_of is None and self.draws(self.settings.missing):
            delivery.state = MISSING
        if len(self.deliveries) >= MAX_KEPT:
            self.forget()
        self.deliveries[delivery.number] = delivery

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work in the thread. May be called from any thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="pushes", daemon=True)
                self._thread.start()
        self._loop.call_soon_threadsafe(self._start_task, work)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None  # noqa: S101  this runs in it
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_later(self, delivery: Delivery) -> None:
        if self.settings.reorder_seconds:
            await asyncio.sleep(self.random.random() * self.settings.reorder_seconds)
        await self.deliver(delivery)
        if delivery.state == DELIVERED and delivery.duplicate_of is None and self.draws(self.settings.duplicates):
            again = replace(delivery, duplicate_of=delivery.number, state=PENDING, tries=0, acknowledged=[])
            again.status, again.seconds = None, 0
            self.submit(again)

    async def deliver(self, delivery: Delivery) -> None:
        """Sends a delivery until it succeeds or is given up. Runs in the thread."""
        plan = delivery.plan
        while True:
            if not delivery.is_wanted():
                delivery.state = DROPPED
                return
            async with self._slots[delivery.vendor]:
                await self._try(delivery)
            if delivery.has_succeeded:
                delivery.state = DELIVERED
            elif delivery.is_last_try or not (delivery.status is None or plan.retries(delivery.status)):
                delivery.state = GIVEN_UP
            delivery.on_try(delivery)
            if delivery.state != PENDING:
                return
            await self.clock.sleep(plan.waits[delivery.tries - 1])

    async def _try(self, delivery: Delivery) -> None:
        content = delivery.make_content(delivery.tries + 1)
        delivery.tries += 1
        self.requests += 1
        seconds = self.settings.timeout
        begin = time.monotonic()
        try:
            async with asyncio.timeout(delivery.plan.timeout if seconds is None else seconds):
                delivery.status = await self._client.post(delivery.url, content.headers, content.body)
        except (OSError, h11.ProtocolError, TimeoutError):
            delivery.status = None
        else:
            delivery.seconds = max(delivery.seconds, time.monotonic() - begin)
        if delivery.has_succeeded:
            delivery.acknowledged.append(hashlib.sha256(content.plain).hexdigest())
            self._last_success = time.monotonic()

    def change_clock(self, scale: float | None = None, skipped: float = 0) -> None:
        """Sets the speed of the vendors' time, or lets some of it pass at once."""

        async def change() -> None:
            self.clock.change(scale, skipped)

        self.run(change())

    def count(self) -> Json:
        """Returns the number of deliveries by state, of requests, of successes, and the seconds since the last one."""
        rows = list(self.deliveries.values())
        states = Counter(row.state for row in rows)
        return {
            **{state: states[state] for state in STATES},
            "requests": self.requests,
            "acknowledged": sum(len(row.acknowledged) for row in rows),
            "idle_seconds": time.monotonic() - self._last_success,
        }

    def forget(self) -> int:
        """Removes the deliveries that are not pending from the report. Returns how many there were."""
        done = [row.number for row in list(self.deliveries.values()) if row.state != PENDING]
        for number in done:
            del self.deliveries[number]
        return len(done)

    def stop(self) -> None:
        """Ends all deliveries and the thread."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop_soon)
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _stop_soon(self) -> None:
        assert self._loop is not None  # noqa: S101  this runs in it
        for task in self._tasks:
            task.cancel()
        self._client.close()
        # Cancelled tasks end in the next two turns of the loop.
        self._loop.call_later(0.01, self._loop.stop)
