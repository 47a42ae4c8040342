"""Replaces the secrets that the vendors send along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from singer_rest import TapError

from hr_webhooks.subscriptions import cornerstone
from hr_webhooks.subscriptions.targets import add_target_arguments, find_targets, open_subscriptions, run_for_each

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Subscriptions, Target
    from hr_webhooks.subscriptions.model import Subscription, Wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--finish", action="store_true", help="remove the former secret")
    parser.add_argument("--now", action="store_true", help="with --finish: even if requests with it may still come")


def run(arguments: argparse.Namespace) -> int:
    """Makes a new secret and gives it to the vendor, or removes the former one."""

    def rotate(target: Target) -> Iterator[str]:
        is_api = target.vendor != "cornerstone"
        if not is_api and not arguments.finish:
            yield cornerstone.describe_rotation(target)
            return
        subscriptions = open_subscriptions(target, arguments.tap_config) if is_api else None
        if arguments.finish:
            yield _finish(target, subscriptions, is_forced=arguments.now)
        elif subscriptions:
            yield _rotate(subscriptions)

    return run_for_each(find_targets(arguments), rotate)


def _rotate(subscriptions: Subscriptions) -> str:
    target, own = subscriptions.target, _find_own(subscriptions)
    if not own:
        raise TapError("There is no subscription of ours. Create it: hr-webhooks subscribe")
    if len(target.secrets.read()) == 1:
        target.secrets.rotate()  # both are valid from here on, whether the vendor is reached or not
        own = _find_own(subscriptions)
    elif all(row.sends(wanted.secret) for row, wanted in own):
        raise TapError("The former secret is still there. Remove it first: hr-webhooks rotate --finish")
    for row, wanted in own:
        if row.sends(wanted.secret) is not True:
            subscriptions.change(row, wanted, "secret")
    until = datetime.now(UTC) + subscriptions.kept_for
    senders = "the subscription sends" if len(own) == 1 else f"{len(own)} subscriptions send"
    return (
        f"{senders} the new secret. The former one must stay valid until {until:%Y-%m-%d %H:%M} "
        "UTC, because requests are repeated; then: hr-webhooks rotate --finish"
    )


def _find_own(subscriptions: Subscriptions) -> list[tuple[Subscription, Wanted]]:
    existing = subscriptions.read()
    return [(row, wanted) for wanted in subscriptions.wanted() for row in subscriptions.find_own(wanted, existing)]


def _finish(target: Target, subscriptions: Subscriptions | None, *, is_forced: bool) -> str:
    if len(target.secrets.read()) == 1:
        return "there is no former secret"
    own = _find_own(subscriptions) if subscriptions else []
    if any(row.sends(wanted.secret) is False for row, wanted in own):
        raise TapError("The vendor still sends the former secret. Run `hr-webhooks rotate` again.")
    kept_for = subscriptions.kept_for if subscriptions else cornerstone.KEPT_FOR
    left = kept_for.total_seconds() - target.secrets.seconds_since_rotation()
    if left > 0 and not is_forced:
        until = datetime.now(UTC) + timedelta(seconds=left)
        raise TapError(
            f"The vendor may repeat requests with the former secret until {until:%Y-%m-%d %H:%M} UTC. Wait, or use "
            "--now if the secret has leaked."
        )
    target.secrets.drop_former()
    return "the former secret is removed"
