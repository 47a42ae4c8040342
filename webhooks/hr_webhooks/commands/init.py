"""Makes a configuration, the key of the addresses, and secrets."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

from hr_webhooks.addresses import create_address_key, list_addresses, write_address_keys
from hr_webhooks.config import load_config
from hr_webhooks.errors import ConfigError, WebhookError
from hr_webhooks.private_files import write_private

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

DEFAULT_TYPES = (
    "employees/employee/create_with_contract",
    "employees/employee/invite",
    "employees/employee/set_regular_access_start_date",
    "employees/employee/terminate",
    "employees/employee/unterminate",
    "employees/employee/update",
    "contracts/contract_version/create",
    "contracts/contract_version/update",
    "contracts/contract_version/delete",
    "timeoff/leave/create",
    "timeoff/leave/update",
    "timeoff/leave/delete",
    "timeoff/leave/approve",
    "timeoff/leave/reject",
)
_CONFIG = """\
# The receiver of webhooks: hr-webhooks serve --config {name}
# Paths are relative to the folder of this file. Files with secrets and keys must be readable for their owner only.

# Where events are kept until they are loaded.
journal: output/webhooks

# What vendors call: the reverse proxy in front, or the receiver itself with a certificate.
public_url: {public_url}

# With this key the addresses are computed. Whoever has it knows every address, but no secret.
address_key_file: {key_file}

server:
  listen: 127.0.0.1:8080
  # For a certificate of its own instead of a reverse proxy:
  # listen: 0.0.0.0:443
  # certificate_file: /etc/letsencrypt/live/hooks.example.com/fullchain.pem
  # key_file: /etc/letsencrypt/live/hooks.example.com/privkey.pem
  # /health and /metrics; null: none. Beyond this machine, /metrics needs a token.
  status_listen: 127.0.0.1:8081
  # status_token_file: .secrets/webhook-status-token

# A file may have two lines, the newer secret and the former one, which are both valid: see `hr-webhooks rotate`.
tenants:
  {tenant}:
"""
_VENDORS = {
    "personio": """\
    personio: # the token of the webhook, which comes in Authorization; `header: X-...` for a custom header
      secret_files: [{file}]
""",
    "factorial": """\
    factorial: # the challenge of the subscriptions
      secret_files: [{file}]
      types: # a subscription and an address for each
{types}""",
    "cornerstone": """\
    cornerstone: # the x-api-key that Edge > Webhooks > Endpoints shows
      secret_files: [{file}]
      # If the endpoint signs its requests; compare one with what your portal's documentation says:
      # hmac:
      #   header: X-Signature
      #   secret_file: .secrets/{tenant}-cornerstone-hmac # the security token
      #   encoding: base64 # or hex
      #   over: compressed # or plain: what is signed
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this sub-command."""
    add = parser.add_argument
    add("--public-url", required=True, metavar="URL", help="what vendors will call, such as https://hooks.example.com")
    add("--tenant", required=True, metavar="NAME", help="a short name of the company, such as acme")
    add("--vendor", required=True, action="append", choices=list(_VENDORS), help="may be repeated")
    add("--type", action="append", metavar="TYPE", help="a type of Factorial's subscriptions; may be repeated")


def run(arguments: argparse.Namespace) -> int:
    """Writes what does not exist yet, and says what is left to do."""
    path: Path = arguments.config
    if path.exists():
        raise WebhookError(f"{path} exists already. Edit it, or name another one with --config.")
    if arguments.type and "factorial" not in arguments.vendor:
        raise WebhookError("--type is for Factorial. Add --vendor factorial, or leave it out.")
    key_file = ".secrets/webhook-address-key"
    text = _CONFIG.format(name=path.name, public_url=arguments.public_url, key_file=key_file, tenant=arguments.tenant)
    for vendor in dict.fromkeys(arguments.vendor):
        text += _VENDORS[vendor].format(
            file=_secret_file(arguments.tenant, vendor),
            tenant=arguments.tenant,
            types="".join(f"        - {name}\n" for name in arguments.type or DEFAULT_TYPES),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    try:
        config = load_config(path)
    except ConfigError:
        path.unlink()
        raise
    if not config.address_key_path.exists():
        write_address_keys(config.address_key_path, [create_address_key()])
    notes = [
        _add_secret(path.absolute().parent, arguments.tenant, vendor) for vendor in dict.fromkeys(arguments.vendor)
    ]
    sys.stdout.write(
        f"Wrote {path} with {len(list_addresses(config))} addresses: hr-webhooks addresses --config {path}\n"
        + "".join(f"{note}\n" for note in notes)
    )
    return 0


def _secret_file(tenant: str, vendor: str) -> str:
    return f".secrets/{tenant}-{vendor}-webhook"


def _add_secret(folder: Path, tenant: str, vendor: str) -> str:
    """Writes a secret for the vendor, unless there is one or the vendor makes it."""
    path = folder / _secret_file(tenant, vendor)
    if path.exists():
        return f"{vendor}: the secret in {path} was there already."
    if vendor == "cornerstone":
        return f"cornerstone: write the x-api-key that the portal shows to {path} (chmod 600)."
    write_private(path, f"{secrets.token_urlsafe(32)}\n")
    return f"{vendor}: wrote a new secret to {path}."
