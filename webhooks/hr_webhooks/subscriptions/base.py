"""What is the same for the subscriptions of all vendors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from singer_rest import RunError, TapError

from hr_webhooks.addresses import Address, AddressBook, make_url
from hr_webhooks.config import is_loopback
from hr_webhooks.heard import read_heard
from hr_webhooks.subscriptions.model import split_url
from hr_webhooks.subscriptions.secret_files import SecretFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from hr_webhooks.config import Config, Vendor, VendorConfig
    from hr_webhooks.subscriptions.api import VendorApi
    from hr_webhooks.subscriptions.model import Subscription, Wanted

Part = Literal["all", "secret", "status"]


@dataclass(frozen=True)
class Target:
    """A vendor of a tenant.

    Args:
        config: The configuration.
        tenant: The name of the company in the configuration.
        vendor: The vendor.
        settings: The vendor's part of the configuration.
        keys: Those that addresses are made with, the newest first.
    """

    config: Config
    tenant: str
    vendor: Vendor
    settings: VendorConfig
    keys: Sequence[bytes] = field(repr=False)

    @property
    def label(self) -> str:
        """The name that subscriptions have at the vendor."""
        return f"hr-webhooks {self.tenant}"

    @cached_property
    def secrets(self) -> SecretFiles:
        """The secrets that the vendor sends along."""
        return SecretFiles(self.config, self.settings)

    def make_url(self, event_type: str | None = None) -> str:
        """Returns the address that the vendor must call."""
        return make_url(self.config.public_url, self.keys[0], Address(self.tenant, self.vendor, event_type))

    def owns(self, url: str, event_type: str | None = None) -> bool:
        """Whether an address is one of ours: by its code on any host, or by all but its code on our host."""
        address = Address(self.tenant, self.vendor, event_type)
        here = f"{self.config.public_url.rstrip('/')}{address.public_part}/"
        book = AddressBook([address], self.keys, self.config.public_url)
        return url.startswith(here) or book.find(split_url(url).path.encode()) is not None

    def heard(self) -> dict[str, float]:
        """Returns when a request arrived last at each address that has ever been called, in seconds since 1970."""
        here = Address(self.tenant, self.vendor).public_part
        found = read_heard(self.config.journal_path)
        return {
            part: max(times.values()) for part, times in found.items() if times and f"{part}/".startswith(f"{here}/")
        }

    def check_public_url(self) -> None:
        """Refuses an address that a vendor would not call.

        Raises:
            RunError: If it is not encrypted, except on this machine.
        """
        parts = urlsplit(self.config.public_url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise RunError("Set `public_url` to an address that begins with https://. The vendors call no other.")


class Subscriptions(ABC):
    """The subscriptions of a tenant at a vendor.

    Args:
        target: The tenant and the vendor.
        api: The vendor's API.
    """

    kept_for: ClassVar[timedelta]
    """How long the vendor may still send a former secret along, because it repeats failed requests."""
    one_per_type: ClassVar[bool]
    """Whether the vendor accepts only one subscription of a type, of whatever program."""
    permission: ClassVar[str]
    """What the credential needs, and what works without it."""

    def __init__(self, target: Target, api: VendorApi) -> None:
        self.target = target
        self.api = api

    @abstractmethod
    def wanted(self) -> list[Wanted]:
        """Returns the subscriptions that the configuration describes."""

    @abstractmethod
    def read(self) -> list[Subscription]:
        """Returns the vendor's subscriptions, those of other programs included.

        Raises:
            TapError: If they cannot be read.
        """

    @abstractmethod
    def create(self, wanted: Wanted) -> None:
        """Creates a subscription that is switched on.

        Raises:
            TapError: If the vendor refuses it.
        """

    @abstractmethod
    def change(self, subscription: Subscription, wanted: Wanted, part: Part = "all") -> None:
        """Makes a subscription, or a part of it, as it should be. It is switched on unless only the secret changes.

        Raises:
            TapError: If the vendor refuses it.
        """

    @abstractmethod
    def delete(self, subscription: Subscription) -> None:
        """Deletes a subscription.

        Raises:
            TapError: If the vendor refuses it.
        """

    @abstractmethod
    def send_test(self) -> str | None:
        """Has the vendor send a test event. Returns a sentence if that is not possible.

        Raises:
            TapError: If the vendor cannot be asked.
        """

    def find_own(self, wanted: Wanted, existing: Sequence[Subscription]) -> list[Subscription]:
        """Returns our subscriptions of a type, the one to keep first."""
        own = [row for row in existing if row.is_own and row.type == wanted.type]
        return sorted(own, key=lambda row: (row.is_elsewhere(wanted), row.url != wanted.url, not row.is_enabled))

    def find_others(self, wanted: Wanted, existing: Sequence[Subscription]) -> list[Subscription]:
        """Returns the subscriptions of other programs that leave no room for ours."""
        return [row for row in existing if self.one_per_type and not row.is_own and row.type == wanted.type]

    def ensure(self, wanted: Wanted, existing: Sequence[Subscription], *, take_over: bool) -> str:
        """Creates or repairs a subscription.

        Args:
            wanted: The subscription.
            existing: What the vendor has.
            take_over: Whether to change a subscription that sends to another host.

        Returns:
            What was done, in words.

        Raises:
            TapError: If it cannot be done.
        """
        own = self.find_own(wanted, existing)
        candidates = own or self.find_others(wanted, existing)
        if not candidates:
            self.create(wanted)
            return "created"
        kept = candidates[0]
        if kept.is_elsewhere(wanted) and not take_over:
            whose = "of this installation" if own else "of another program"
            raise TapError(
                f"A subscription {whose} sends to {kept.host}. If nothing else needs it, move it here with --take-over."
            )
        differences = kept.differences(wanted)
        if differences or kept.sends(wanted.secret) is None:
            self.change(kept, wanted)
        doubles = [row for row in own[1:] if not row.is_elsewhere(wanted)]
        for row in doubles:
            self.delete(row)
        done = f"changed, because {' and '.join(differences)}" if differences else "as it should be"
        return done + (f"; {len(doubles)} more of ours deleted" if doubles else "")
