"""What cannot be had at once is asked for in smaller parts, one after the other."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.http.request import Request

logger = logging.getLogger(__name__)


def chain(parts: Sequence[Request]) -> Request:
    """The request for the first of some parts, with the others to come after it."""
    first, *rest = (replace(part, is_first=True, remaining=()) for part in parts)
    return replace(first, remaining=tuple(rest))


def requested_parents(request: Request, param: str | None) -> list[str]:
    """The parents whose children a request asks for, as it is asked with them.

    Args:
        request: What is asked for.
        param: The parameter that takes the parents' ids; None: the one parent stands in the path.
    """
    return [value for name, value in request.params if name == param] or [request.path]


def halve_parents(request: Request, param: str | None) -> list[Request]:
    """The request for the children of several parents, as one for each half of them."""
    ids = requested_parents(request, param)
    halves = (set(ids[: len(ids) // 2]), set(ids[len(ids) // 2 :]))
    return [
        replace(
            request, params=tuple((name, value) for name, value in request.params if name != param or value in half)
        )
        for half in halves
    ]


class WindowSplitter:
    """How many days of a stream are asked for at once; fewer once they took too long. Safe to use from many threads.

    Args:
        stream: The stream's name, for messages.
        params: The parameters that take the first and the last day; None: it has none.
    """

    def __init__(self, stream: str, params: tuple[str, str] | None) -> None:
        self._stream = stream
        self._params = params
        self._size: int | None = None
        self._lock = threading.Lock()

    def split_known(self, request: Request) -> list[Request]:
        """A request in parts that do not take too long, as far as that is known."""
        size = self._size
        return self._parts(request, size) if size and size < len(self._days_of(request)) else [request]

    def split(self, request: Request) -> list[Request]:
        """A request that took too long in parts of half as many days; none of a single day.

        Later ones are asked for in such parts at once, and so is one that was sent before that was known.
        """
        days = len(self._days_of(request))
        if days <= 1:
            return []
        with self._lock:
            if self._size is None or days <= self._size:
                self._size = -(-days // 2)
                parts = "one day" if self._size == 1 else f"{self._size} days"
                logger.info(
                    "%s: a window takes too long; from now on they are read in parts of %s.", self._stream, parts
                )
            return self._parts(request, self._size)

    def next_requests(self, request: Request, told: Sequence[Request]) -> list[Request]:
        """The requests after a page.

        Args:
            request: That of the page.
            told: Those that the page told of. What comes after the page's part comes after the last of them.
        """
        if told:
            *others, last = (replace(other, is_first=False, remaining=()) for other in told)
            return [*others, replace(last, remaining=request.remaining)]
        if request.remaining:
            return [chain([*self.split_known(request.remaining[0]), *request.remaining[1:]])]
        return []

    def _days_of(self, request: Request) -> list[str]:
        """The days that a request asks for; none where it does not say."""
        params = dict(request.params)
        if self._params is None or not all(name in params for name in self._params):
            return []
        first, last = (date.fromisoformat(params[name]).toordinal() for name in self._params)
        return [date.fromordinal(day).isoformat() for day in range(first, last + 1)]

    def _parts(self, request: Request, size: int) -> list[Request]:
        days = self._days_of(request)
        return [self._of(request, days[number : number + size]) for number in range(0, len(days), size)]

    def _of(self, request: Request, days: Sequence[str]) -> Request:
        bounds = dict(zip(self._params or (), (days[0], days[-1]), strict=True))
        return replace(request, params=tuple((name, bounds.get(name, value)) for name, value in request.params))
