"""Creates or repairs the subscriptions at the vendors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from singer_rest import TapError

from hr_webhooks.commands.numbers import number_of
from hr_webhooks.subscriptions.cornerstone import describe_steps
from hr_webhooks.subscriptions.targets import (
    add_target_arguments,
    find_targets,
    open_journal,
    open_subscriptions,
    run_for_each,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Subscriptions, Target

SECONDS = 60
MAX_SECONDS = 3600
LOOK_SECONDS = 1.0
PAUSE_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--take-over", action="store_true", help="also change subscriptions that send to another host")
    parser.add_argument(
        "--wait",
        type=number_of("seconds", MAX_SECONDS),
        default=SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for the vendor's test event; 0 asks for none (default: {SECONDS})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subscribes for each vendor, and has a test event sent."""

    def subscribe(target: Target) -> Iterator[str]:
        if target.vendor == "cornerstone":
            yield describe_steps(target)
            return
        target.check_public_url()
        subscriptions = open_subscriptions(target, arguments.tap_config)
        existing = subscriptions.read()  # before a secret is made: the permission may be missing
        if target.secrets.create():
            yield "made a secret"
        failed = []
        for wanted in subscriptions.wanted():
            name = wanted.type or f"webhook for {len(wanted.events)} events"
            try:
                yield f"{name}: {subscriptions.ensure(wanted, existing, take_over=arguments.take_over)}"
            except TapError as error:
                failed.append(name)
                yield f"{name}: {error}"
        if failed:
            raise TapError(f"{len(failed)} of {len(subscriptions.wanted())} subscriptions could not be set up.")
        if arguments.wait > 0:
            yield _test(subscriptions, arguments.wait)

    return run_for_each(find_targets(arguments), subscribe)


def _test(subscriptions: Subscriptions, seconds: float) -> str:
    target = subscriptions.target
    journal = open_journal(target.config)
    before = target.heard(), journal.last_position() if journal else 0
    if sentence := subscriptions.send_test():
        return sentence
    if journal is None:
        return "a test event was sent; the journal is not on this machine, so look there whether it has arrived"
    started = time.monotonic()
    while (left := started + seconds - time.monotonic()) > 0:
        journal.wait(before[1], min(left, LOOK_SECONDS))
        entries = journal.read(before[1])
        # An empty one is not in the journal.
        if target.heard() != before[0] or any(
            (row.tenant, row.vendor) == (target.tenant, target.vendor) for row in entries
        ):
            return f"the test event has arrived, after {time.monotonic() - started:.1f} s"
        time.sleep(min(left, PAUSE_SECONDS))
    raise TapError(
        f"No test event has arrived within {seconds:g} s. Check that `hr-webhooks serve` runs with this configuration, "
        "that the internet reaches it at `public_url`, and that its certificate is valid."
    )
