"""Receives webhooks until SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec

from hr_webhooks.config import load_config
from hr_webhooks.errors import WebhookError
from hr_webhooks.server.logs import set_up_logging
from hr_webhooks.server.run import Service, raise_file_limit

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add = parser.add_argument
    add("--listen", metavar="HOST:PORT", help="instead of `server.listen`; port 0 selects a free one")
    add("--status-listen", metavar="HOST:PORT", help="instead of `server.status_listen`")
    add("--certificate", metavar="FILE", dest="certificate_file", help="instead of `server.certificate_file`")
    add("--key", metavar="FILE", dest="key_file", help="instead of `server.key_file`")
    add("--plain-http", action="store_true", default=None, help="as `server.plain_http`")
    add("--log-format", choices=["text", "json"], default="text", help="the lines on stderr (default: text)")
    add("--quiet", action="store_true", help="no lines for requests that were answered with 200")


def run(arguments: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT, and prints a line to stdout as soon as requests are answered."""
    config = load_config(arguments.config)
    names = ("listen", "status_listen", "certificate_file", "key_file", "plain_http")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    config.server = msgspec.structs.replace(config.server, **given)
    try:
        service = Service(arguments.config, config)
    except OSError as error:
        raise WebhookError(f"The journal in {config.journal_path} cannot be used: {error.strerror or error}.") from None

    def report() -> None:
        status = f", status at {service.status_url}" if service.status_url else ""
        sys.stdout.write(f"hr-webhooks ready at {service.url}{status}\n")
        sys.stdout.flush()

    set_up_logging(arguments.log_format, quiet=arguments.quiet)
    raise_file_limit()
    asyncio.run(service.run(report))
    return 0
