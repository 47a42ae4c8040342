"""Access tokens."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.http.messages import Request

BEARER = "Bearer "


def bearer_token(request: Request) -> str | None:
    """Return the token of the `Authorization` header, or None if there is none."""
    header = request.headers.get("authorization", "")
    return header.removeprefix(BEARER) if header.startswith(BEARER) else None


def same_secrets(given: tuple[str, ...], expected: tuple[str, ...]) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest("\n".join(given).encode(), "\n".join(expected).encode())


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Attributes:
        scopes: what it may read; None for everything that the credential may.
        ends: when it expires, in seconds of the vendor's clock.
    """

    scopes: frozenset[str] | None
    ends: float


class Expirable(Protocol):
    """Holds tokens that can be expired."""

    def expire(self) -> int:
        """Expire all tokens. Returns how many there were."""


class TokenStore:
    """The access tokens of one credential."""

    def __init__(self, lifetime: float, clock: Callable[[], float]) -> None:
        """Start without tokens.

        Args:
            lifetime: seconds that a token is valid.
            clock: returns the time in seconds.
        """
        self.lifetime = lifetime
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def add(self, name: str, scopes: frozenset[str] | None) -> str:
        """Keep a new token. Returns its name."""
        self._tokens[name] = Token(scopes, self._clock() + self.lifetime)
        return name

    def find(self, name: str | None) -> Token | None:
        """Return a token by its name if it is valid."""
        token = self._tokens.get(name or "")
        return token if token and token.ends > self._clock() else None

    def check(self, request: Request) -> Token | None:
        """Return the token that a request carries if it is valid."""
        return self.find(bearer_token(request))

    def expire(self) -> int:
        """Expire all tokens. Returns how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count
