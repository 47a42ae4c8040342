"""Deletes our subscriptions at the vendors, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_webhooks.subscriptions.targets import add_target_arguments, find_targets, open_subscriptions, run_for_each

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--surplus", action="store_true", help="only those of types that are not configured any more")


def run(arguments: argparse.Namespace) -> int:
    """Deletes the subscriptions whose address is one of ours."""

    def unsubscribe(target: Target) -> Iterator[str]:
        if target.vendor == "cornerstone":
            yield "stop and delete the webhooks in Admin > Tools > Edge > Webhooks, then their endpoint"
            return
        subscriptions = open_subscriptions(target, arguments.tap_config)
        kept = {wanted.type for wanted in subscriptions.wanted()} if arguments.surplus else set()
        existing = subscriptions.read()
        deleted = [row for row in existing if row.is_own and not (arguments.surplus and row.type in kept)]
        for row in deleted:
            subscriptions.delete(row)
        yield f"{len(deleted)} subscriptions deleted, {len(existing) - len(deleted)} kept"

    return run_for_each(find_targets(arguments), unsubscribe)
