"""The addresses that vendors call: unguessable, and computed from a key, so that no register of them is needed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hr_webhooks.config import FactorialConfig
from hr_webhooks.errors import ConfigError
from hr_webhooks.private_files import read_lines, write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hr_webhooks.config import Config, Vendor

CODE_BYTES = 20  # 160 bits, 32 characters
MIN_KEY_LENGTH = 32  # characters
MAX_KEYS = 2


class Address(NamedTuple):
    """Who may call an address, and what for.

    Attributes:
        tenant: The name of the company in the configuration.
        vendor: The vendor.
        type: Factorial's type of the event, such as `employees/employee/update`, else None.
    """

    tenant: str
    vendor: Vendor
    type: str | None = None

    @property
    def public_part(self) -> str:
        """The path without the code, such as `/personio/acme`."""
        return "/".join(["", self.vendor, self.tenant, *([self.type] if self.type else [])])


def list_addresses(config: Config) -> list[Address]:
    """Returns every address of the configuration."""
    found = []
    for name, tenant in config.tenants.items():
        for vendor, settings in tenant.vendors().items():
            if isinstance(settings, FactorialConfig):
                found += [Address(name, vendor, event) for event in dict.fromkeys(settings.types)]
            else:
                found.append(Address(name, vendor))
    return found


def make_code(key: bytes, address: Address) -> str:
    """Returns the part of an address that cannot be guessed: 32 lower-case letters and digits."""
    text = "|".join([address.vendor, address.tenant, address.type or ""])
    digest = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.b32encode(digest[:CODE_BYTES]).decode().lower()


def make_path(key: bytes, address: Address) -> str:
    """Returns the path of an address."""
    return f"{address.public_part}/{make_code(key, address)}"


def make_url(public_url: str, key: bytes, address: Address) -> str:
    """Returns the URL of an address, which the vendor must call."""
    return public_url.rstrip("/") + make_path(key, address)


def create_address_key() -> str:
    """Returns a new random key."""
    return secrets.token_hex(32)


def write_address_keys(path: Path, keys: Sequence[str]) -> None:
    """Writes the keys, the newest first, to a file that only its owner can read."""
    write_private(path, "".join(f"{key}\n" for key in keys))


def read_address_keys(path: Path) -> list[bytes]:
    """Returns the keys that addresses are made with: the newest, and a former one that still counts.

    Raises:
        ConfigError: If the file cannot be read, others can read it, or it holds no key.
    """
    try:
        keys = read_lines(path)
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}. Make it with `hr-webhooks init`.") from None
    if not 1 <= len(keys) <= MAX_KEYS or any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise ConfigError(f"{path} must hold one or two lines of at least {MIN_KEY_LENGTH} characters.")
    return [key.encode() for key in keys]


class AddressBook:
    """Finds the address of a request by its path.

    Args:
        addresses: Those that exist.
        keys: The keys that they are made with. A code of any of them is right.
        public_url: Its path, if it has one, may precede the path of a request: some reverse proxies remove it.
    """

    def __init__(self, addresses: Sequence[Address], keys: Sequence[bytes], public_url: str = "") -> None:
        self._prefix = urlsplit(public_url).path.rstrip("/").encode()
        self._codes = {
            address.public_part.encode(): (address, [make_code(key, address).encode() for key in keys])
            for address in addresses
        }

    def find(self, path: bytes) -> Address | None:
        """Returns the address that a path names exactly, else None.

        Args:
            path: The path as it was sent, percent-encoded, without a query.
        """
        if self._prefix and path.startswith(self._prefix + b"/"):
            path = path[len(self._prefix) :]
        public_part, _, code = path.rpartition(b"/")
        address, expected = self._codes.get(public_part, (None, []))
        # The comparison takes the same time wherever the codes differ. Which tenants exist is no secret.
        matches = [hmac.compare_digest(code, each) for each in expected]
        return address if any(matches) else None
