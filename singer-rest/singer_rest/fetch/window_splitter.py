"""Splits requests that time out into smaller date windows."""

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


def chain_requests(parts: Sequence[Request]) -> Request:
    """Returns the request for the first part, with the other parts to be requested after it."""
    first, *rest = (replace(part, is_first=True, remaining=()) for part in parts)
    return replace(first, remaining=tuple(rest))


def requested_parents(request: Request, param: str | None) -> list[str]:
    """Returns the ids of the requested parents as they are in the request. A link to a later page may have none.

    Args:
        request: The request.
        param: The parameter that takes the parents' ids. None: the path holds the one parent.
    """
    return [value for name, value in request.params if name == param] if param else [request.path]


def halve_parents(request: Request, param: str | None) -> list[Request]:
    """Splits a request for the children of several parents into two with half of the parents each."""
    ids = requested_parents(request, param)
    halves = (set(ids[: len(ids) // 2]), set(ids[len(ids) // 2 :]))
    return [
        replace(
            request, params=tuple((name, value) for name, value in request.params if name != param or value in half)
        )
        for half in halves
    ]


class WindowSplitter:
    """Limits how many days of a stream are requested at once, and lowers the limit after time-outs. Thread-safe.

    Args:
        stream: Name of the stream, for messages.
        params: The parameters for the first and the last day. None: the stream has none.
    """

    def __init__(self, stream: str, params: tuple[str, str] | None) -> None:
        self._stream = stream
        self._params = params
        self._size: int | None = None
        self._lock = threading.Lock()

    def split_known(self, request: Request) -> list[Request]:
        """Splits a request into windows of at most the known limit."""
        size = self._size
        return self._split_into_windows(request, size) if size and size < len(self._days_of(request)) else [request]

    def split(self, request: Request) -> list[Request]:
        """Splits a request that timed out into windows of half as many days. Returns an empty list for a single day.

        Later requests are split the same way before they are sent, and so are those sent before the limit was known.
        """
        days = len(self._days_of(request))
        if days <= 1:
            return []
        with self._lock:
            if self._size is None or days <= self._size:
                self._size = -(-days // 2)
                parts = "one day" if self._size == 1 else f"{self._size} days"
                logger.info("%s: a date window takes too long; reading windows of %s from now on.", self._stream, parts)
            return self._split_into_windows(request, self._size)

    def next_requests(self, request: Request, page_requests: Sequence[Request]) -> list[Request]:
        """Returns the requests that follow a page.

        Args:
            request: The request for the page.
            page_requests: The requests that the page itself names. The remaining parts follow after the last of them.
        """
        if page_requests:
            *others, last = (
                replace(other, is_first=False, remaining=()) if other.is_first or other.remaining else other
                for other in page_requests
            )
            return [*others, replace(last, remaining=request.remaining) if request.remaining else last]
        if request.remaining:
            return [chain_requests([*self.split_known(request.remaining[0]), *request.remaining[1:]])]
        return []

    def _days_of(self, request: Request) -> list[str]:
        """Returns the days that a request covers, as far as it names them."""
        params = dict(request.params)
        if self._params is None or not all(name in params for name in self._params):
            return []
        first, last = (date.fromisoformat(params[name]).toordinal() for name in self._params)
        return [date.fromordinal(day).isoformat() for day in range(first, last + 1)]

    def _split_into_windows(self, request: Request, size: int) -> list[Request]:
        days = self._days_of(request)
        return [self._with_days(request, days[number : number + size]) for number in range(0, len(days), size)]

    def _with_days(self, request: Request, days: Sequence[str]) -> Request:
        bounds = dict(zip(self._params or (), (days[0], days[-1]), strict=True))
        return replace(request, params=tuple((name, bounds.get(name, value)) for name, value in request.params))
