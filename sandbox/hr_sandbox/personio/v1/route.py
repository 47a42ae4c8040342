"""What one path of v1 takes and answers."""

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
    """A request that was let through.

    Attributes:
        company: what is served.
        root: the vendor's own address.
        path: what stands in the path.
        query: the value of every parameter that the route knows; None, or an empty tuple, where it was not given.
        mode: in which of its ways the route answers.
    """

    company: Company
    root: str
    path: dict[str, str]
    query: dict[str, Any]
    mode: str = NORMAL

    def person(self) -> Person:
        """The person in the path; 404 without one."""
        row = self.company.people.find(self.path["id"])
        if row is None:
            raise StatusError(404)
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one path of v1 answers.

    Attributes:
        path: with its parameters in braces.
        permission: what the credential needs.
        answer: the body, or a whole answer.
        parameters: those of the query.
        rate: besides that of all of v1.
        stream: whose attributes may be left out, where there is one.
        fail: an error's body.
        modes: in which ways it can answer besides the normal one.
    """

    path: str
    permission: str
    answer: Callable[[Call], Json | Response]
    parameters: tuple[Parameter, ...] = ()
    rate: Rate | None = None
    stream: str | None = None
    fail: Callable[[int, str | None, int | None], Response] = error_response
    modes: tuple[str, ...] = ()

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the path's parameters, or None if a request's path is another one."""
        return match_path(self.path, path)
