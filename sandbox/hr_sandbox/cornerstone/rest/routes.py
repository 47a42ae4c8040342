"""All routes of the REST families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.rest import bulk_jobs, learning, people, recruiting, units
from hr_sandbox.cornerstone.rest.route import Context, Streams
from hr_sandbox.http.arguments import check_choice
from hr_sandbox.http.routing import Router

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.cornerstone.store import Store
    from hr_sandbox.http.messages import Json

FAMILIES = (people, units, learning, recruiting, bulk_jobs)
ROUTES = Router(route for family in FAMILIES for route in family.ROUTES)
STREAMS: Streams = {name: records for family in FAMILIES for name, records in family.STREAMS.items()}
NORMAL = "normal"
MODES: dict[str, tuple[str, ...]] = {**people.MODES, **learning.MODES, **recruiting.MODES}


class Rest:
    """Full reads of all streams, and their modes."""

    streams = tuple(STREAMS)

    def __init__(self, store: Store) -> None:
        self.context = Context(store)

    def list_records(self, stream: str, first: date, last: date) -> list[Json]:
        """Returns the rows of a stream. Values from the path have names that begin with an underscore."""
        return list(STREAMS[check_choice("stream", stream, STREAMS)](self.context, first, last))

    def set_mode(self, stream: str, mode: str) -> Json:
        """Sets the mode of a stream."""
        self.context.modes[stream] = check_choice("mode", mode, (NORMAL, *MODES.get(stream, ())))
        return {"path": stream, "mode": mode, "id": None}
