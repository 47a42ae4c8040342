"""Webhooks of Personio: one for many events."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import Reply, TapError
from tap_personio.streams.webhooks import Webhooks
from typing_extensions import override

from hr_webhooks.config import PersonioConfig
from hr_webhooks.subscriptions.api import parse_object
from hr_webhooks.subscriptions.base import Part, Subscriptions
from hr_webhooks.subscriptions.model import Subscription, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/v2/webhooks"
EVENTS = frozenset(
    {
        *(f"person.{change}" for change in ("created", "updated", "deleted")),
        *(f"employment.{change}" for change in ("created", "updated", "updated.cost-centers", "deleted")),
        *(f"employment.{change}" for change in ("started", "terminated")),
        *(f"absence-period.{change}" for change in ("created", "updated.status", "updated.timerange", "deleted")),
        *(f"attendance-period.{change}" for change in ("created", "updated", "deleted")),
        *(f"document.{change}" for change in ("created", "updated", "deleted", "signed")),
    }
)
READ = (
    "The credential has no permission to read webhooks (personio:webhooks:read). Add it in Personio: Settings, "
    "Integrations, API credentials. Until then, schedule runs of tap-personio instead."
)
PARTS = {"secret": {"auth_type", "token", "custom_headers"}, "status": {"status"}}


class PersonioSubscriptions(Subscriptions):
    """The webhook of a tenant at Personio."""

    kept_for = timedelta(days=6)  # documented are three days; an older page says six
    one_per_type = False
    permission: ClassVar[str] = (
        "The credential has no permission to change webhooks (personio:webhooks:write). Add it in Personio: Settings, "
        "Integrations, API credentials. Without it, `hr-webhooks sync` still reads the events of a webhook that exists."
    )

    @override
    def wanted(self) -> list[Wanted]:
        settings = self.target.settings
        events = settings.events if isinstance(settings, PersonioConfig) else ()
        return [Wanted(None, self.target.make_url(), self.target.secrets.newest(), frozenset(events) or EVENTS)]

    @override
    def read(self) -> list[Subscription]:
        return [self._parse(row) for row in self.api.read(Webhooks(self.api.tap), READ)]

    @override
    def create(self, wanted: Wanted) -> None:
        def find() -> Subscription | None:
            return next(iter(self.find_own(wanted, self.read())), None)

        made = self.api.create(PATH, self._make_body(wanted), self.permission, find)
        if isinstance(made, Reply) and made.status == HTTPStatus.CONFLICT:
            made = find() or made
        if isinstance(made, Reply):
            _check(made)
            key = parse_object(made).get("id")
            reply = self.api.send("GET", f"{PATH}/{key}", None, READ) if key else None
            found = parse_object(reply) if reply and reply.status == HTTPStatus.OK else {}
            subscription = self._parse(found) if found else find()
            if subscription is None:
                raise TapError("Personio confirms the webhook, but does not list it. Run the command again.")
            made = subscription
        if made.differences(wanted):  # a new one is switched off unless Personio accepts the status in the request
            self.change(made, wanted)

    @override
    def change(self, subscription: Subscription, wanted: Wanted, part: Part = "all") -> None:
        body = self._make_body(wanted)
        fields = PARTS.get(part, body.keys())
        path = f"{PATH}/{subscription.id}"
        _check(self.api.send("PATCH", path, {name: body[name] for name in body if name in fields}, self.permission))
        found = self._parse(parse_object(self.api.send("GET", path, None, READ)))
        if part != "secret" and not found.is_enabled:
            raise TapError("Personio leaves the webhook switched off. Switch it on there, or ask Personio's support.")

    @override
    def delete(self, subscription: Subscription) -> None:
        reply = self.api.send("DELETE", f"{PATH}/{subscription.id}", None, self.permission)
        if reply.status != HTTPStatus.NOT_FOUND:  # it is gone already
            _check(reply)

    @override
    def send_test(self) -> str | None:
        own = self.find_own(self.wanted()[0], self.read())
        reply = self.api.send("POST", f"{PATH}/{own[0].id}/ping", None, self.permission)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return f"Personio sent no test event (status {reply.status})."
        return None

    def _make_body(self, wanted: Wanted) -> dict[str, Any]:
        header = self.target.settings.header
        is_custom = header is not None and header.lower() != "authorization"
        return {
            "url": wanted.url,
            "description": self.target.label,
            "status": "ENABLED",
            "enabled_events": sorted(wanted.events),
            "auth_type": "CUSTOM" if is_custom else "TOKEN",
            **({"custom_headers": {header: wanted.secret}} if is_custom else {"token": wanted.secret}),
        }

    def _parse(self, row: Mapping[str, Any]) -> Subscription:
        url = str(row.get("url") or "")
        return Subscription(
            id=row.get("id") or "",
            type=None,
            url=url,
            is_enabled=str(row.get("status")).upper() == "ENABLED",
            secret=self._parse_secret(row),
            is_own=self.target.owns(url),
            events=frozenset(name for name in row.get("enabled_events") or () if isinstance(name, str)),
        )

    def _parse_secret(self, row: Mapping[str, Any]) -> str | None:
        header = (self.target.settings.header or "authorization").lower()
        if row.get("auth_type") == "CUSTOM" or header != "authorization":
            headers = row.get("custom_headers")
            shown = {k.lower(): v for k, v in headers.items()}.get(header, "") if isinstance(headers, dict) else None
        else:
            shown = row.get("token")
        return shown if isinstance(shown, str) and "*" not in shown else None  # asterisks hide it; ours has none


def _check(reply: Reply) -> None:
    if reply.status >= HTTPStatus.BAD_REQUEST:
        raise TapError(
            f"Personio refuses the webhook (status {reply.status}). Check `public_url`, which must be a public "
            "https:// address, and `events`."
        )
