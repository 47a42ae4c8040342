"""What the application may read: a scope for each view, object and family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.tables import METADATA_SCOPES, entity_sets
from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hr_sandbox.vendor import Json

STATUSES = (401, 403, 404)


class Access:
    """Every scope is granted at first."""

    def __init__(self, scopes: Iterable[str], endpoints: Iterable[str]) -> None:
        """Grant everything.

        Args:
            scopes: those of the REST families.
            endpoints: their streams.
        """
        tables = entity_sets().values()
        self.scopes = {*METADATA_SCOPES.values(), *(row.scope for row in tables), *scopes}
        self._endpoints = {*(row.name for row in tables), *endpoints}
        self.denied: dict[str, int] = {}

    def may(self, scopes: Iterable[str]) -> bool:
        """Whether the application has these scopes."""
        return all(scope in self.scopes and scope not in self.denied for scope in scopes)

    def refusal(self, scope: str, endpoint: str, scopes: frozenset[str] | None) -> int | None:
        """Return the status of the refusal, or None if the endpoint may be read.

        Args:
            scope: what the endpoint requires.
            endpoint: the name of its stream.
            scopes: those of the token; None for all.
        """
        for target in (endpoint, scope):
            if target in self.denied:
                return self.denied[target]
        return None if scopes is None or scope in scopes else STATUSES[0]

    def revoke(self, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take a scope or an endpoint away."""
        target = self._target(permission, endpoint)
        if status is not None and status not in STATUSES:
            raise ControlError(f"The status of a missing permission is one of {', '.join(map(str, STATUSES))}.")
        self.denied[target] = status or STATUSES[0]
        return {"revoked": target, "status": self.denied[target]}

    def grant(self, permission: str | None, endpoint: str | None) -> Json:
        """Give a scope or an endpoint back."""
        target = self._target(permission, endpoint)
        return {"granted": target, "changed": self.denied.pop(target, None) is not None}

    def _target(self, permission: str | None, endpoint: str | None) -> str:
        if permission is not None and endpoint is None:
            if permission not in self.scopes:
                raise ControlError(
                    f"There is no permission {permission}; they are such as vw_rpt_user:read and employee:read."
                )
            return permission
        if endpoint is not None and permission is None:
            name = endpoint.rpartition("/")[2]
            if name not in self._endpoints:
                raise ControlError(f"There is no endpoint {endpoint}; they are named as the streams are.")
            return name
        raise ControlError("Name either a permission or an endpoint.")
