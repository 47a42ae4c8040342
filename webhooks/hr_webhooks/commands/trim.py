"""Removes what all readers have finished from the journal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hr_webhooks.commands.numbers import number_of
from hr_webhooks.config import load_config
from hr_webhooks.errors import WebhookError
from hr_webhooks.journal import Journal
from hr_webhooks.trimming import find_cut, keep_days, read_positions, read_state_positions

if TYPE_CHECKING:
    import argparse

    from hr_webhooks.config import Config

KEPT_DAYS = 7
MAX_DAYS = 3650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add = parser.add_argument
    add(
        "--state",
        nargs="+",
        default=[],
        metavar="FILE",
        help="committed states of tap-hr-webhooks, as `target-duckdb --committed-state` or `meltano state get` prints "
        "them; - is the standard input. The positions of `follow` are known",
    )
    add("--until", type=int, metavar="POSITION", help="remove what is at or before a position, whoever needs it")
    add(
        "--keep-days",
        type=number_of("days", MAX_DAYS),
        default=KEPT_DAYS,
        metavar="DAYS",
        help=f"keep what is younger (default: {KEPT_DAYS})",
    )
    add("--dry-run", action="store_true", help="only print what would be removed")


def run(arguments: argparse.Namespace) -> int:
    """Removes whole files of the journal, and prints how many."""
    config = load_config(arguments.config)
    journal = Journal(config.journal_path)
    until = arguments.until if arguments.until is not None else _find_cut(arguments.state, config)
    if until > journal.last_position():
        raise WebhookError(f"The position {until} is not in this journal. Its last one is {journal.last_position()}.")
    until = keep_days(journal, until, arguments.keep_days)
    if arguments.dry_run:
        sys.stdout.write(f"not needed: up to position {until}; ")
    else:
        sys.stdout.write(f"{journal.cut(until)} files removed; ")
    sys.stdout.write(f"the journal begins with position {journal.first_position()}\n")
    return 0


def _find_cut(states: list[str], config: Config) -> int:
    positions = read_positions(config.journal_path)
    for name in states:
        positions += read_state_positions(_read_state(name), config)
    return find_cut(positions, config)


def _read_state(name: str) -> object:
    try:
        return json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise WebhookError(f"{name} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise WebhookError(f"{name} is not JSON. Write it with `target-duckdb --committed-state`.") from None
