"""How far the journal may be cut: not beyond what every reader has finished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hr_webhooks.errors import WebhookError
from hr_webhooks.follow.progress import FOLDER, load_progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hr_webhooks.config import Config
    from hr_webhooks.journal import Journal

EVENTS = "_events"
POSITION = "position"


class ReadPosition(NamedTuple):
    """What a reader has finished.

    Args:
        tenant: The tenant.
        vendor: The vendor.
        position: The last entry that it does not need any more.
    """

    tenant: str
    vendor: str
    position: int


def read_positions(journal: Path) -> list[ReadPosition]:
    """Reads the positions of those that follow the journal.

    Args:
        journal: The folder of the journal.

    Raises:
        JournalError: If one cannot be read.
    """
    found = []
    for path in sorted((journal / FOLDER).glob("*.json")):
        _, _, names = path.stem.partition(".")
        tenant, _, vendor = names.partition(".")
        found.append(ReadPosition(tenant, vendor, load_progress(path).position))
    return found


def read_state_positions(state: object, config: Config) -> list[ReadPosition]:
    """Returns the positions in a committed state of tap-hr-webhooks.

    Args:
        state: The state, also as `meltano state get` prints it.
        config: The configuration, which names the tenants and vendors.

    Raises:
        WebhookError: If it is no such state.
    """
    if isinstance(state, dict):
        state = state.get("singer_state") or state.get("completed", {}).get("singer_state") or state
    bookmarks = state.get("bookmarks") if isinstance(state, dict) else None
    found = []
    for stream, bookmark in bookmarks.items() if isinstance(bookmarks, dict) else ():
        position = bookmark.get(POSITION) if isinstance(bookmark, dict) else None
        if stream.endswith(EVENTS) and isinstance(position, int):
            vendor = stream.removesuffix(EVENTS)
            found += [ReadPosition(tenant, name, position) for tenant, name in config.pairs() if name == vendor]
    if not found:
        raise WebhookError("The state has no position of tap-hr-webhooks. Pass one that the loader has committed.")
    return found


def find_cut(positions: Iterable[ReadPosition], config: Config) -> int:
    """Returns the last entry that nobody needs.

    Args:
        positions: What the readers have finished.
        config: The configuration, which names the tenants and vendors.

    Raises:
        WebhookError: If nobody has read the events of a vendor.
    """
    by_pair: dict[tuple[str, str], list[int]] = {}
    for tenant, vendor, position in positions:
        by_pair.setdefault((tenant, vendor), []).append(position)
    unread = [f"{vendor} of {tenant}" for tenant, vendor in config.pairs() if (tenant, vendor) not in by_pair]
    if unread:
        raise WebhookError(
            f"Nobody has read the events of {', '.join(unread)}. Follow them, or pass the loader's state with --state."
        )
    # Those of tenants that are not configured any more are readers, too.
    return min(position for found in by_pair.values() for position in found)


def keep_days(journal: Journal, until: int, days: float) -> int:
    """Returns the last entry up to a position that was received longer ago than some days."""
    limit = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%f}Z"
    last = journal.first_position() - 1
    for entry in journal.read(last):
        if entry.n > until or entry.received >= limit:
            break
        last = entry.n
    return min(last, until)
