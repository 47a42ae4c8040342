"""What the credential may read: permissions, endpoints and allow-listed attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.http.access import AccessControl
from hr_sandbox.http.arguments import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import Endpoint

CUSTOM = "custom_attributes"


class Access(AccessControl):
    """The permissions of the credential."""

    statuses = (400, 401, 402, 403, 404, 410, 412, 428)

    def __init__(self, endpoints: Iterable[Endpoint], v1: Mapping[str, str]) -> None:
        """Grant everything that these endpoints require.

        Args:
            endpoints: the endpoints of v2.
            v1: the paths of v1 with their permissions, which tokens of v2 do not name.
        """
        endpoints = tuple(endpoints)
        scopes = sorted({endpoint.permission for endpoint in endpoints})
        super().__init__(
            (*scopes, *sorted(set(v1.values()) - set(scopes))), (*(endpoint.path for endpoint in endpoints), *v1)
        )
        self._scopes = frozenset(scopes)
        self.hidden: set[str] = set()  # `stream.attribute`

    def granted_scopes(self) -> tuple[str, ...]:
        """Return the permissions of v2 that the credential has."""
        return tuple(permission for permission in self.granted() if permission in self._scopes)

    def refused_status(self, endpoint: Endpoint, scopes: frozenset[str]) -> int | None:
        """Return the status of a missing permission, or None if the request is allowed."""
        denied = self.denied_status(endpoint.path, endpoint.permission, endpoint.forbidden_status)
        return denied if denied or endpoint.permission in scopes else endpoint.forbidden_status

    def denied_status(self, path: str, permission: str, usual: int) -> int | None:
        """Return the status if a path or its permission was revoked."""
        for target in (path, permission):
            if target in self.denied:
                return self.denied[target] or usual
        return None

    def visible(self, stream: str, body: Json) -> Json:
        """Remove the attributes that are not allow-listed. A row of cells is returned unchanged."""
        prefix = f"{stream}."
        for name in [row.removeprefix(prefix) for row in self.hidden if row.startswith(prefix)]:
            outer, _, inner = name.partition(".")
            if not inner:
                body.pop(outer, None)
            elif outer in body:
                body[outer] = [row for row in body[outer] if row["id"] != inner]
        return body

    def allow(self, attribute: str, known: Mapping[str, set[str]], *, allowed: bool) -> Json:
        """Show or hide an attribute such as `persons.updated_at` or `persons.custom_attributes.city`."""
        stream, _, name = attribute.partition(".")
        if name not in known.get(stream, ()):
            raise ControlError(f"There is no attribute {attribute}.")
        (self.hidden.discard if allowed else self.hidden.add)(attribute)
        return {"attribute": attribute, "allowed": allowed}
