"""Runs a pipeline whenever events arrive."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from hr_webhooks.commands.numbers import number_of
from hr_webhooks.config import load_config
from hr_webhooks.errors import WebhookError
from hr_webhooks.follow.follower import Follower, Pace
from hr_webhooks.follow.progress import FOLDER, load_progress
from hr_webhooks.follow.runner import Command, Runner, Stop, fill, try_lock
from hr_webhooks.follow.target import Options, Target
from hr_webhooks.journal import Journal
from hr_webhooks.private_files import PRIVATE_FILE, PRIVATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hr_webhooks.config import Config

PREFIX = "TAP_{VENDOR}"
HOUR = 3600
_SECONDS = number_of("seconds", 24 * HOUR)
_NAME = re.compile(r"[A-Za-z0-9_-]+")  # part of a file's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add = parser.add_argument
    add("--run", required=True, metavar="COMMAND", help="the pipeline, which may name {vendor} and {tenant}")
    add("--then", metavar="COMMAND", help="a command to run after it, such as one that loads the events themselves")
    add("--vendor", action="append", help="only this vendor; may be repeated")
    add("--tenant", action="append", help="only this tenant; may be repeated")
    add("--once", action="store_true", help="do what is due, and end")
    add("--quiet-for", type=_SECONDS, default=2.0, metavar="SECONDS", help="run after so long without an event (2)")
    add("--max-wait", type=_SECONDS, default=10.0, metavar="SECONDS", help="or so long after the first one (10)")
    add("--max-ids", type=int, default=1000, metavar="N", help="read everything if more records have changed (1000)")
    add(
        "--sync-every",
        type=number_of("hours", 24 * 365),
        default=6.0,
        metavar="HOURS",
        help="read everything this often; 0: never (6)",
    )
    add(
        "--changes-every",
        type=_SECONDS,
        default=60.0,
        metavar="SECONDS",
        help="read streams that have no records by id at most this often (60)",
    )
    add(
        "--env-prefix",
        default=PREFIX,
        metavar="PREFIX",
        help="the variables of the tap, if the pipeline names it otherwise, such as TAP_PERSONIO__{TENANT}",
    )
    add(
        "--parallel",
        action="store_true",
        help="do not wait for runs of other followers, because they load other databases",
    )
    add("--name", type=_name, default="follow", help="the name of the position file, for several pipelines (follow)")


def run(arguments: argparse.Namespace) -> int:
    """Follows the journal until it is stopped, or does once what is due."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    config = load_config(arguments.config)
    journal = Journal(config.journal_path)
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.request())
    folder = config.journal_path / FOLDER
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    with ExitStack() as stack:
        pace = Pace(arguments.quiet_for, arguments.max_wait)
        chosen = [arguments.name, *sorted(arguments.tenant or ["all"]), *sorted(arguments.vendor or ["all"])]
        runner = Runner(folder, stop, ".".join(["run", *chosen]) if arguments.parallel else "run")
        targets = _make_targets(arguments, config, folder, runner, stack)
        then = partial(runner.run, Command(arguments.then).words) if arguments.then else None
        follower = Follower(journal, targets, then, pace, stop)
        if arguments.once:
            return 0 if follower.follow_once() else 1
        follower.follow()
    return 0


def _make_targets(
    arguments: argparse.Namespace, config: Config, folder: Path, runner: Runner, stack: ExitStack
) -> list[Target]:
    command = Command(arguments.run)
    pairs = _choose_pairs(config, arguments.tenant, arguments.vendor)
    for position, kind in enumerate(("tenant", "vendor")):
        chosen = {pair[position] for pair in pairs}
        if len(chosen) > 1 and not command.names(kind):
            raise WebhookError(
                f"There are several {kind}s: {', '.join(sorted(chosen))}. Write {{{kind}}} where the command names the "
                f"{kind}, or choose one with --{kind}."
            )
    options = Options(arguments.max_ids, arguments.sync_every * HOUR, arguments.changes_every)
    if options.max_ids < 1:
        raise WebhookError("--max-ids must be at least 1.")
    targets = []
    for tenant, vendor in pairs:
        names = {"tenant": tenant, "vendor": vendor, "TENANT": tenant.upper(), "VENDOR": vendor.upper()}
        prefix = fill(arguments.env_prefix, names).replace("-", "_")
        run_tap = partial(runner.run_tap, command.make_words(names), prefix)
        path = folder / f"{arguments.name}.{tenant}.{vendor}.json"
        _lock_position(path, stack)
        targets.append(Target(tenant, vendor, path, run_tap, options, load_progress(path)))
    return targets


def _choose_pairs(
    config: Config, tenants: Sequence[str] | None, vendors: Sequence[str] | None
) -> list[tuple[str, str]]:
    found = config.pairs()
    for kind, position, given in (("tenant", 0, tenants), ("vendor", 1, vendors)):
        known = sorted({pair[position] for pair in found})
        for name in given or ():
            if name not in known:
                raise WebhookError(f"The configuration has no {kind} {name}. It has: {', '.join(known)}.")
        found = [pair for pair in found if given is None or pair[position] in given]
    if not found:
        raise WebhookError("The configuration has no such vendor of such a tenant.")
    return found


def _lock_position(path: Path, stack: ExitStack) -> None:
    """Locks a position file until this process ends."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    stack.callback(os.close, descriptor)
    if not try_lock(descriptor):
        raise WebhookError(f"Another process follows {path.stem}. Stop it, or choose another --name.")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("expected letters, digits, - and _ only")
    return text
