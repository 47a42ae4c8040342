"""What the application may read: a scope for each view, object and REST family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.tables import METADATA_SCOPES, entity_sets
from hr_sandbox.http.access import AccessControl

if TYPE_CHECKING:
    from collections.abc import Iterable

UNAUTHORIZED = 401


class Access(AccessControl):
    """The scopes of the application. Endpoints have the names of their streams."""

    statuses = (UNAUTHORIZED, 403, 404)
    default_status = UNAUTHORIZED

    def __init__(self, scopes: Iterable[str], endpoints: Iterable[str]) -> None:
        """Grant everything.

        Args:
            scopes: those of the REST families.
            endpoints: their streams.
        """
        tables = entity_sets().values()
        super().__init__(
            sorted({*METADATA_SCOPES.values(), *(row.scope for row in tables), *scopes}),
            (*(row.name for row in tables), *endpoints),
        )

    def endpoint_name(self, endpoint: str) -> str:
        """Return the last segment of a path."""
        return endpoint.rpartition("/")[2]

    def may(self, scopes: Iterable[str]) -> bool:
        """Return whether the application has these scopes."""
        return set(scopes) <= set(self.granted())

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
        return None if scopes is None or scope in scopes else UNAUTHORIZED
