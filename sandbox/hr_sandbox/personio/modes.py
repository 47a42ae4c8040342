"""Unusual ways in which endpoints respond for some accounts. A control selects them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.http.arguments import ControlError, check_choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hr_sandbox.http.messages import Json

NORMAL = "normal"
NO_CONTENT = "no-content"
"""204 for an empty list."""

UTC, UNDERSCORE, PLAIN, UNKNOWN_ZONE = "utc", "underscore", "plain", "unknown-zone"
TIMESTAMP_MODES = (UTC, UNDERSCORE, PLAIN, UNKNOWN_ZONE)
"""Timestamps of recruiting: in UTC, with an underscore in the name, as a text, in an unknown zone."""
RECRUITING = (
    "/v2/recruiting/applications",
    "/v2/recruiting/applications/{id}/stage-transitions",
    "/v2/recruiting/candidates",
    "/v2/recruiting/jobs",
)

NO_ELEMENT, NOT_FOUND, GONE, FORBIDDEN = "no-element", "not-found", "gone", "forbidden"
REPORT = "/v2/reports/{id}"
REPORT_MODES = (NO_ELEMENT, NOT_FOUND, GONE, FORBIDDEN)
"""Errors of a report that is listed but cannot be read: two kinds of 400, 404, 403."""

CAREERS = "/xml"
MISSING, ROBOTS, PAGE, MOVED = "missing", "robots", "page", "moved"
CONTROL, ENTITIES, DEEP = "control-characters", "entities", "deep"
FEED_MODES = (MISSING, ROBOTS, PAGE, MOVED, CONTROL, ENTITIES, DEEP)
"""The feed responds with 404, refuses robots, returns a page, redirects, or contains malformed XML."""


class Modes:
    """The mode of each endpoint. `others` has the paths with other modes than the lists of v2."""

    def __init__(self, lists: Iterable[str], others: Mapping[str, tuple[str, ...]]) -> None:
        self._known: dict[str, tuple[str, ...]] = dict.fromkeys(lists, (NORMAL, NO_CONTENT))
        for path in RECRUITING:
            self._known[path] += TIMESTAMP_MODES
        self._known[REPORT] += REPORT_MODES
        self._known[CAREERS] = (NORMAL, *FEED_MODES)
        self._known.update((path, (NORMAL, *modes)) for path, modes in others.items())
        self._chosen: dict[tuple[str, str | None], str] = {}

    def set_mode(self, path: str, mode: str, key: str | None) -> Json:
        """Sets the mode of an endpoint: always, or for one report or one language of the career site."""
        if path not in self._known:
            raise ControlError(f"There are no modes of {path}; paths with modes are {', '.join(self._known)}.")
        check_choice("mode", mode, self._known[path])
        if key is not None and path not in {REPORT, CAREERS}:
            raise ControlError(f"A mode of {path} applies to all of its records.")
        self._chosen[path, key] = mode
        return {"path": path, "mode": mode, "id": key}

    def find_mode(self, path: str, key: str | None = None) -> str:
        """Returns the mode of an endpoint."""
        return self._chosen.get((path, key)) or self._chosen.get((path, None), NORMAL)

    def list_modes(self) -> list[Json]:
        """Returns all modes that were set."""
        return [{"path": path, "mode": mode, "id": key} for (path, key), mode in self._chosen.items()]
