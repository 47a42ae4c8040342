"""Removes entries of the journal that were loaded."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hr_webhooks.config import load_config
from hr_webhooks.errors import WebhookError
from hr_webhooks.journal import Journal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_POSITION = "position"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    until = parser.add_mutually_exclusive_group(required=True)
    until.add_argument(
        "--state",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="remove what is before every position in these files: states of tap-hr-webhooks, as `meltano state get` "
        "prints them, and those of `follow`",
    )
    until.add_argument("--until", type=int, metavar="POSITION", help="remove what is at or before a position")
    parser.add_argument(
        "--keep-days", type=float, default=0.0, metavar="DAYS", help="keep what is younger (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Removes whole files of the journal, and prints how many."""
    journal = Journal(load_config(arguments.config).journal_path)
    until = arguments.until if arguments.state is None else min(map(_read_position, arguments.state))
    if until > journal.last_position():
        raise WebhookError(f"The position {until} is not in this journal. Its last one is {journal.last_position()}.")
    if arguments.keep_days > 0:
        until = min(until, _find_older(journal, until, arguments.keep_days))
    removed = journal.cut(until)
    sys.stdout.write(f"{removed} files removed; the journal begins with position {journal.first_position()}\n")
    return 0


def _read_position(path: Path) -> int:
    """Returns the lowest position in a state: what every reader has passed."""
    try:
        positions = list(_find_positions(msgspec.json.decode(path.read_bytes())))
    except OSError as error:
        raise WebhookError(f"{path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError:
        raise WebhookError(f"{path} is not JSON.") from None
    if not positions:
        raise WebhookError(f"{path} holds no position of a reader. Nothing was removed.")
    return min(positions)


def _find_positions(value: Any) -> Iterator[int]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        for name, member in value.items():
            if name == _POSITION and isinstance(member, int):
                yield member
            else:
                yield from _find_positions(member)
    elif isinstance(value, list):
        for member in value:
            yield from _find_positions(member)


def _find_older(journal: Journal, until: int, days: float) -> int:
    """Returns the last position before which everything is older than a number of days."""
    limit = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%f}Z"
    position = 0
    for entry in journal.read(0):
        if entry.n > until or entry.received >= limit:
            break
        position = entry.n
    return position
