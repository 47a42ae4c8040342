"""Webhook subscriptions of Factorial: one for each type of event and company."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import RateLimit, RateLimiter, Reply, TapError
from tap_factorial.versions import TEXT_IDS
from typing_extensions import override

from hr_webhooks.config import FactorialConfig
from hr_webhooks.subscriptions.base import Part, Subscriptions
from hr_webhooks.subscriptions.model import Subscription, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST = "api_public_webhook_subscriptions"
CREATIONS = RateLimit(180, 60, burst=20)
"""Factorial accepts 200 a minute. With the burst, no minute has more."""
PARTS = {"secret": {"challenge"}, "status": {"enabled"}}


def limit_creations() -> RateLimiter:
    """Returns a limiter for requests that create subscriptions."""
    return RateLimiter({"": CREATIONS})


class FactorialSubscriptions(Subscriptions):
    """The subscriptions of a tenant at Factorial."""

    kept_for = timedelta(hours=48)
    one_per_type = True
    permission: ClassVar[str] = (
        "The credential may not change webhook subscriptions. Use an API key, or log in as an administrator with an "
        "OAuth application. Without it, schedule runs of tap-factorial, which read what changed."
    )

    @override
    def wanted(self) -> list[Wanted]:
        settings, secret = self.target.settings, self.target.secrets.newest()
        types = settings.types if isinstance(settings, FactorialConfig) else ()
        return [
            Wanted(name, self.target.make_url(name), secret, version=self._version) for name in dict.fromkeys(types)
        ]

    @override
    def read(self) -> list[Subscription]:
        tap = self.api.tap
        stream = next(stream for stream in tap.stream_types if stream.name == LIST)
        rows = self.api.read(stream(tap), self.permission)
        return [self._parse(row) for row in rows if str(row.get("company_id") or self._company) == self._company]

    @override
    def create(self, wanted: Wanted) -> None:
        def find() -> Subscription | None:
            existing = self.read()
            return next(iter(self.find_own(wanted, existing) or self.find_others(wanted, existing)), None)

        body = self._make_body(wanted)
        body |= {"subscription_type": wanted.type, "company_id": self._make_id(self._company)}
        made = self.api.create(self._path, body, self.permission, find)
        if isinstance(made, Reply) and made.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            made = find() or made
        if isinstance(made, Reply):
            _check(made, wanted)
        elif not made.is_own:
            raise TapError(f"Another program has subscribed to {wanted.type} meanwhile. Run the command again.")
        elif made.differences(wanted):
            self.change(made, wanted)

    @override
    def change(self, subscription: Subscription, wanted: Wanted, part: Part = "all") -> None:
        body = self._make_body(wanted)
        fields = PARTS.get(part, body.keys())
        body = {"id": subscription.id, **{name: body[name] for name in body if name in fields}}
        _check(self.api.send("PUT", f"{self._path}/{subscription.id}", body, self.permission), wanted)

    @override
    def delete(self, subscription: Subscription) -> None:
        reply = self.api.send("DELETE", f"{self._path}/{subscription.id}", None, self.permission)
        if reply.status >= HTTPStatus.BAD_REQUEST and reply.status != HTTPStatus.NOT_FOUND:
            raise TapError(f"Factorial does not delete the subscription (status {reply.status}).")

    @override
    def send_test(self) -> str | None:
        return "Factorial has no test event: the next change of a kind that is subscribed to will be the first."

    @property
    def _version(self) -> str:
        return str(self.api.tap.config["api_version"])

    @property
    def _path(self) -> str:
        return f"/api/{self._version}/resources/api_public/webhook_subscriptions"

    @cached_property
    def _company(self) -> str:
        company = self.api.tap.account_id()
        if company is None:
            raise TapError("Factorial does not say which company the credential belongs to. Check the credential.")
        return company

    def _make_id(self, value: str) -> str | int:
        return int(value) if self._version < TEXT_IDS and value.isdecimal() else value

    def _make_body(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "name": f"{self.target.label}: {wanted.type}",
            "target_url": wanted.url,
            "challenge": wanted.secret,
            "enabled": True,
            "api_version": wanted.version,
        }

    def _parse(self, row: Mapping[str, Any]) -> Subscription:
        kind, url, secret = row.get("type") or row.get("subscription_type"), str(row.get("target_url") or ""), None
        if isinstance(row.get("challenge"), str) and "*" not in row["challenge"]:  # asterisks hide it; ours has none
            secret = row["challenge"]
        return Subscription(
            id=row.get("id") or "",
            type=kind,
            url=url,
            is_enabled=row.get("enabled") is not False,
            secret=secret,
            is_own=bool(kind) and self.target.owns(url, kind),
            version=row.get("api_version"),
        )


def _check(reply: Reply, wanted: Wanted) -> None:
    if reply.status >= HTTPStatus.BAD_REQUEST:
        raise TapError(
            f"Factorial refuses the subscription to {wanted.type} (status {reply.status}). Check that the type exists "
            f"in version {wanted.version} of its API, and that `public_url` is a public https:// address."
        )
