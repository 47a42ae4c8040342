"""Faulty responses in the connection, the transfer encoding and the headers."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from faults.responders import (
    ALWAYS,
    ANY,
    ONCE,
    TWICE,
    FaultyResponse,
    Responder,
    make_fixed_responder,
    make_header_adder,
    make_modifier,
)
from faults.wire import ConnectionEnd, Response, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STALL_SECONDS = 3.0
"""Longer than the taps' timeout in these trials, which is one second."""


def _first_half(response: Response) -> bytes:
    return response.body[: max(1, len(response.body) // 2)]


def _compress_response(
    response: Response, pack: Callable[[bytes], bytes] = gzip.compress, encoding: str = "gzip"
) -> Response:
    return replace(response.with_headers(Content_Encoding=encoding), body=pack(response.body))


def _truncate_response(response: Response, keep: float | int, *, with_length: bool) -> Iterable[Step] | None:  # noqa: PYI041 - a fraction, or bytes
    """Returns a response that ends early, with a `Content-Length` of what is sent or with none."""
    length = int(len(response.body) * keep) if isinstance(keep, float) else len(response.body) + keep
    # Nothing in an image says where it ends.
    is_undetectable = not with_length and response.find_header("content-type").startswith("image/")
    if is_undetectable or not 0 < length < len(response.body):
        return None
    body = response.body[:length]
    return (
        response.make_head("Connection: close", length=length if with_length else None),
        body,
        ConnectionEnd.CLOSED,
    )


def _truncate_csv(response: Response) -> Iterable[Step] | None:
    """Returns half of a CSV file without a Content-Length header, so that it looks complete."""
    lines = response.body.splitlines(keepends=True)
    if len(lines) < 4 or not response.find_header("content-type").startswith("text/csv"):  # noqa: PLR2004 - too short to halve
        return None
    return (
        response.make_head("Connection: close", length=None),
        b"".join(lines[: len(lines) // 2]),
        ConnectionEnd.CLOSED,
    )


def _send_in_chunks(response: Response, *, size: bytes | None = None, end: bytes = b"") -> tuple[Step, ...]:
    half = _first_half(response)
    head = response.make_head("Transfer-Encoding: chunked", length=None)
    return (head, (b"%x" % len(half) if size is None else size) + b"\r\n", half, b"\r\n", end, ConnectionEnd.CLOSED)


def _split_into_gzip_members(body: bytes) -> bytes:
    return gzip.compress(body[: len(body) // 2]) + gzip.compress(body[len(body) // 2 :])


def _corrupt_checksum(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    packed[-8] ^= 0xFF
    return bytes(packed)


def _send_slowly(response: Response, pieces: int, seconds: float) -> Iterable[Step]:
    yield response.make_head()
    step = max(1, len(response.body) // pieces)
    for begin in range(0, len(response.body), step):
        yield response.body[begin : begin + step]
        yield seconds


def connection_faults() -> Iterable[FaultyResponse]:
    """Yields faults of the connection, the transfer encoding and the headers."""

    def fault(name: str, respond: Responder, **more: Any) -> FaultyResponse:
        return FaultyResponse(name, "connection", respond, **more)

    yield fault("closed before headers", make_fixed_responder(ConnectionEnd.CLOSED), times=ANY)
    yield fault("closed after the vendor responded", make_modifier(lambda _: (ConnectionEnd.CLOSED,)))
    yield fault("reset before headers", make_fixed_responder(ConnectionEnd.RESET), times=ANY)
    yield fault("closed in the status line", make_fixed_responder(b"HTTP/1.1 20", ConnectionEnd.CLOSED))
    yield fault(
        "closed in the headers", make_modifier(lambda response: (response.make_head()[:-20], ConnectionEnd.CLOSED))
    )
    yield fault(
        "body truncated, length declared",
        make_modifier(lambda response: (response.make_head(), _first_half(response), ConnectionEnd.CLOSED)),
        times=ANY,
    )
    yield fault(
        "reset in the body, length declared",
        make_modifier(lambda response: (response.make_head(), _first_half(response), 0.05, ConnectionEnd.RESET)),
    )
    yield fault(
        "body truncated, no length",
        make_modifier(lambda response: _truncate_response(response, 0.5, with_length=False)),
        times=ANY,
    )
    yield fault(
        "last byte missing, no length",
        make_modifier(lambda response: _truncate_response(response, -1, with_length=False)),
    )
    yield fault("truncated at the end of a line, no length", make_modifier(_truncate_csv), times=ANY)
    yield fault("chunked body truncated", make_modifier(_send_in_chunks))
    yield fault("invalid chunk size", make_modifier(lambda response: _send_in_chunks(response, size=b"zz")))
    yield fault(
        "chunk size too large",
        make_modifier(lambda response: _send_in_chunks(response, size=b"fffff", end=b"0\r\n\r\n")),
    )
    yield fault(
        "gzip",
        make_modifier(lambda response: [_compress_response(response).to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "gzip in two members",
        make_modifier(lambda response: [_compress_response(response, _split_into_gzip_members).to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "deflate",
        make_modifier(lambda response: [_compress_response(response, zlib.compress, "deflate").to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "gzip truncated, length declared",
        make_modifier(lambda response: _truncate_response(_compress_response(response), 0.6, with_length=True)),
        times=ANY,
    )
    yield fault(
        "gzip truncated, no length",
        make_modifier(lambda response: _truncate_response(_compress_response(response), 0.6, with_length=False)),
    )
    yield fault(
        "gzip without its last bytes",
        make_modifier(lambda response: _truncate_response(_compress_response(response), -8, with_length=True)),
    )
    yield fault(
        "gzip with a wrong checksum",
        make_modifier(lambda response: [_compress_response(response, _corrupt_checksum).to_bytes()]),
    )
    yield fault(
        "gzip with trailing data",
        make_modifier(
            lambda response: [_compress_response(response, lambda body: gzip.compress(body) + b"junk").to_bytes()]
        ),
    )
    yield fault(
        "declared as gzip, but is not",
        make_header_adder({"Content_Encoding": "gzip"}),
        times=ANY,
    )
    yield fault(
        "declared as deflate, but is not",
        make_header_adder({"Content_Encoding": "deflate"}),
    )
    yield fault("unknown encoding", make_header_adder({"Content_Encoding": "x-odd"}))
    yield fault(
        "wrong charset",
        make_header_adder({"Content_Type": "application/json; charset=utf-16"}),
    )
    yield fault(
        "stalls before headers",
        make_fixed_responder(STALL_SECONDS, ConnectionEnd.CLOSED),
        times=(ONCE, TWICE),
        is_slow=True,
    )
    yield fault(
        "stalls in the body",
        make_modifier(
            lambda response: (response.make_head(), _first_half(response), STALL_SECONDS, ConnectionEnd.CLOSED)
        ),
        times=(ONCE, TWICE),
        is_slow=True,
    )
    yield fault("slow body", make_modifier(lambda response: _send_slowly(response, 20, 0.02)), harmless=True)
    yield fault(
        "endlessly slow body",
        make_modifier(lambda response: _send_slowly(response, 1000, 0.5)),
        times=(ONCE,),
        is_slow=True,
    )
    yield fault("not HTTP", make_fixed_responder(b"SSH-2.0-x\r\n\r\n", ConnectionEnd.CLOSED))
    yield fault(
        "103 Early Hints first",
        make_modifier(lambda response: (b"HTTP/1.1 103 Early Hints\r\n\r\n", response.to_bytes())),
        times=(ALWAYS,),
    )
    yield fault(
        "HTTP/1.0 without a length",
        make_modifier(
            lambda response: (
                response.make_head(length=None).replace(b"/1.1", b"/1.0", 1),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
        harmless=True,
    )
    yield fault("200 kB header", make_header_adder({"X_Long": "x" * 200_000}))
    yield fault(
        "500 headers",
        make_modifier(lambda response: (response.make_head(*(f"X-{n}: {n}" for n in range(500))), response.body)),
    )
    yield fault(
        "header without a colon", make_modifier(lambda response: (response.make_head("no colon here"), response.body))
    )
    yield fault(
        "header with unusual bytes",
        make_modifier(lambda response: (response.make_head("X-Odd: \xff\xfe\x01\x7f"), response.body)),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "two Content-Length headers",
        make_modifier(lambda response: (response.make_head("Content-Length: 1"), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "Content-Length too small",
        make_modifier(
            lambda response: (
                response.make_head("Connection: close", length=len(_first_half(response))),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )
    yield fault(
        "Content-Length too large",
        make_modifier(
            lambda response: (response.make_head(length=len(response.body) + 10), response.body, ConnectionEnd.CLOSED)
        ),
    )
    yield fault(
        "negative Content-Length",
        make_modifier(lambda response: (response.make_head(length=-5), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "non-numeric Content-Length",
        make_modifier(
            lambda response: (
                response.make_head("Content-Length: many", length=None),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )
