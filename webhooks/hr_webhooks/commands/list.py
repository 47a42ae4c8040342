"""Lists the subscriptions at the vendors."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hr_webhooks.subscriptions.targets import add_target_arguments, find_targets, open_subscriptions, run_for_each

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hr_webhooks.subscriptions.base import Target
    from hr_webhooks.subscriptions.model import Subscription


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add_target_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Prints a line per subscription, without its secret and without the code of its address."""
    found: list[dict[str, Any]] = []

    def list_lines(target: Target) -> Iterator[str]:
        if target.vendor == "cornerstone":
            if not arguments.json:
                yield "has no API for webhooks; they are in Admin > Tools > Edge > Webhooks"
            return
        for row in open_subscriptions(target, arguments.tap_config).read():
            shown = describe(row)
            found.append({"tenant": target.tenant, "vendor": target.vendor, **shown})
            if not arguments.json:
                what = row.type or f"{len(row.events)} events"
                whose = "ours" if row.is_own else "of another program"
                yield f"{row.id}\t{'on' if row.is_enabled else 'OFF'}\t{what}\t{row.host}\t{whose}"

    code = run_for_each(find_targets(arguments), list_lines)
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return code


def describe(row: Subscription) -> dict[str, Any]:
    """Returns what may be shown of a subscription: addresses and secrets may not."""
    return {
        "id": row.id,
        "type": row.type,
        "events": sorted(row.events),
        "host": row.host,
        "is_enabled": row.is_enabled,
        "is_own": row.is_own,
        "api_version": row.version,
    }
