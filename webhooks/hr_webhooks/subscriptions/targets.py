"""The command lines of the sub-commands that speak with the vendors."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from singer_rest import RunError, TapError
from singer_sdk.exceptions import ConfigValidationError

from hr_webhooks.addresses import read_address_keys
from hr_webhooks.config import VENDORS, load_config
from hr_webhooks.errors import ConfigError, WebhookError
from hr_webhooks.journal import Journal
from hr_webhooks.subscriptions.api import VendorApi, open_tap
from hr_webhooks.subscriptions.base import Target

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from hr_webhooks.config import Config
    from hr_webhooks.subscriptions.base import Subscriptions


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose tenants, vendors and credentials."""
    parser.add_argument("--tenant", help="only this tenant")
    parser.add_argument("--vendor", choices=VENDORS, help="only this vendor")
    parser.add_argument(
        "--tap-config",
        type=Path,
        metavar="FILE",
        help="a config file of the vendor's tap (default: `api` of the vendor in the configuration, else the "
        "environment, such as TAP_PERSONIO_CLIENT_ID)",
    )


def find_targets(arguments: argparse.Namespace) -> list[Target]:
    """Returns the vendors of the tenants that the command is for.

    Raises:
        ConfigError: If the configuration is not valid, or has no such tenant or vendor.
    """
    config = load_config(arguments.config)
    keys = read_address_keys(config.address_key_path)
    found = [
        Target(config, name, vendor, settings, keys)
        for name, tenant in config.tenants.items()
        for vendor, settings in tenant.vendors().items()
        if arguments.tenant in {None, name} and arguments.vendor in {None, vendor}
    ]
    if not found:
        raise ConfigError("The configuration has no such tenant, or not this vendor for it.")
    if arguments.tap_config and len(found) > 1:
        raise ConfigError("Name the --tenant and the --vendor that --tap-config is for.")
    return found


def open_subscriptions(target: Target, tap_config: Path | None) -> Subscriptions:
    """Returns the subscriptions of a tenant at Personio or Factorial.

    Raises:
        TapError: If the settings of the tap are missing.
        ConfigValidationError: As above.
    """
    given = {
        name: str(target.config.resolve(value)) if name.endswith("_file") else value
        for name, value in target.settings.api.items()
    }
    sharing = [name for name, tenant in target.config.tenants.items() if target.vendor in tenant.vendors()]
    if not given and not tap_config and len(sharing) > 1:
        raise RunError(
            f"Several tenants use {target.vendor}, so the environment does not say whose credentials these are. Set "
            f"`api` of tenants.{target.tenant}.{target.vendor}, or use --tap-config."
        )
    tap = open_tap(target.vendor, given, tap_config)
    if target.vendor == "personio":
        from hr_webhooks.subscriptions.personio import PersonioSubscriptions  # noqa: PLC0415 - needs tap-personio

        return PersonioSubscriptions(target, VendorApi(tap))
    from hr_webhooks.subscriptions.factorial import FactorialSubscriptions, limit_creations  # noqa: PLC0415

    return FactorialSubscriptions(target, VendorApi(tap, limit_creations()))


def open_journal(config: Config) -> Journal | None:
    """Returns the journal; None if it is not on this machine."""
    return Journal(config.journal_path) if config.journal_path.is_dir() else None


@contextmanager
def reported_errors() -> Iterator[None]:
    """Raises errors of a tap as those of this command.

    Raises:
        WebhookError: Instead of them.
    """
    try:
        yield
    except TapError as error:
        raise WebhookError(str(error)) from None
    except ConfigValidationError as error:
        raise WebhookError(" ".join(error.errors)) from None
    except OSError as error:
        what = error.filename or "The journal"
        raise WebhookError(f"{what} cannot be read or written: {error.strerror or type(error).__name__}.") from None


def run_for_each(targets: Iterable[Target], act: Callable[[Target], Iterator[str]]) -> int:
    """Does something for each target, and prints the lines that it yields. A failure ends only its own target.

    Returns:
        The exit code.
    """
    code = 0
    for target in targets:
        name = f"{target.tenant} {target.vendor}"
        try:
            with reported_errors():
                for line in act(target):
                    sys.stdout.write(f"{name}: {line}\n")
                    sys.stdout.flush()
        except WebhookError as error:
            sys.stderr.write(f"{name}: {error}\n")
            code = 1
    return code
