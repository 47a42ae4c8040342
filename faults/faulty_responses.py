"""All kinds of faulty responses: in the connection, status, headers, body, paging and token responses."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from faults.json_edits import LINK_EDITS, TOKEN_EDITS, TOTAL_EDITS, Edit, apply_edit, edit_rows
from faults.wire import ConnectionEnd, Request, Response, Step

Forward = Callable[[], Response]
Responder = Callable[[Request, Forward], "Iterable[Step] | None"]
"""Returns what to send back. None: the fault does not apply to this response, which is forwarded unchanged."""

STALL_SECONDS = 3.0
"""Longer than the taps' timeout in these trials, which is one second."""

ONCE, TWICE, BURST, ALWAYS = 1, 2, 5, 10**9
TEMPORARY = (ONCE, TWICE, BURST)
"""Number of consecutive requests that get a temporary fault."""

ANY = (*TEMPORARY, ALWAYS)


@dataclass(frozen=True)
class FaultyResponse:
    """A kind of faulty response.

    Args:
        name: Name in the report.
        group: Group in the report.
        respond: Returns what to send back.
        times: Possible numbers of requests to hit.
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


def _fixed(*steps: Step) -> Responder:
    """Responds without asking the vendor."""
    return lambda _request, _forward: steps


def _modified(modify: Callable[[Response], Iterable[Step] | None]) -> Responder:
    """Modifies the vendor's response."""
    return lambda _request, forward: modify(forward())


def _with_headers(headers: Mapping[str, str]) -> Responder:
    """Adds headers to the vendor's response."""
    return _modified(lambda response: [response.with_headers(**headers).to_bytes()])


