"""What is wrong with the subscriptions, and since when nothing has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from singer_rest import TapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hr_webhooks.journal import Journal
    from hr_webhooks.subscriptions.base import Subscriptions, Target
    from hr_webhooks.subscriptions.model import Subscription

HEARTBEAT_LIMIT = timedelta(minutes=15)
"""Cornerstone sends a heartbeat every five minutes."""
UNDER_WAY = timedelta(minutes=10)
"""How long an event may be under way before it counts as missing."""


class Finding(NamedTuple):
    """What `check` has found.

    Attributes:
        text: A sentence or two.
        needs_action: Whether somebody has to do something.
    """

    text: str
    needs_action: bool = True


def check_subscriptions(subscriptions: Subscriptions, existing: Sequence[Subscription]) -> Iterator[Finding]:
    """Yields what is wrong with the subscriptions at the vendor."""
    wanted_types = set()
    for wanted in subscriptions.wanted():
        wanted_types.add(wanted.type)
        what = f"The subscription to {wanted.type}" if wanted.type else "The webhook"
        own = subscriptions.find_own(wanted, existing)
        if others := [] if own else subscriptions.find_others(wanted, existing):
            yield Finding(f"{what} belongs to another program, which sends to {others[0].host}: see --take-over.")
        elif not own:
            yield Finding(f"{what} does not exist. Create it: hr-webhooks subscribe")
        elif differences := own[0].differences(wanted):
            option = " --take-over" if own[0].is_elsewhere(wanted) else ""
            yield Finding(f"{what}: {'; '.join(differences)}. Repair it: hr-webhooks subscribe{option}")
        if len(own) > 1:
            yield Finding(f"{what} exists {len(own)} times. Repair it: hr-webhooks subscribe")
    if left := sorted(row.type or str(row.id) for row in existing if row.is_own and row.type not in wanted_types):
        yield Finding(
            f"Not configured any more, and refused: {', '.join(left)}. Remove them: hr-webhooks unsubscribe --surplus"
        )


def enable(subscriptions: Subscriptions) -> None:
    """Switches on our subscriptions that are switched off.

    Raises:
        TapError: If the vendor refuses it.
    """
    wanted = {each.type: each for each in subscriptions.wanted()}
    for row in subscriptions.read():
        if row.is_own and not row.is_enabled and row.type in wanted:
            subscriptions.change(row, wanted[row.type], "status")


def check_secrets(target: Target, kept_for: timedelta) -> Iterator[Finding]:
    """Yields whether a rotation of the secret is still to be finished."""
    if len(target.secrets.read()) > 1:
        left = kept_for.total_seconds() - target.secrets.seconds_since_rotation()
        if left <= 0:
            yield Finding("The former secret is not needed any more. Remove it: hr-webhooks rotate --finish")
        else:
            until = datetime.now(UTC) + timedelta(seconds=left)
            yield Finding(f"The former secret must stay valid until {until:%Y-%m-%d %H:%M} UTC.", needs_action=False)


def check_arrivals(target: Target) -> Iterator[Finding]:
    """Yields since when nothing has come."""
    times = target.heard()
    if not target.config.journal_path.is_dir():
        yield Finding("The journal is not on this machine, so it is not known what has arrived.", needs_action=False)
    elif not times:
        yield Finding("Nothing has arrived yet.", needs_action=target.vendor == "cornerstone")
    if not times:
        return
    last = datetime.fromtimestamp(max(times.values()), UTC)
    text = f"The last request arrived at {last:%Y-%m-%d %H:%M:%S} UTC."
    if target.vendor == "cornerstone" and datetime.now(UTC) - last > HEARTBEAT_LIMIT:
        yield Finding(
            f"{text} Cornerstone sends a heartbeat every five minutes: look in Edge > Webhooks whether the webhook is "
            "started and its endpoint verified."
        )
    else:
        yield Finding(text, needs_action=False)


def check_log(
    subscriptions: Subscriptions, journal: Journal | None, existing: Sequence[Subscription]
) -> Iterator[Finding]:
    """Yields what Personio could not deliver."""
    from hr_webhooks.subscriptions.log_sync import LOGGED, LogSync  # noqa: PLC0415 - needs tap-personio
    from hr_webhooks.subscriptions.personio import PersonioSubscriptions  # noqa: PLC0415

    own = [row for row in existing if row.is_own]
    if not isinstance(subscriptions, PersonioSubscriptions) or not journal or not own:
        return
    sync = LogSync(subscriptions, journal, str(own[0].id))
    try:
        now = datetime.now(UTC)
        missed, failed = sync.find_missed(until=now - UNDER_WAY), sync.count_failed_deliveries(now - LOGGED)
    except TapError as error:
        yield Finding(str(error), needs_action=False)
        return
    if failed:
        yield Finding(f"{failed} requests of the last 30 days failed; most are repeated.", needs_action=False)
    if missed.entries:
        yield Finding(
            f"{len(missed.entries)} of {missed.logged} events in Personio's log are not in the journal. Add them: "
            "hr-webhooks sync"
        )
