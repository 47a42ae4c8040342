"""Which permissions and endpoints controls have revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.http.arguments import ControlError, check_choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hr_sandbox.http.messages import Json


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

    def granted(self) -> list[str]:
        """Return the permissions that have not been revoked."""
        return [permission for permission in self.permissions if permission not in self.denied]

    def revoke(self, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Revoke a permission or one endpoint."""
        target = self._target(permission, endpoint)
        if status is not None and status not in self.statuses:
            known = ", ".join(map(str, self.statuses))
            raise ControlError(f"The status of a missing permission is one of {known}.")
        self.denied[target] = status or self.default_status
        return {"revoked": target, "status": self.denied[target] or self.default_label}

    def grant(self, permission: str | None, endpoint: str | None) -> Json:
        """Grant a permission or one endpoint again."""
        target = self._target(permission, endpoint)
        changed = target in self.denied
        self.denied.pop(target, None)
        return {"granted": target, "changed": changed}

    def endpoint_name(self, endpoint: str) -> str:
        """Return the name under which an endpoint is known; vendors accept shorter or longer ones too."""
        return endpoint

    def _target(self, permission: str | None, endpoint: str | None) -> str:
        if permission is not None and endpoint is None:
            return check_choice("permission", permission, self.permissions)
        if endpoint is not None and permission is None:
            return check_choice("endpoint", self.endpoint_name(endpoint), self._endpoints)
        raise ControlError("Name either a permission or an endpoint.")
