"""Shows what the journal holds, and when something last came."""

from __future__ import annotations

import logging
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from hr_webhooks.addresses import list_addresses
from hr_webhooks.config import load_config
from hr_webhooks.heard import read_heard
from hr_webhooks.journal import Journal

if TYPE_CHECKING:
    import argparse

DAMAGED = 1  # exit code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    parser.add_argument("--verify", action="store_true", help="read every entry, and exit with 1 if one is damaged")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Prints positions, size and the times of the last events, heartbeats and verification requests."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    config = load_config(arguments.config)
    journal = Journal(config.journal_path)
    oldest = next(journal.read(journal.first_position() - 1, 1), None)
    last = journal.last_position()
    newest = next(journal.read(last - 1, 1), None) if oldest else None
    report: dict[str, Any] = {
        "journal": str(journal.folder),
        "first_position": journal.first_position(),
        "last_position": last,
        "oldest": oldest.received if oldest else None,
        "newest": newest.received if newest else None,
        "bytes": journal.size(),
        "free_bytes": shutil.disk_usage(journal.folder).free,
    }
    if arguments.verify:
        whole = Journal(config.journal_path)  # counts damaged lines anew
        report["entries"] = sum(1 for _ in whole.read(0))
        report["damaged"] = whole.damaged
    heard = read_heard(journal.folder)
    report["last"] = [
        {
            "tenant": address.tenant,
            "vendor": address.vendor,
            "type": address.type,
            **{kind: _format(time) for kind, time in heard.get(address.public_part, {}).items()},
        }
        for address in list_addresses(config)
    ]
    sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n" if arguments.json else _as_text(report))
    return DAMAGED if report.get("damaged") else 0


def _format(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _as_text(report: dict[str, Any]) -> str:
    addresses = report.pop("last")
    lines = [f"{name.replace('_', ' '):15}{'-' if value is None else value}" for name, value in report.items()]
    for entry in addresses:
        name = " ".join(filter(None, [entry.pop("tenant"), entry.pop("vendor"), entry.pop("type")]))
        times = ", ".join(f"{kind} {time}" for kind, time in sorted(entry.items())) or "nothing received yet"
        lines.append(f"{name}: {times}")
    return "".join(f"{line}\n" for line in lines)
