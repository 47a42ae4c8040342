"""Declarations of the endpoints of v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hr_sandbox.http.routing import match_path
from hr_sandbox.personio.modes import NORMAL
from hr_sandbox.personio.v1.errors import StatusError, error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Person
    from hr_sandbox.http.limits import Rate
    from hr_sandbox.http.messages import Json, Response
    from hr_sandbox.personio.v1.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized request.

    Attributes:
        company: what is served.
        root: the vendor's base URL.
        path: the values of the path's parameters.
        query: the value of every parameter of the route; None or an empty tuple if it was not given.
        mode: the mode of the route.
    """

    company: Company
    root: str
    path: dict[str, str]
    query: dict[str, Any]
    mode: str = NORMAL

    def person(self) -> Person:
        """Return the person in the path, or fail with 404."""
        row = self.company.people.find(self.path["id"])
        if row is None:
            raise StatusError(404)
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The declaration of one path.

    Attributes:
        path: with its parameters in braces.
        permission: the required permission.
        response: returns the body or a complete response.
        parameters: its query parameters.
        rate: its own rate limit, besides that of v1 as a whole.
        stream: the stream whose allow-listed attributes apply.
        fail: builds its error responses.
        modes: its modes besides the normal one.
    """

    path: str
    permission: str
    handle: Callable[[Call], Json | Response]
    parameters: tuple[Parameter, ...] = ()
    rate: Rate | None = None
    stream: str | None = None
    fail: Callable[[int, str | None, int | None], Response] = error_response
    modes: tuple[str, ...] = ()

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the path's parameters, or None if the path does not match."""
        return match_path(self.path, path)
