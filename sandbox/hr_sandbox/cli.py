"""The command `hr-sandbox`."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hr_sandbox.app import make_app
from hr_sandbox.http.server import Server
from hr_sandbox.options import OptionError, Options
from hr_sandbox.replay import make_replay, read_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_PORT = 8765
USAGE_ERROR = 2


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"hr-sandbox: {message.rstrip('.')}.\n")


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2024-01-31") from error


def _make_parser() -> argparse.ArgumentParser:
    defaults = Options()
    parser = _Parser(prog="hr-sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    serve = commands.add_parser(
        "serve",
        help="serve the vendors' APIs over one generated company",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = serve.add_argument
    add("--port", type=int, default=DEFAULT_PORT, help="the port; 0 selects a free one")
    add("--host", default=defaults.host, help="the address to listen on")
    add(
        "--allow-remote",
        action="store_true",
        help="allow a --host that other machines can reach, and webhooks on other machines",
    )
    add("--http-webhooks", action="store_true", help="let webhooks have http addresses of this machine")
    add("--replay", type=Path, metavar="DIR", help="serve a recording of a tap instead of a company")
    add("--employees", type=int, default=defaults.employees, help="number of people, including former ones")
    add("--seed", type=int, default=defaults.seed, help="the seed of the generated company")
    add("--today", type=_parse_date, default=defaults.today, help="the date that its dates are relative to")
    add("--latency-ms", type=float, default=defaults.latency_ms, help="delay of every response")
    add("--requests-per-minute", type=int, help="one limit instead of the vendors' own limits")
    add("--token-ttl", type=float, default=defaults.token_ttl, help="lifetime of tokens in seconds")
    add("--fault-rate", type=float, default=defaults.fault_rate, help="share of requests that fail")
    add("--client-id", default=defaults.client_id, help="the credential's id")
    add("--client-secret", default=defaults.client_secret, help="the credential's secret")
    add("--api-key", default=defaults.api_key, help="the API key, for vendors that support one")
    return parser


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = _make_parser()
    values = vars(parser.parse_args(arguments))
    values.pop("command")
    folder = values.pop("replay")
    try:
        options = Options(**values)
        about = f"(employees {options.employees}, seed {options.seed})"
        if folder:
            app, about = make_replay(recording := read_recording(folder)), f"(replaying {recording.tap})"
        else:
            app = make_app(options)
        server = Server(app, options, lambda url: _print_line(f"hr-sandbox ready at {url} {about}"))
    except OptionError as error:
        parser.error(str(error))
    try:
        server.serve_until_signal()
    except KeyboardInterrupt:
        sys.exit(0)
