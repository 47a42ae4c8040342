"""The base class of all of Cornerstone's streams: look-back, state and statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pendulum
from singer_rest import Meaning, RateLimit, Reply, Request, RestStream
from typing_extensions import override

if TYPE_CHECKING:
    from singer_rest import RetryableError

LOOK_BACK_MINUTES = 20
NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
LOST = NOT_ALLOWED | {HTTPStatus.NOT_FOUND}


def per_minute(requests: int) -> RateLimit:
    """Returns a documented rate limit. The 61st second makes room for the burst, so no minute exceeds it."""
    return RateLimit(requests, 61)


def is_unavailable(retry: RetryableError) -> bool:
    """Whether the portal is unavailable or demands a wait, whatever the request was."""
    return retry.throttled or retry.after is not None or retry.reason == f"status {HTTPStatus.SERVICE_UNAVAILABLE}"


class CornerstoneStream(RestStream):
    """An endpoint of Cornerstone, of an OData service or a REST API."""

    @property
    def lookback(self) -> pendulum.Duration:  # type: ignore[override]
        """The time before the bookmark at which a run starts: reports lag by up to a quarter of an hour."""
        minutes = self.config.get("lookback_minutes")
        return pendulum.duration(minutes=LOOK_BACK_MINUTES if minutes is None else minutes)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A missing scope is 401, a missing permission 403, and a view that the portal lacks 404.
        return Meaning.NO_PERMISSION if reply.status in LOST else super().classify(reply, request)

    @override
    def advice_for_status(self, status: int) -> str:
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return "Check `corpname` or `api_url`: it leads to a web page, not to the API."
        return "If it happens again, report it with this tap's version."
