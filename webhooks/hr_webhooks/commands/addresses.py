"""Prints the URLs that the vendors must call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hr_webhooks.addresses import list_addresses, make_url, read_address_keys
from hr_webhooks.config import load_config
from hr_webhooks.errors import ConfigError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    parser.add_argument("--tenant", help="only those of this tenant")


def run(arguments: argparse.Namespace) -> int:
    """Prints a line per address: tenant, vendor, type of the event or `-`, URL."""
    config = load_config(arguments.config)
    if arguments.tenant is not None and arguments.tenant not in config.tenants:
        raise ConfigError(f"The configuration has no tenant {arguments.tenant}. It has: {', '.join(config.tenants)}.")
    key = read_address_keys(config.address_key_path)[0]
    for address in list_addresses(config):
        if arguments.tenant in (None, address.tenant):
            url = make_url(config.public_url, key, address)
            sys.stdout.write(f"{address.tenant}\t{address.vendor}\t{address.type or '-'}\t{url}\n")
    return 0