def _first_half(response: Response) -> bytes:
    return response.body[: max(1, len(response.body) // 2)]


def _compressed(response: Response, pack: Callable[[bytes], bytes] = gzip.compress, encoding: str = "gzip") -> Response:
    return replace(response.with_headers(Content_Encoding=encoding), body=pack(response.body))


def _truncated(response: Response, keep: float | int, *, with_length: bool) -> Iterable[Step] | None:  # noqa: PYI041 - a fraction, or bytes
    """A response that ends early, with a `Content-Length` of what is sent or with none."""
    length = int(len(response.body) * keep) if isinstance(keep, float) else len(response.body) + keep
    # Nothing in an image says where it ends.
    is_undetectable = not with_length and response.header("content-type").startswith("image/")
    if is_undetectable or not 0 < length < len(response.body):
        return None
    body = response.body[:length]
    return (
        response.head_bytes("Connection: close", length=length if with_length else None),
        body,
        ConnectionEnd.CLOSED,
    )


def _truncated_csv(response: Response) -> Iterable[Step] | None:
    """Half of a CSV file without a length, which looks complete."""
    lines = response.body.splitlines(keepends=True)
    if len(lines) < 4 or not response.header("content-type").startswith("text/csv"):  # noqa: PLR2004 - too short to halve
        return None
    return (
        response.head_bytes("Connection: close", length=None),
        b"".join(lines[: len(lines) // 2]),
        ConnectionEnd.CLOSED,
    )


def _chunked(response: Response, *, size: bytes | None = None, end: bytes = b"") -> tuple[Step, ...]:
    half = _first_half(response)
    head = response.head_bytes("Transfer-Encoding: chunked", length=None)
    return (head, (b"%x" % len(half) if size is None else size) + b"\r\n", half, b"\r\n", end, ConnectionEnd.CLOSED)


def _gzip_members(body: bytes) -> bytes:
    return gzip.compress(body[: len(body) // 2]) + gzip.compress(body[len(body) // 2 :])


def _wrong_checksum(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    packed[-8] ^= 0xFF
    return bytes(packed)


def _slow_body(response: Response, pieces: int, seconds: float) -> Iterable[Step]:
    yield response.head_bytes()
    step = max(1, len(response.body) // pieces)
    for begin in range(0, len(response.body), step):
        yield response.body[begin : begin + step]
        yield seconds


def _connection_faults() -> Iterable[FaultyResponse]:
    def fault(name: str, respond: Responder, **more: Any) -> FaultyResponse:
        return FaultyResponse(name, "connection", respond, **more)

    yield fault("closed before headers", _fixed(ConnectionEnd.CLOSED), times=ANY)
    yield fault("closed after the vendor responded", _modified(lambda _: (ConnectionEnd.CLOSED,)))
    yield fault("reset before headers", _fixed(ConnectionEnd.RESET), times=ANY)
    yield fault("closed in the status line", _fixed(b"HTTP/1.1 20", ConnectionEnd.CLOSED))
    yield fault(
        "closed in the headers", _modified(lambda response: (response.head_bytes()[:-20], ConnectionEnd.CLOSED))
    )
    yield fault(
        "body truncated, length declared",
        _modified(lambda response: (response.head_bytes(), _first_half(response), ConnectionEnd.CLOSED)),
        times=ANY,
    )
    yield fault(
        "reset in the body, length declared",
        _modified(lambda response: (response.head_bytes(), _first_half(response), 0.05, ConnectionEnd.RESET)),
    )
    yield fault(
        "body truncated, no length", _modified(lambda response: _truncated(response, 0.5, with_length=False)), times=ANY
    )
    yield fault("last byte missing, no length", _modified(lambda response: _truncated(response, -1, with_length=False)))
    yield fault("truncated at the end of a line, no length", _modified(_truncated_csv), times=ANY)
    yield fault("chunked body truncated", _modified(_chunked))
    yield fault("invalid chunk size", _modified(lambda response: _chunked(response, size=b"zz")))
    yield fault("chunk size too large", _modified(lambda response: _chunked(response, size=b"fffff", end=b"0\r\n\r\n")))
    yield fault("gzip", _modified(lambda response: [_compressed(response).to_bytes()]), times=(ALWAYS,), harmless=True)
    yield fault(
        "gzip in two members",
        _modified(lambda response: [_compressed(response, _gzip_members).to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "deflate",
        _modified(lambda response: [_compressed(response, zlib.compress, "deflate").to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "gzip truncated, length declared",
        _modified(lambda response: _truncated(_compressed(response), 0.6, with_length=True)),
        times=ANY,
    )
    yield fault(
        "gzip truncated, no length",
        _modified(lambda response: _truncated(_compressed(response), 0.6, with_length=False)),
    )
    yield fault(
        "gzip without its last bytes",
        _modified(lambda response: _truncated(_compressed(response), -8, with_length=True)),
    )
    yield fault(
        "gzip with a wrong checksum", _modified(lambda response: [_compressed(response, _wrong_checksum).to_bytes()])
    )
    yield fault(
        "gzip with trailing data",
        _modified(lambda response: [_compressed(response, lambda body: gzip.compress(body) + b"junk").to_bytes()]),
    )
    yield fault(
        "declared as gzip, but is not",
        _modified(lambda response: [response.with_headers(Content_Encoding="gzip").to_bytes()]),
        times=ANY,
    )
    yield fault(
        "declared as deflate, but is not",
        _modified(lambda response: [response.with_headers(Content_Encoding="deflate").to_bytes()]),
    )
    yield fault(
        "unknown encoding", _modified(lambda response: [response.with_headers(Content_Encoding="x-odd").to_bytes()])
    )
    yield fault(
        "wrong charset",
        _modified(lambda response: [response.with_headers(Content_Type="application/json; charset=utf-16").to_bytes()]),
    )
    yield fault("stalls before headers", _fixed(STALL_SECONDS, ConnectionEnd.CLOSED), times=(ONCE, TWICE), is_slow=True)
    yield fault(
        "stalls in the body",
        _modified(lambda response: (response.head_bytes(), _first_half(response), STALL_SECONDS, ConnectionEnd.CLOSED)),
        times=(ONCE, TWICE),
        is_slow=True,
    )
    yield fault("slow body", _modified(lambda response: _slow_body(response, 20, 0.02)), harmless=True)
    yield fault(
        "endlessly slow body", _modified(lambda response: _slow_body(response, 1000, 0.5)), times=(ONCE,), is_slow=True
    )
    yield fault("not HTTP", _fixed(b"SSH-2.0-x\r\n\r\n", ConnectionEnd.CLOSED))
    yield fault(
        "103 Early Hints first",
        _modified(lambda response: (b"HTTP/1.1 103 Early Hints\r\n\r\n", response.to_bytes())),
        times=(ALWAYS,),
    )
    yield fault(
        "HTTP/1.0 without a length",
        _modified(
            lambda response: (
                response.head_bytes(length=None).replace(b"/1.1", b"/1.0", 1),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
        harmless=True,
    )
    yield fault("200 kB header", _modified(lambda response: [response.with_headers(X_Long="x" * 200_000).to_bytes()]))
    yield fault(
        "500 headers",
        _modified(lambda response: (response.head_bytes(*(f"X-{n}: {n}" for n in range(500))), response.body)),
    )
    yield fault(
        "header without a colon", _modified(lambda response: (response.head_bytes("no colon here"), response.body))
    )
    yield fault(
        "header with unusual bytes",
        _modified(lambda response: (response.head_bytes("X-Odd: \xff\xfe\x01\x7f"), response.body)),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "two Content-Length headers",
        _modified(lambda response: (response.head_bytes("Content-Length: 1"), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "Content-Length too small",
        _modified(
            lambda response: (
                response.head_bytes("Connection: close", length=len(_first_half(response))),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )
    yield fault(
        "Content-Length too large",
        _modified(
            lambda response: (response.head_bytes(length=len(response.body) + 10), response.body, ConnectionEnd.CLOSED)
        ),
    )
    yield fault(
        "negative Content-Length",
        _modified(lambda response: (response.head_bytes(length=-5), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "non-numeric Content-Length",
        _modified(
            lambda response: (
                response.head_bytes("Content-Length: many", length=None),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )


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
ERROR_BODY = b'{"errors": [{"title": "Odd", "detail": "odd"}], "error": "odd"}'


def static_response(
    status: int,
    body: bytes = ERROR_BODY,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Responder:
    """A fixed response in place of the vendor's."""
    return _fixed(Response(status, (("Content-Type", content_type),), body).with_headers(**(headers or {})).to_bytes())


def _status_faults() -> Iterable[FaultyResponse]:
    for status in STATUSES:
        yield FaultyResponse(f"{status}", "status", static_response(status), times=ANY)
    yield FaultyResponse("404 without a body", "status", static_response(404, b""), times=ANY)
    yield FaultyResponse("403 with HTML", "status", static_response(403, b"<html>no</html>", "text/html"), times=ANY)
    yield FaultyResponse("500 with HTML", "status", static_response(500, b"<html>no</html>", "text/html"), times=ANY)
    yield FaultyResponse("204", "status", _fixed(b"HTTP/1.1 204 No Content\r\n\r\n"), times=ANY)
    for name, location in REDIRECTS.items():
        for status in (301, 302, 307):
            yield FaultyResponse(
                f"{status} {name}",
                "status",
                static_response(status, b"", headers={"Location": location}),
                times=(ONCE, ALWAYS),
            )


def _wait_faults() -> Iterable[FaultyResponse]:
    for name, text in RETRY_AFTER.items():
        for status in (429, 503):
            headers = {} if text is None else {"Retry_After": text}
            yield FaultyResponse(
                f"{status}, Retry-After {name}",
                "wait",
                static_response(status, headers=headers),
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
        yield FaultyResponse(f"429, limits {name}", "wait", static_response(429, headers=headers), times=(ONCE, TWICE))
        yield FaultyResponse(
            f"200, limits {name}",
            "wait",
            _with_headers(headers),
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
        yield FaultyResponse(name, "body", static_response(200, body), times=ANY)
    yield FaultyResponse("HTML, declared as such", "body", static_response(200, bodies["HTML"], "text/html"), times=ANY)

    def json_fault(name: str, change: Callable[[bytes], bytes], **more: Any) -> FaultyResponse:
        def respond(response: Response) -> Iterable[Step] | None:
            if not response.body.strip().startswith((b"{", b"[")):
                return None
            return [replace(response, body=change(response.body)).to_bytes()]

        return FaultyResponse(name, "body", _modified(respond), **more)

    yield json_fault("byte order mark", lambda body: b"\xef\xbb\xbf" + body, times=(ALWAYS,))
    yield json_fault("UTF-16", lambda body: body.decode().encode("utf-16"))
    yield json_fault("trailing junk", lambda body: body + b"junk")
    yield json_fault("document repeated", lambda body: body + body)
    yield json_fault("surrounding whitespace", lambda body: b"\r\n " + body + b" \n", times=(ALWAYS,), harmless=True)
    yield json_fault("invalid UTF-8", lambda body: body.replace(b'": "', b'": "\xff', 1))
    yield json_fault("control characters", lambda body: body.replace(b'": "', b'": "\x01\x0b', 1))
    yield json_fault("trailing comma", lambda body: body[:-1] + b"," + body[-1:])
    yield json_fault("truncated, length correct", lambda body: body[: len(body) * 2 // 3])


def _edit(name: str, group: str, edit: Edit, **more: Any) -> FaultyResponse:
    def respond(request: Request, forward: Forward) -> Iterable[Step] | None:
        response = forward()
        body = apply_edit(response.body, edit, request)
        return None if body is None else [replace(response, body=body).to_bytes()]

    return FaultyResponse(name, group, respond, **more)


def _paging_faults() -> Iterable[FaultyResponse]:
    for name, edit in TOTAL_EDITS.items():
        yield _edit(name, "paging", edit, times=ANY)
    for name, edit in LINK_EDITS.items():
        yield _edit(name, "paging", edit, times=(ONCE, ALWAYS))
    yield _edit("every row twice", "paging", edit_rows(lambda rows: [*rows, *rows]), times=(ALWAYS,))
    yield _edit("a null row", "paging", edit_rows(lambda rows: [None, *rows]), times=ANY)
    yield _edit("a string row", "paging", edit_rows(lambda rows: ["x", *rows]), times=ANY)
    yield _edit("a list row", "paging", edit_rows(lambda rows: [[], *rows]), times=ANY)
    yield _edit("an empty row", "paging", edit_rows(lambda rows: [*rows, {}]), times=ANY)
    yield FaultyResponse(
        "previous page repeated",
        "paging",
        _modified(lambda response: [response.to_bytes()]),
        times=(ONCE,),
        repeats_page=True,
    )


def _token_faults() -> Iterable[FaultyResponse]:
    for name, edit in TOKEN_EDITS.items():
        yield _edit(name, "token", edit, times=(ONCE, ALWAYS), tokens_only=True)


FAULTY_RESPONSES: tuple[FaultyResponse, ...] = (
    *_connection_faults(),
    *_status_faults(),
    *_wait_faults(),
    *_body_faults(),
    *_paging_faults(),
    *_token_faults(),
)
