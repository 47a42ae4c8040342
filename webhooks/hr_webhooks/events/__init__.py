"""The events in the requests of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_webhooks.events import cornerstone, factorial, personio
from hr_webhooks.events.event import Event
from hr_webhooks.events.values import UnreadableError, hashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_webhooks.journal import Entry

__all__ = ["Event", "read_events"]

READERS: dict[str, Callable[[Entry, str], Iterator[Event]]] = {
    "personio": personio.read_events,
    "factorial": factorial.read_events,
    "cornerstone": cornerstone.read_events,
}


def read_events(entry: Entry) -> list[Event]:
    """Returns the events of a request.

    An unreadable body is one event without type, with the body as text: it must not stop the others. Pings, heartbeats
    and empty bodies, which verify an address, are none.

    Args:
        entry: A request of the journal.
    """
    text = entry.body
    if text is None:
        text = entry.read_body().decode(errors="backslashreplace")
    if not text.strip():
        return []
    try:
        return list(READERS[entry.vendor](entry, text))
    except (UnreadableError, UnicodeEncodeError):
        return [Event(id=hashed(entry.tenant, entry.type, text), type=entry.type, text=text)]
