"""The command `hr-webhooks`.

Each sub-command is a module of `hr_webhooks.commands`, which is only imported when it runs. It defines
`add_arguments(parser)` and `run(arguments)`, which returns the exit code. `--config` is added for all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hr_webhooks.errors import WebhookError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "init": "make a configuration, the key of the addresses, and secrets",
    "serve": "receive webhooks until SIGTERM",
    "addresses": "print the URLs that the vendors must call",
    "status": "show what the journal holds, and when something last came",
    "follow": "run a pipeline whenever events arrive",
    "trim": "remove what all readers have finished from the journal",
    "subscribe": "create or repair the subscriptions at the vendors",
    "list": "list the subscriptions at the vendors",
    "check": "check the subscriptions at the vendors, and whether events arrive",
    "rotate": "replace the secrets that the vendors send along",
    "unsubscribe": "delete our subscriptions at the vendors",
    "sync": "add what pushes have missed to the journal, from the vendor's log of events",
}
"""The help of each sub-command. The module has the same name, with underscores."""
CONFIG_VARIABLE = "HR_WEBHOOKS_CONFIG"
DEFAULT_CONFIG = "webhooks.yml"
FAILURE = 1
USAGE_ERROR = 2


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"hr-webhooks: {message.rstrip('.')}.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
        arguments: Those of the command line, by default of this process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(prog="hr-webhooks", description="Receives webhooks of HR vendors in a durable journal.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")
    module = None
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.add_argument(
            "--config",
            type=Path,
            default=Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG),
            metavar="FILE",
            help=f"the configuration (default: {CONFIG_VARIABLE}, or {DEFAULT_CONFIG})",
        )
        if given[:1] == [name]:
            module = import_module(f"hr_webhooks.commands.{name.replace('-', '_')}")
            module.add_arguments(command)
    parsed = parser.parse_args(given)
    assert module is not None  # noqa: S101 - the parser ends without a known command
    try:
        return int(module.run(parsed))
    except WebhookError as error:
        sys.stderr.write(f"hr-webhooks: {error}\n")
        return FAILURE
    except KeyboardInterrupt:
        return 130
