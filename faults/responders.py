"""The faulty response and the basic responders: fixed responses and modified ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from faults.wire import Request, Response, Step

Forward = Callable[[], Response]
Responder = Callable[[Request, Forward], "Iterable[Step] | None"]
"""Returns the steps of the response. None: the fault does not apply to this response, which is forwarded unchanged."""

ONCE, TWICE, BURST, ALWAYS = 1, 2, 5, 10**9
TEMPORARY = (ONCE, TWICE, BURST)
"""Possible numbers of requests that get a temporary fault."""

ANY = (*TEMPORARY, ALWAYS)
"""Possible numbers of requests that get a temporary or a permanent fault."""

ERROR_BODY = b'{"errors": [{"title": "Odd", "detail": "odd"}], "error": "odd"}'


@dataclass(frozen=True)
class FaultyResponse:
    """A kind of faulty response.

    Args:
        name: Name in the report.
        group: Group in the report.
        respond: Returns what to send back.
        times: Possible numbers of requests that get the fault.
        harmless: Whether no data is lost, so that the run must be exact.
        repeats_page: Whether it repeats the previous page. Only for later pages of endpoints without slices.
        tokens_only: Whether it only applies to token endpoints.
        is_slow: Whether it tests time-outs. The tap then has a timeout of one second.
    """

    name: str
    group: str
    respond: Responder
    times: tuple[int, ...] = TEMPORARY
    harmless: bool = False
    repeats_page: bool = False
    tokens_only: bool = False
    is_slow: bool = False


def make_fixed_responder(*steps: Step) -> Responder:
    """Returns a responder that sends fixed steps without forwarding the request to the vendor."""
    return lambda _request, _forward: steps


def make_modifier(change: Callable[[Response], Iterable[Step] | None]) -> Responder:
    """Returns a responder that modifies the vendor's response."""
    return lambda _request, forward: change(forward())


def make_header_adder(headers: Mapping[str, str]) -> Responder:
    """Returns a responder that adds headers to the vendor's response."""
    return make_modifier(lambda response: [response.with_headers(**headers).to_bytes()])


def make_static_response(
    status: int,
    body: bytes = ERROR_BODY,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Responder:
    """Returns a responder that replaces the vendor's response with a fixed one."""
    return make_fixed_responder(
        Response(status, (("Content-Type", content_type),), body).with_headers(**(headers or {})).to_bytes()
    )
