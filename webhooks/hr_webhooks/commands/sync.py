"""Adds what pushes have missed to the journal, from the vendor's log of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from singer_rest import TapError

from hr_webhooks.commands.numbers import number_of
from hr_webhooks.journal import Journal
from hr_webhooks.subscriptions.targets import add_target_arguments, find_targets, open_subscriptions, run_for_each

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Target

DAYS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--webhook", metavar="ID", help="the webhook whose log is read (default: ours)")
    parser.add_argument(
        "--days",
        type=number_of("days", DAYS),
        help=f"how far to go back, at most {DAYS} days (default: to the last sync, the first time as far as possible)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compares the log with the journal, and adds what is missing."""

    def sync(target: Target) -> Iterator[str]:
        if target.vendor != "personio":
            yield (
                "has no log of events. A normal run of the tap reads what has changed since its last one; schedule it "
                "(hr-webhooks follow --sync-every), and a full refresh for deletions"
            )
            return
        from hr_webhooks.subscriptions.log_sync import LogSync  # noqa: PLC0415 - needs tap-personio
        from hr_webhooks.subscriptions.personio import PersonioSubscriptions  # noqa: PLC0415

        subscriptions = open_subscriptions(target, arguments.tap_config)
        assert isinstance(subscriptions, PersonioSubscriptions)  # noqa: S101 - by the vendor
        existing = subscriptions.read()
        webhook = arguments.webhook or next((str(row.id) for row in existing if row.is_own), None)
        if webhook is None:
            others = f" Or read the log of another one with --webhook: {', '.join(str(row.id) for row in existing)}."
            raise TapError(
                f"There is no webhook of ours. Create it: hr-webhooks subscribe.{others if existing else ''}"
            )
        since = datetime.now(UTC) - timedelta(days=arguments.days) if arguments.days is not None else None
        journal = Journal(target.config.journal_path, create=True)
        missed = LogSync(subscriptions, journal, webhook).run(since)
        yield f"{missed.logged} events in the log, {len(missed.entries)} of them added to the journal"

    return run_for_each(find_targets(arguments), sync)
