"""What the receiver does with a request to each address."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

from hr_webhooks.addresses import AddressBook, list_addresses, read_address_keys
from hr_webhooks.config import CornerstoneConfig
from hr_webhooks.errors import ConfigError
from hr_webhooks.server.bodies import is_signed
from hr_webhooks.server.exchange import values_of
from hr_webhooks.server.secret_files import Secrets, find_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hr_webhooks.addresses import Address
    from hr_webhooks.config import Config, Hmac, Vendor
    from hr_webhooks.server.exchange import Headers

SECRET_HEADERS: dict[Vendor, str] = {
    "personio": "Authorization",
    "factorial": "x-factorial-wh-challenge",
    "cornerstone": "x-api-key",
}
"""The header with the secret, as each vendor sends it."""


class Signature(NamedTuple):
    """How to check the signature of a body."""

    settings: Hmac
    secrets: Secrets

    def match(self, headers: Headers, sent: bytes, content: bytes) -> bool:
        """Whether a header has the signature of the body.

        Args:
            headers: The headers of the request.
            sent: The body as it was sent.
            content: The body after decompression.
        """
        signed = sent if self.settings.over == "compressed" else content
        keys = _decode_keys(self.settings, self.secrets.current())
        return is_signed(signed, keys, values_of(headers, self.settings.header), self.settings.encoding)


class Route(NamedTuple):
    """An address with what proves that the vendor calls it.

    Attributes:
        address: The address.
        secret_header: The header with the secret.
        secrets: The secrets that are valid.
        signature: How to check the signature of the body. None: it is not checked.
    """

    address: Address
    secret_header: str
    secrets: Secrets
    signature: Signature | None

    def is_authentic(self, headers: Headers) -> bool:
        """Whether a request has a valid secret."""
        return self.secrets.match(values_of(headers, self.secret_header))


class Routes:
    """Every address of the configuration, with its secrets.

    Raises:
        ConfigError: If a file with a key or a secret cannot be used.
    """

    def __init__(self, config: Config) -> None:
        addresses = list_addresses(config)
        self._book = AddressBook(addresses, read_address_keys(config.address_key_path), config.public_url)
        self._routes: dict[Address, Route] = {}
        shared: dict[tuple[str, Vendor], Route] = {}
        for address in addresses:
            key = address.tenant, address.vendor
            if key not in shared:
                shared[key] = _make_route(config, address)
            self._routes[address] = shared[key]._replace(address=address)

    def __iter__(self) -> Iterator[Address]:
        return iter(self._routes)

    def find(self, path: bytes) -> Route | None:
        """Returns the route of a path as it was sent, or None."""
        address = self._book.find(path)
        return self._routes[address] if address else None


def _make_route(config: Config, address: Address) -> Route:
    settings = config.tenants[address.tenant].vendors()[address.vendor]
    purpose = f"tenants.{address.tenant}.{address.vendor}"
    secrets = find_secrets(settings, config.resolve, purpose)
    signature = None
    if isinstance(settings, CornerstoneConfig) and settings.hmac:
        tokens = Secrets([config.resolve(settings.hmac.secret_file)], purpose=f"{purpose}.hmac")
        if not _decode_keys(settings.hmac, tokens.current()):
            raise ConfigError(
                f"The secret of {purpose}.hmac is not Base64. Set `secret_encoding: text` if it is not meant to be."
            )
        signature = Signature(settings.hmac, tokens)
    return Route(address, settings.header or SECRET_HEADERS[address.vendor], secrets, signature)


def _decode_keys(settings: Hmac, secrets: Sequence[str]) -> list[bytes]:
    if settings.secret_encoding == "text":  # noqa: S105 - not a secret
        return [secret.encode() for secret in secrets]
    keys = []
    for secret in secrets:
        try:
            keys.append(base64.b64decode(secret, validate=True))
        except binascii.Error:
            continue
    return keys
