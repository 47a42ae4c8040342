"""What the credential may see: permissions, single endpoints, allow-any_of attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hr_sandbox.personio.auth import Token
    from hr_sandbox.personio.endpoint import Endpoint
    from hr_sandbox.vendor import Json

STATUSES = (400, 401, 402, 403, 404, 410, 412, 428)
CUSTOM = "custom_attributes"


class Access:
    """The permissions of the one credential; everything is granted at first."""

    def __init__(self, endpoints: Iterable[Endpoint], more: Mapping[str, str]) -> None:
        """Grant everything that these endpoints need.

        Args:
            endpoints: those of v2.
            more: paths besides, with their permissions, that tokens of v2 do not name.
        """
        endpoints = tuple(endpoints)
        self._paths = (*(endpoint.path for endpoint in endpoints), *more)
        self._scopes = tuple(sorted({endpoint.permission for endpoint in endpoints}))
        self.permissions = (*self._scopes, *sorted(set(more.values()) - set(self._scopes)))
        self.denied: dict[str, int | None] = {}  # permission or endpoint -> status, None for the endpoint's own
        self.hidden: set[str] = set()  # `stream.attribute`

    def granted(self) -> tuple[str, ...]:
        """The permissions of v2 that the credential has."""
        return tuple(permission for permission in self._scopes if permission not in self.denied)

    def refusal(self, endpoint: Endpoint, token: Token) -> int | None:
        """The status of a missing permission, or None where there is nothing to refuse."""
        denied = self.denial(endpoint.path, endpoint.permission, endpoint.forbidden_status)
        return denied if denied or endpoint.permission in token.scopes else endpoint.forbidden_status

    def denial(self, path: str, permission: str, usual: int) -> int | None:
        """The status where a path or its permission was taken away."""
        for target in (path, permission):
            if target in self.denied:
                return self.denied[target] or usual
        return None

    def of(self, token: Token) -> frozenset[str]:
        """The permissions that a token has now."""
        return token.scopes - self.denied.keys()

    def revoke(self, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take a permission or one endpoint away."""
        target = self._target(permission, endpoint)
        if status is not None and status not in STATUSES:
            raise ControlError(f"The status of a missing permission is one of {', '.join(map(str, STATUSES))}.")
        self.denied[target] = status
        return {"revoked": target, "status": status or "as the endpoint answers"}

    def grant(self, permission: str | None, endpoint: str | None) -> Json:
        """Give a permission or one endpoint back."""
        target = self._target(permission, endpoint)
        return {"granted": target, "changed": self.denied.pop(target, 0) != 0}

    def _target(self, permission: str | None, endpoint: str | None) -> str:
        paths = self._paths
        if permission is not None and endpoint is None:
            if permission not in self.permissions:
                raise ControlError(f"There is no permission {permission}; there are {', '.join(self.permissions)}.")
            return permission
        if endpoint is not None and permission is None:
            if endpoint not in paths:
                raise ControlError(f"There is no endpoint {endpoint}; there are {', '.join(paths)}.")
            return endpoint
        raise ControlError("Name either a permission or an endpoint.")

    def visible(self, stream: str, body: Json) -> Json:
        """The body without the attributes that are not allow-any_of; a row of cells stays as it is."""
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
