"""What all of Cornerstone's lists have in common: what their errors mean."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pendulum
from singer_rest import Meaning, RateLimit, Reply, Request, RestStream
from typing_extensions import override

if TYPE_CHECKING:
    from singer_rest import RetryableError

LOOK_BACK_MINUTES = 20
PORTAL = "portal"
NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
LOST = NOT_ALLOWED | {HTTPStatus.NOT_FOUND}


def per_minute(requests: int) -> RateLimit:
    """A documented limit. With the second's worth that may go at once, no minute must hold one too many."""
    return RateLimit(requests, 61)


def is_resting(retry: RetryableError) -> bool:
    """Whether the portal is not there for anybody, or asks to wait: what was asked for has nothing to do with it."""
    return retry.throttled or retry.after is not None or retry.reason == f"status {HTTPStatus.SERVICE_UNAVAILABLE}"


class CornerstoneStream(RestStream):
    """A list of Cornerstone's, over OData or REST."""

    @property
    def lookback(self) -> pendulum.Duration:  # type: ignore[override]
        """How far before its bookmark a run reads again: what is reported lags by up to a quarter of an hour."""
        minutes = self.config.get("lookback_minutes")
        return pendulum.duration(minutes=LOOK_BACK_MINUTES if minutes is None else minutes)

    @override
    def finish_state(self, state: dict[str, Any]) -> None:
        state[PORTAL] = self.transport.api_url  # rows and links of another one would be mixed with these

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # A missing scope is 401, a missing permission 403; a view that the portal lacks, 404.
        return Meaning.NO_PERMISSION if reply.status in LOST else super().classify(reply, request)

    @override
    def advice(self, status: int) -> str:
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return "Check `corpname` or `api_url`: it leads to a page for people."
        return "If it stays so, report it with this tap's version."
