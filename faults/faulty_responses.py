"""All kinds of faulty responses: in the connection, status, headers, body, paging and token responses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from faults.connection_faults import connection_faults
from faults.json_edits import LINK_EDITS, TOKEN_EDITS, TOTAL_EDITS, Edit, apply_edit, make_row_edit
from faults.responders import (
    ALWAYS,
    ANY,
    ONCE,
    TWICE,
    FaultyResponse,
    Forward,
    make_fixed_responder,
    make_header_adder,
    make_modifier,
    make_static_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faults.wire import Request, Response, Step

STATUSES: tuple[int, ...] = (
    *(201, 202, 203, 205, 206, 300, 304),
    *range(400, 432),
    *(451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 524, 599, 999),
)
REDIRECTS = {
    "to the same URL": "{target}",
    "to another host": "http://127.0.0.1:9/login",
    "to a login page": "/login",
    "to an empty location": "",
}
RETRY_AFTER = {
    "none": None,
    "0": "0",
    "1": "1",
    "negative": "-5",
    "fractional": "0.2",
    "non-numeric": "soon",
    "empty": "",
    "1e300": "1e300",
    "infinite": "inf",
    "NaN": "nan",
    "400 digits": "9" * 400,
    "one day": "86400",
    "one year": "31536000",
    "year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
    "in the past": "Mon, 01 Jan 1990 00:00:00 GMT",
    "invalid date": "Fri, 99 Foo 2030 25:61:00 GMT",
    "invalid offset": "Fri, 31 Dec 2027 23:59:59 +9999",
}
RATE_LIMITS = {
    "negative": {"remaining": "-5", "reset": "-1"},
    "non-numeric": {"remaining": "few", "reset": "soon"},
    "1e300": {"remaining": "0", "reset": "1e300"},
    "400 digits": {"remaining": "9" * 400, "reset": "9" * 400},
    "one day": {"remaining": "0", "reset": "86400"},
    "NaN": {"remaining": "nan", "reset": "nan"},
}


def _status_faults() -> Iterable[FaultyResponse]:
    for status in STATUSES:
        yield FaultyResponse(f"{status}", "status", make_static_response(status), times=ANY)
    yield FaultyResponse("404 without a body", "status", make_static_response(404, b""), times=ANY)
    yield FaultyResponse(
        "403 with HTML", "status", make_static_response(403, b"<html>no</html>", "text/html"), times=ANY
    )
    yield FaultyResponse(
        "500 with HTML", "status", make_static_response(500, b"<html>no</html>", "text/html"), times=ANY
    )
    # Sent always, it cannot be told from an empty list.
    yield FaultyResponse("204", "status", make_fixed_responder(b"HTTP/1.1 204 No Content\r\n\r\n"), times=(ONCE,))
    for name, location in REDIRECTS.items():
        for status in (301, 302, 307):
            yield FaultyResponse(
                f"{status} {name}",
                "status",
                make_static_response(status, b"", headers={"Location": location}),
                times=(ONCE, ALWAYS),
            )


def _wait_faults() -> Iterable[FaultyResponse]:
    for name, text in RETRY_AFTER.items():
        for status in (429, 503):
            headers = {} if text is None else {"Retry_After": text}
            yield FaultyResponse(
                f"{status}, Retry-After {name}",
                "wait",
                make_static_response(status, headers=headers),
                times=(ONCE, TWICE, ALWAYS),
            )
    for name, limit in RATE_LIMITS.items():
        headers = {
            f"{prefix}_{part}": text
            for prefix in ("X_RateLimit", "RateLimit")
            for part, text in (*limit.items(), ("Limit", limit["remaining"]))
        } | {
            "x_csod_throttling_rate_limit_urilevel": limit["remaining"],
            "x_csod_requests_remaining_urilevel": limit["remaining"],
        }
        yield FaultyResponse(
            f"429, limits {name}", "wait", make_static_response(429, headers=headers), times=(ONCE, TWICE)
        )
        yield FaultyResponse(
            f"200, limits {name}",
            "wait",
            make_header_adder(headers),
            times=ANY,
        )


def _body_faults() -> Iterable[FaultyResponse]:
    bodies = {
        "HTML": b"<!doctype html><html><body>Maintenance</body></html>",
        "empty": b"",
        "blank": b" \r\n",
        "null": b"null",
        "empty list": b"[]",
        "empty object": b"{}",
        "string": b'"ok"',
        "number": b"17",
        "true": b"true",
        "error list with 200": b'{"errors": [{"title": "Odd"}]}',
        "error object with 200": b'{"error": {"code": "500", "message": "odd"}}',
        "data null": b'{"data": null, "_data": null, "value": null, "success": true}',
        "data is an object": b'{"data": {"a": 1}, "_data": {"a": 1}, "value": {"a": 1}, "success": true}',
        "success false": b'{"success": false, "error": {"code": 0, "message": "odd"}}',
        "3,000 nested levels": b"[" * 3000 + b"]" * 3000,
        "binary": bytes(range(256)) * 4,
    }
    for name, body in bodies.items():
        yield FaultyResponse(name, "body", make_static_response(200, body), times=ANY)
    yield FaultyResponse(
        "HTML, declared as such", "body", make_static_response(200, bodies["HTML"], "text/html"), times=ANY
    )

    def json_fault(name: str, change: Callable[[bytes], bytes], **more: Any) -> FaultyResponse:
        def respond(response: Response) -> Iterable[Step] | None:
            if not response.body.strip().startswith((b"{", b"[")):
                return None
            return [replace(response, body=change(response.body)).to_bytes()]

        return FaultyResponse(name, "body", make_modifier(respond), **more)

    yield json_fault("byte order mark", lambda body: b"\xef\xbb\xbf" + body, times=(ALWAYS,))
    yield json_fault("UTF-16", lambda body: body.decode().encode("utf-16"))
    yield json_fault("trailing junk", lambda body: body + b"junk")
    yield json_fault("document repeated", lambda body: body + body)
    yield json_fault("surrounding whitespace", lambda body: b"\r\n " + body + b" \n", times=(ALWAYS,), harmless=True)
    yield json_fault("invalid UTF-8", lambda body: body.replace(b'": "', b'": "\xff', 1))
    yield json_fault("control characters", lambda body: body.replace(b'": "', b'": "\x01\x0b', 1))
    yield json_fault("trailing comma", lambda body: body[:-1] + b"," + body[-1:])
    yield json_fault("truncated, length correct", lambda body: body[: len(body) * 2 // 3])


def _make_json_fault(name: str, group: str, edit: Edit, **more: Any) -> FaultyResponse:
    def respond(request: Request, forward: Forward) -> Iterable[Step] | None:
        response = forward()
        body = apply_edit(response.body, edit, request)
        return None if body is None else [replace(response, body=body).to_bytes()]

    return FaultyResponse(name, group, respond, **more)


def _paging_faults() -> Iterable[FaultyResponse]:
    for name, edit in TOTAL_EDITS.items():
        yield _make_json_fault(name, "paging", edit, times=ANY)
    for name, edit in LINK_EDITS.items():
        yield _make_json_fault(name, "paging", edit, times=(ONCE, ALWAYS))
    yield _make_json_fault("every row twice", "paging", make_row_edit(lambda rows: [*rows, *rows]), times=(ALWAYS,))
    yield _make_json_fault("a null row", "paging", make_row_edit(lambda rows: [None, *rows]), times=ANY)
    yield _make_json_fault("a string row", "paging", make_row_edit(lambda rows: ["x", *rows]), times=ANY)
    yield _make_json_fault("a list row", "paging", make_row_edit(lambda rows: [[], *rows]), times=ANY)
    yield _make_json_fault("an empty row", "paging", make_row_edit(lambda rows: [*rows, {}]), times=ANY)
    yield FaultyResponse(
        "previous page repeated",
        "paging",
        make_modifier(lambda response: [response.to_bytes()]),
        times=(ONCE,),
        repeats_page=True,
    )


def _token_faults() -> Iterable[FaultyResponse]:
    for name, edit in TOKEN_EDITS.items():
        yield _make_json_fault(name, "token", edit, times=(ONCE, ALWAYS), tokens_only=True)


FAULTY_RESPONSES: tuple[FaultyResponse, ...] = (
    *connection_faults(),
    *_status_faults(),
    *_wait_faults(),
    *_body_faults(),
    *_paging_faults(),
    *_token_faults(),
)
