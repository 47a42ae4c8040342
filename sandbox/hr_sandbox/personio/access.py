"""What the credential may see: rights, single endpoints, allow-listed attributes."""

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
    """The rights of the one credential; everything is granted at first."""

    def __init__(self, endpoints: Iterable[Endpoint], more: Mapping[str, str]) -> None:
        """Grant everything that these endpoints need.

        Args:
            endpoints: those of v2.
            more: paths besides, with their rights, that tokens of v2 do not name.
        """
        endpoints = tuple(endpoints)
        self._paths = (*(endpoint.path for endpoint in endpoints), *more)
        self._scopes = tuple(sorted({endpoint.right for endpoint in endpoints}))
        self.rights = (*self._scopes, *sorted(set(more.values()) - set(self._scopes)))
        self.denied: dict[str, int | None] = {}  # right or endpoint -> status, None for the endpoint's own
        self.hidden: set[str] = set()  # `stream.attribute`

    def granted(self) -> tuple[str, ...]:
        """The rights of v2 that the credential has."""
        return tuple(right for right in self._scopes if right not in self.denied)

    def refusal(self, endpoint: Endpoint, token: Token) -> int | None:
        """The status of a missing right, or None where there is nothing to refuse."""
        denied = self.denial(endpoint.path, endpoint.right, endpoint.no_right)
        return denied if denied or endpoint.right in token.scopes else endpoint.no_right

    def denial(self, path: str, right: str, usual: int) -> int | None:
        """The status where a path or its right was taken away."""
        for target in (path, right):
            if target in self.denied:
                return self.denied[target] or usual
        return None

    def of(self, token: Token) -> frozenset[str]:
        """The rights that a token has now."""
        return token.scopes - self.denied.keys()

    def revoke(self, right: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take a right or one endpoint away."""
        target = self._target(right, endpoint)
        if status is not None and status not in STATUSES:
            raise ControlError(f"The status of a missing right is one of {', '.join(map(str, STATUSES))}.")
        self.denied[target] = status
        return {"revoked": target, "status": status or "as the endpoint answers"}

    def grant(self, right: str | None, endpoint: str | None) -> Json:
        """Give a right or one endpoint back."""
        target = self._target(right, endpoint)
        return {"granted": target, "changed": self.denied.pop(target, 0) != 0}

    def _target(self, right: str | None, endpoint: str | None) -> str:
        paths = self._paths
        if right is not None and endpoint is None:
            if right not in self.rights:
                raise ControlError(f"There is no right {right}; there are {', '.join(self.rights)}.")
            return right
        if endpoint is not None and right is None:
            if endpoint not in paths:
                raise ControlError(f"There is no endpoint {endpoint}; there are {', '.join(paths)}.")
            return endpoint
        raise ControlError("Name either a right or an endpoint.")

    def show(self, stream: str, body: Json) -> Json:
        """The body without the attributes that are not allow-listed; a row of cells stays as it is."""
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
