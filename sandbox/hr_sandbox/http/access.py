"""The tokens of a credential, and the permissions that controls have revoked."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hr_sandbox.http.arguments import ControlError, check_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hr_sandbox.http.messages import Json, Request

BEARER = "Bearer "


def read_bearer_token(request: Request) -> str | None:
    """Returns the token of the `Authorization` header, or None if there is none."""
    header = request.headers.get("authorization", "")
    return header.removeprefix(BEARER) if header.startswith(BEARER) else None


def compare_secrets(given: tuple[str, ...], expected: tuple[str, ...]) -> bool:
    """Compares secrets in constant time."""
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
        """Expires all tokens. Returns how many there were."""


class TokenStore:
    """The access tokens of one credential, each valid for `lifetime` seconds of the clock."""

    def __init__(self, lifetime: float, clock: Callable[[], float]) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def add_token(self, name: str, scopes: frozenset[str] | None) -> str:
        """Keeps a new token. Returns its name."""
        self._tokens[name] = Token(scopes, self._clock() + self.lifetime)
        return name

    def find_token(self, name: str | None) -> Token | None:
        """Returns a token by its name if it is valid."""
        token = self._tokens.get(name or "")
        return token if token and token.ends > self._clock() else None

    def authenticate(self, request: Request) -> Token | None:
        """Returns the token that a request carries if it is valid."""
        return self.find_token(read_bearer_token(request))

    def expire(self) -> int:
        """Expires all tokens. Returns how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count


class AccessControl:
    """The permissions of one credential. Everything is granted at first.

    Attributes:
        permissions: the permissions that exist, in the order in which they are listed.
        denied: revoked permissions and endpoints with the status of their responses; None for the vendor's default.
    """

    statuses: tuple[int, ...]
    default_status: int | None = None
    default_label = "the default of the endpoint"

    def __init__(self, permissions: Iterable[str], endpoints: Iterable[str]) -> None:
        self.permissions: Sequence[str] = tuple(permissions)
        self._endpoints = tuple(endpoints)
        self.denied: dict[str, int | None] = {}

    def list_granted(self) -> list[str]:
        """Returns the permissions that have not been revoked."""
        return [permission for permission in self.permissions if permission not in self.denied]

    def revoke(self, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Revokes a permission or one endpoint."""
        target = self._check_target(permission, endpoint)
        if status is not None and status not in self.statuses:
            known = ", ".join(map(str, self.statuses))
            raise ControlError(f"The status of a missing permission is one of {known}.")
        self.denied[target] = status or self.default_status
        return {"revoked": target, "status": self.denied[target] or self.default_label}

    def grant(self, permission: str | None, endpoint: str | None) -> Json:
        """Grants a permission or one endpoint again."""
        target = self._check_target(permission, endpoint)
        changed = target in self.denied
        self.denied.pop(target, None)
        return {"granted": target, "changed": changed}

    def endpoint_name(self, endpoint: str) -> str:
        """Returns the name under which an endpoint is known; vendors accept shorter or longer ones too."""
        return endpoint

    def _check_target(self, permission: str | None, endpoint: str | None) -> str:
        if permission is not None and endpoint is None:
            return check_choice("permission", permission, self.permissions)
        if endpoint is not None and permission is None:
            return check_choice("endpoint", self.endpoint_name(endpoint), self._endpoints)
        raise ControlError("Name either a permission or an endpoint.")
