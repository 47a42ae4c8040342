"""Sends events to subscriptions, and disables a subscription whose requests have failed for too long."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.fake_values import find_company_id
from hr_sandbox.factorial.tables import to_api_id
from hr_sandbox.factorial.webhooks.bodies import Bodies
from hr_sandbox.factorial.webhooks.catalogue import FAMILY_OF, TYPES, find_events
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.messages import to_json
from hr_sandbox.pushes.client import is_simulated
from hr_sandbox.pushes.sender import GIVEN_UP, Content, Delivery, RetryPlan

if TYPE_CHECKING:
    from hr_sandbox.company.changes import Change
    from hr_sandbox.company.model.documents import Subscription
    from hr_sandbox.factorial.access import Access
    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.store import Store
    from hr_sandbox.pushes.sender import Sender

TRIES, STEP = 20, 900  # the waits are multiples of this many seconds, in total less than 48 hours
PLAN = RetryPlan(tuple(STEP * number for number in range(1, TRIES)), timeout=10, retries=lambda _: True)
LIST = "list"
UNSEEN_ONE_IN = 5  # one in this many events has an author that the subscriber may not see


class Pushes:
    """The events of all subscriptions."""

    def __init__(self, store: Store, access: Access, sender: Sender) -> None:
        self.company = store.company
        self.bodies = Bodies(store, access)
        self._sender = sender
        self._numbers = count(1)
        self._disabled = False

    def announce(self, changes: list[Change]) -> None:
        """Sends the events of changes that were made together."""
        enabled = {row.type: row for row in self.company.subscriptions if row.enabled and not is_simulated(row.url)}
        if not enabled:
            return
        author = self._find_author()
        for name, parts in find_events(changes):
            if subscription := enabled.get(name):
                bodies = [self.bodies.make_body(name, change, subscription.version) for change in parts]
                listed = len(bodies) > 1 and self._sender.settings.bulk == LIST
                for body in [bodies] if listed else bodies:
                    self._send(subscription, body, author)

    def announce_row(self, action: str, resource: str, row: Row) -> None:
        """Sends the event of a row that was changed at this vendor only: `update` or `delete`."""
        name = f"{FAMILY_OF.get(resource)}/{action}"
        subscription = self._find_enabled(name)
        if subscription:
            self._send(subscription, self.bodies.render(resource, row, subscription.version), self._find_author())

    def announce_subscription(self, action: str, changed: Subscription, row: Row) -> None:
        """Sends the event of a subscription that was created, updated or deleted through the API."""
        subscription = self._find_enabled(f"api_public/webhook_subscription/{action}")
        if subscription and subscription is not changed:
            body = self.bodies.render("api_public/webhook_subscriptions", row, subscription.version)
            self._send(subscription, body, ("company", to_api_id(find_company_id(self.company))))

    def push(self, name: str, row: Row | None, body: Any) -> str:  # noqa: ANN401  what JSON holds
        """Sends an event of a type without a change, with a row or another body. Returns the subscription's type."""
        subscription = self._find_enabled(name)
        if subscription is None:
            raise ControlError(f"There is no enabled subscription of {name}.")
        if body is None:
            if row is None:
                raise ControlError(f"Events of {name} need a body: the sandbox has no such records.")
            body = self.bodies.render(TYPES[name] or "", row, subscription.version)
        self._send(subscription, body, self._find_author())
        return subscription.type

    def refresh_if_disabled(self) -> None:
        """Shows subscriptions that were disabled since. Must be called in the server's thread."""
        if self._disabled:
            self._disabled = False
            self.company.version += 1

    def _find_enabled(self, name: str) -> Subscription | None:
        return next((row for row in self.company.subscriptions if row.type == name and row.enabled), None)

    def _find_author(self) -> tuple[str, int]:
        person = next(iter(self.company.people), None)
        if person is None:
            return "company", to_api_id(find_company_id(self.company))
        return "employee", to_api_id(person.id)

    def _send(self, subscription: Subscription, body: Any, author: tuple[str, int]) -> None:  # noqa: ANN401  any JSON
        # Later tries carry the challenge that was valid at first.
        headers = {"content-type": "application/json", "user-agent": "Factorial-Webhooks"}
        if subscription.challenge is not None:
            headers["x-factorial-wh-challenge"] = subscription.challenge
        if next(self._numbers) % UNSEEN_ONE_IN:
            headers |= {"x-factorial-author-type": author[0], "x-factorial-author-id": str(author[1])}
        plain = to_json(body).encode()
        content = Content(headers, plain, plain)
        rows = body if isinstance(body, list) else [body]

        def disable_after_last_try(delivery: Delivery) -> None:
            if delivery.state == GIVEN_UP and subscription.enabled:
                subscription.enabled = False
                self._disabled = True

        self._sender.submit(
            Delivery(
                vendor="factorial",
                subscription=str(to_api_id(subscription.id)),
                event=subscription.type,
                url=subscription.url,
                subjects=tuple(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row),
                plan=PLAN,
                make_content=lambda _: content,
                is_wanted=lambda: subscription.enabled and subscription.id in self.company.subscriptions,
                on_try=disable_after_last_try,
            )
        )
