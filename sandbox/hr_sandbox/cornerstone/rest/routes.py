"""All routes of the REST families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rest import bulk_jobs, learning, people, people_v1, recruiting, skills, units
from hr_sandbox.cornerstone.rest.route import Context, Streams
from hr_sandbox.http.arguments import check_choice

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.cornerstone.rest.route import Route
    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.http.messages import Json, Request, Response

FAMILIES = (people, units, learning, skills, recruiting, bulk_jobs)
ROUTES: tuple[Route, ...] = (
    *(route for family in FAMILIES for route in family.ROUTES),
    *people_v1.ROUTES,
)
STREAMS: Streams = {name: records for family in FAMILIES for name, records in family.STREAMS.items()}
NORMAL = "normal"
MODES: dict[str, tuple[str, ...]] = {**people.MODES, **learning.MODES, **recruiting.MODES}


def route_of(path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the first route that matches a path, and its parameters, or None."""
    for route in ROUTES:
        if (parts := route.match(path)) is not None:
            return route, parts
    return None


class Rest:
    """Handles requests to all routes."""

    streams = tuple(STREAMS)

    def __init__(self, store: Store) -> None:
        self.context = Context(store)

    def handle(self, route: Route, parts: dict[str, str], request: Request) -> Response:
        """Handle an authorized request."""
        return route.handler(self.context, route.call(parts, request))

    def records(self, stream: str, first: date, last: date) -> list[Json]:
        """Return the rows of a stream. Values from the path have names that begin with an underscore."""
        return list(STREAMS[check_choice("stream", stream, STREAMS)](self.context, first, last))

    def set_mode(self, stream: str, mode: str) -> Json:
        """Set the mode of a stream."""
        self.context.modes[stream] = check_choice("mode", mode, (NORMAL, *MODES.get(stream, ())))
        return {"path": stream, "mode": mode, "id": None}
