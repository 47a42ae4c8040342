"""Checks the subscriptions at the vendors, and whether events arrive."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hr_webhooks.errors import WebhookError
from hr_webhooks.subscriptions.check import (
    Finding,
    check_arrivals,
    check_log,
    check_secrets,
    check_subscriptions,
    enable,
)
from hr_webhooks.subscriptions.cornerstone import KEPT_FOR
from hr_webhooks.subscriptions.targets import (
    add_target_arguments,
    find_targets,
    open_journal,
    open_subscriptions,
    reported_errors,
    run_for_each,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--enable", action="store_true", help="switch on what is switched off, and change nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Prints a line per finding. Returns 1 if something needs to be done, else 0."""
    found: list[dict[str, Any]] = []

    def check(target: Target) -> Iterator[str]:
        for finding in _find(target, arguments):
            found.append({"tenant": target.tenant, "vendor": target.vendor, **finding._asdict()})
            if not arguments.json:
                yield f"{'ACTION: ' if finding.needs_action else ''}{finding.text}"

    run_for_each(find_targets(arguments), check)
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return int(any(finding["needs_action"] for finding in found))


def _find(target: Target, arguments: argparse.Namespace) -> Iterator[Finding]:
    try:
        with reported_errors():
            yield from check_arrivals(target)
            if target.vendor == "cornerstone":
                yield from check_secrets(target, KEPT_FOR)
                return
            target.check_public_url()
            subscriptions = open_subscriptions(target, arguments.tap_config)
            if arguments.enable:
                enable(subscriptions)
            existing = subscriptions.read()
            yield from check_subscriptions(subscriptions, existing)
            yield from check_secrets(target, subscriptions.kept_for)
            yield from check_log(subscriptions, open_journal(target.config), existing)
    except WebhookError as error:
        yield Finding(str(error))
