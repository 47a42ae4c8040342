"""Finds the declaration of a path. Paths have parameters in braces, such as `/v2/persons/{id}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Declared(Protocol):
    """The declaration of an endpoint."""

    @property
    def path(self) -> str:
        """Its path, with parameters in braces."""


R = TypeVar("R", bound=Declared)


class Router(Generic[R]):
    """Declared endpoints. The first one whose path matches handles a request."""

    def __init__(self, routes: Iterable[R]) -> None:
        # Each parameter is a named group that matches one segment.
        self._routes = [
            (row, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(row.path)))) for row in routes
        ]

    def __iter__(self) -> Iterator[R]:
        return (row for row, _ in self._routes)

    def find_route(self, path: str) -> tuple[R, dict[str, str]] | None:
        """Returns the endpoint of a path with the values of the path's parameters, or None."""
        for row, pattern in self._routes:
            if found := pattern.fullmatch(path):
                return row, found.groupdict()
        return None
