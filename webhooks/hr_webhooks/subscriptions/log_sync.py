"""Personio's log of events, for what its pushes have missed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec
from singer_rest import SingleSlice
from tap_personio.streams.webhooks import WebhookActivity, WebhookEvents

from hr_webhooks.entries import make_entry
from hr_webhooks.events import read_events
from hr_webhooks.events.values import hashed
from hr_webhooks.private_files import write_private
from hr_webhooks.subscriptions.personio import READ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest import Record
    from tap_personio.client import PersonioStream

    from hr_webhooks.entries import Entry
    from hr_webhooks.journal import Journal
    from hr_webhooks.subscriptions.personio import PersonioSubscriptions

LOGGED = timedelta(days=30)
"""How long Personio keeps the log."""
OVERLAP = timedelta(hours=1)
"""How much is compared again, because an event may appear in the log late, and clocks differ."""
BATCH = 1000
ENVELOPES = ("event", "payload", "data", "body")
"""Members of a row that may hold the event as it was pushed. The vendor does not document the rows."""


class Missed(NamedTuple):
    """The events of the log that the journal lacks.

    Attributes:
        entries: Their entries, the oldest first, without positions.
        logged: The number of events in the log since the last sync.
        state: What the next sync starts from.
    """

    entries: list[Entry]
    logged: int
    state: dict[str, Any]


class LogSync:
    """Writes the events that are in the log of a webhook, but not in the journal, to the journal.

    Args:
        subscriptions: The tenant's webhooks.
        journal: The journal.
        webhook: The id of the webhook.
    """

    def __init__(self, subscriptions: PersonioSubscriptions, journal: Journal, webhook: str) -> None:
        self._subscriptions = subscriptions
        self._journal = journal
        self._webhook = webhook
        self._tenant = subscriptions.target.tenant
        self._path = journal.folder / f"personio-log-{self._tenant}.json"

    def find_missed(self, since: datetime | None = None, until: datetime | None = None) -> Missed:
        """Compares the log with the journal.

        Args:
            since: The time from which to compare; by default that of the last sync, else as long as the log goes back.
            until: The time from which on events are left out, because they may be under way.

        Raises:
            TapError: If the log cannot be read.
        """
        state = self._read_state()
        start = since or _parse_time(state.get("until"), -OVERLAP) or datetime.now(UTC) - LOGGED
        known = self._known_since(start) | set(state.get("keys", ()))
        last = _format(until) if until else "9"
        missed = []
        times: dict[str, str] = {}
        rows = self._read_log(WebhookEvents, {"occurred_at.gte": _format(start)})
        for row in rows:
            body = msgspec.json.encode(as_pushed(row))
            entry = make_entry(body, tenant=self._tenant, vendor="personio", source="log")
            keys, happened_at = _keys_of(entry)
            times |= dict.fromkeys(keys, happened_at)
            if keys and known.isdisjoint(keys) and happened_at < last:
                missed.append((happened_at, entry))
                known |= keys
        missed.sort(key=lambda pair: pair[0])
        newest = max(times.values(), default="") or state.get("until")
        overlap = f"{_parse_time(newest, -OVERLAP):%Y-%m-%dT%H:%M:%S}" if newest else ""
        # The journal may be cut before the next sync.
        kept = sorted(key for key, at in times.items() if not at or at >= overlap)
        return Missed(
            [entry for _, entry in missed], len(rows), {"webhook": self._webhook, "until": newest, "keys": kept}
        )

    def run(self, since: datetime | None = None) -> Missed:
        """Writes the missed events to the journal.

        Raises:
            TapError: If the log cannot be read.
            OSError: If the journal cannot be written. What was written is not missed any more.
        """
        missed = self.find_missed(since)
        for start in range(0, len(missed.entries), BATCH):
            self._journal.append(missed.entries[start : start + BATCH])
        write_private(self._path, json.dumps(missed.state) + "\n")
        return missed

    def count_failed_deliveries(self, since: datetime) -> int:
        """Returns how many requests to our address failed, those included that were repeated with success.

        Raises:
            TapError: If Personio does not say.
        """
        rows = self._read_log(WebhookActivity, {"completed_at.gte": _format(since), "is_delivered": "false"})
        return sum(row.get("is_delivered") in {False, "false", None} for row in rows)

    def _read_log(self, stream: type[PersonioStream], params: Mapping[str, str]) -> list[Record]:
        path = stream.path.replace("{webhook_id}", quote(self._webhook, safe=""))
        attributes: dict[str, Any] = {"path": path, "params": params, "slices": SingleSlice(), "changed_since": None}
        of_webhook = type(stream.__name__, (stream,), {**attributes, "replication_key": None})
        tap = self._subscriptions.api.tap
        return self._subscriptions.api.read(of_webhook(tap), READ)

    def _read_state(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("webhook") == self._webhook else {}

    def _known_since(self, start: datetime) -> set[str]:
        earliest = _format(start - OVERLAP)
        known: set[str] = set()
        for entry in self._journal.read(0):
            if (entry.vendor, entry.tenant) == ("personio", self._tenant) and entry.received >= earliest:
                known |= _keys_of(entry)[0]
        return known


def as_pushed(row: Record) -> dict[str, Any]:
    """Returns a row of the log in the form of a pushed event. All other members stay as they are."""
    inner: dict[str, Any] = next(
        (row[name] for name in ENVELOPES if isinstance(row.get(name), dict) and "event_name" in row[name]), {}
    )
    found = {**row, **inner}
    payload = found.get("payload") if inner or "payload" in row else found.pop("data", None)
    family = str(found.get("event_name") or "").partition(".")[0].replace("-", "_")
    if isinstance(payload, dict) and set(payload) == {"id"} and family:
        payload = {family: payload}  # the log names the record's id only
    return {**found, "payload": payload}


def _keys_of(entry: Entry) -> tuple[set[str], str]:
    """Returns what tells whether two entries are of the same event, none of a ping, and when the event happened.

    One equal key means that it is the same: a push and the log may differ in the members beside the record's id, and in
    fractions of a second.
    """
    keys: set[str] = set()
    happened_at = ""
    for event in read_events(entry):
        keys.add(event.id)
        happened_at = event.happened_at or ""
        if event.type and happened_at and event.subject_id:
            keys.add(hashed(event.type, happened_at[:19], event.subject_id))
    return keys, happened_at


def _format(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _parse_time(text: object, plus: timedelta) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) + plus
    except ValueError:
        return None
