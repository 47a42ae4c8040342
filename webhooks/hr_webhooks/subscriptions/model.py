"""A subscription as it should be, as it is at the vendor, and how the two differ."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def split_url(url: str) -> SplitResult:
    """Splits the address of any program's subscription. One that is not valid has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


@dataclass(frozen=True)
class Wanted:
    """A subscription as the configuration describes it.

    Args:
        type: The type of event; None if the subscription is for several.
        url: Our address, with its code.
        secret: The newest secret.
        events: The events, if the subscription is for several.
        version: The API version of the payloads; None if the vendor has none.
    """

    type: str | None
    url: str = field(repr=False)
    secret: str = field(repr=False)
    events: frozenset[str] = frozenset()
    version: str | None = None


@dataclass(frozen=True)
class Subscription:
    """A subscription as the vendor describes it.

    Args:
        id: The id, of the type that the vendor sends.
        type: The type of event; None if the subscription is for several.
        url: The address that the vendor calls.
        is_enabled: Whether the vendor sends events.
        secret: The secret that it sends along; None if it does not show it.
        is_own: Whether the address is one of ours.
        events: The events, if the subscription is for several.
        version: The API version of the payloads; None if the vendor does not say.
    """

    id: str | int
    type: str | None
    url: str = field(repr=False)
    is_enabled: bool
    secret: str | None = field(repr=False)
    is_own: bool
    events: frozenset[str] = frozenset()
    version: str | None = None

    @property
    def host(self) -> str:
        """The host that the vendor calls, and its port if the address names one."""
        return split_url(self.url).netloc.rpartition("@")[2] or "no valid host"

    def sends(self, secret: str) -> bool | None:
        """Whether the vendor sends this secret. None: it does not show which one."""
        return None if self.secret is None else hmac.compare_digest(self.secret.encode(), secret.encode())

    def is_elsewhere(self, wanted: Wanted) -> bool:
        """Whether the address is on another host than ours."""
        return split_url(self.url)[:2] != split_url(wanted.url)[:2]

    def differences(self, wanted: Wanted) -> list[str]:
        """Returns what differs from the configuration, in words. Empty: nothing does."""
        is_elsewhere = self.is_elsewhere(wanted)
        missing, surplus = (
            ", ".join(sorted(wanted.events - self.events)),
            ", ".join(sorted(self.events - wanted.events)),
        )
        found = {
            "it is switched off": not self.is_enabled,
            f"it sends to another host ({self.host})": is_elsewhere,
            "its address is not the newest": self.url != wanted.url and not is_elsewhere,
            "it sends another secret than the newest": self.sends(wanted.secret) is False,
            f"it lacks {missing}": bool(missing),
            f"it also has {surplus}": bool(surplus),
            f"its API version is {self.version} instead of {wanted.version}": bool(self.version and wanted.version)
            and self.version != wanted.version,
        }
        return [text for text, applies in found.items() if applies]
