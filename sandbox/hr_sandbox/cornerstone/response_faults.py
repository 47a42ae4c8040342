"""Faults in the vendor's own style: truncated bodies, HTML pages instead of data, slow responses."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.errors import (
    HTML_ERROR,
    LOGIN,
    LOGIN_PAGE,
    XML_ERROR,
    make_error,
    make_page,
    redirect_to_page,
)
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.http.faults import Schedule, Scheduled
from hr_sandbox.http.messages import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from hr_sandbox.http.messages import Json, Request

ERROR = '{"error":{"code":"","message":"An error has occurred."}}'
ROWS = '"value":['
LISTS = ("data", "jobs", "value")
FAILED = {"Result": "Failure", "Reason": "Not available"}
INVALID_BYTE = b"\xe4"
MAX_SECONDS = 10_000
OK = 200


@dataclass(slots=True, kw_only=True)
class ResponseFault(Scheduled):
    """A fault that changes a response.

    Attributes:
        stream: a view, an object or a REST stream.
        form: one of `FORMS`.
        above: only applies to pages with a larger requested size.
        seconds: an additional delay.
    """

    stream: str = ""
    form: str = "error"
    above: int = 0
    seconds: float = 0


def _cut_rows(text: str) -> tuple[str, bool]:
    """Returns the first half of the rows, and whether it is not empty."""
    first = text.find(ROWS)
    begin = first + len(ROWS) if first >= 0 else 1
    place = text.rfind("},{", begin, begin + max((len(text) - begin) // 2, 3))
    return (text[: place + 1], True) if place >= 0 else (text[:begin], False)


def _make_truncation(tail: str, comma: str) -> Callable[[Response, Request], Response]:
    def end(response: Response, _request: Request) -> Response:
        text, some = _cut_rows(response.body.decode())
        body = f"{text}{comma if some else ''}{tail}"
        return replace(response, body=body.encode())

    return end


def _truncate(response: Response, _request: Request) -> Response:
    return replace(response, body=response.body[: len(response.body) * 2 // 3])


def _replace_with_error(response: Response, _request: Request) -> Response:
    return replace(response, body=ERROR.encode())


def _change_rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Response, Request], Response]:
    """Returns a function that changes the rows but not the counts around them."""

    def change_rows(response: Response, _request: Request) -> Response:
        body = json.loads(response.body)
        for name in LISTS if isinstance(body, dict) else ():
            if isinstance(body.get(name), list):
                body[name] = change(body[name])
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return replace(response, body=text.encode())

    return change_rows


def _truncate_gzip(response: Response, _request: Request) -> Response:
    """Returns a truncated gzip body with a matching content length."""
    packed = gzip.compress(response.body)
    headers = {**response.headers, "content-encoding": "gzip"}
    return replace(response, body=packed[: len(packed) * 2 // 3], headers=headers)


def _drop_last_line(response: Response, _request: Request) -> Response:
    lines = response.body.splitlines(keepends=True)
    return replace(response, body=b"".join(lines[:-1]))


def _append_stray_byte(response: Response, _request: Request) -> Response:
    """Appends a Latin-1 byte to the last line."""
    return replace(response, body=response.body.rstrip(b"\n") + INVALID_BYTE + b"\n")


FORMS: dict[str, Callable[[Response, Request], Response]] = {
    "error": _make_truncation(ERROR, ","),
    "html": _make_truncation(HTML_ERROR, ""),
    "cut": _truncate,
    "only-error": _replace_with_error,
    "page": lambda _, __: make_page(LOGIN),
    "login": lambda _, request: redirect_to_page(request, LOGIN_PAGE),
    "json-500": lambda _, __: make_error(500),
    "xml-500": lambda _, __: Response(500, XML_ERROR.encode(), {"content-type": "application/xml"}),
    "html-500": lambda _, __: make_page(HTML_ERROR, 500),
    "timeout": lambda _, __: make_page("<!DOCTYPE html><html><body>Gateway Timeout</body></html>", 504),
    "slow": lambda response, _: response,
    "no-content": lambda _, __: Response(204),
    "nothing": lambda response, _: Response(200, b"", dict(response.headers)),
    "short": _change_rows(lambda rows: rows[:-1]),
    "failed-item": _change_rows(lambda rows: [dict(FAILED), *rows[1:]] if rows else rows),
    "gzip-cut": _truncate_gzip,
    "line-cut": _drop_last_line,
    "stray-byte": _append_stray_byte,
}
# Validates each member of the control.
KINDS: dict[str, Callable[[Any], bool]] = {
    "stream": lambda value: isinstance(value, str),
    "form": lambda value: value in FORMS,
    "times": lambda value: value is None or (_is_number(value) and isinstance(value, int) and value > 0),
    "after": lambda value: _is_number(value) and isinstance(value, int),
    "above": lambda value: _is_number(value) and isinstance(value, int),
    "seconds": lambda value: _is_number(value) and value <= MAX_SECONDS,
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


class ResponseFaults(Schedule[ResponseFault]):
    """Faults that change a response after it was made."""

    def add_checked(self, body: Json, streams: frozenset[str]) -> Json:
        """Checks a fault and adds it."""
        for name, value in body.items():
            if name not in KINDS:
                raise ControlError(f"A failure has no member {name}; its members are {', '.join(KINDS)}.")
            if not KINDS[name](value):
                raise ControlError(f"The {name} of a failure cannot be {value!r}; forms are {', '.join(FORMS)}.")
        fault = ResponseFault(**body)
        if fault.stream not in streams:
            raise ControlError(f"There is no stream {fault.stream}.")
        return self.add_fault(fault)

    def apply_fault(self, stream: str, size: int, response: Response, request: Request) -> Response:
        """Returns the response, changed by a fault if there is one. Error responses are not changed."""
        if response.status != OK:
            return response
        fault = self.take_matching(lambda fault: fault.stream == stream and size > fault.above)
        if fault is None:
            return response
        changed = FORMS[fault.form](response, request)
        changed.seconds += fault.seconds
        return changed
