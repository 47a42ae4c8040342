"""Faulty responses in the connection, the transfer encoding and the headers."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from faults.responders import ALWAYS, ANY, ONCE, TWICE, FaultyResponse, Responder, add_headers, modify, send
from faults.wire import ConnectionEnd, Response, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STALL_SECONDS = 3.0
"""Longer than the taps' timeout in these trials, which is one second."""


def _first_half(response: Response) -> bytes:
    return response.body[: max(1, len(response.body) // 2)]


def _compressed(response: Response, pack: Callable[[bytes], bytes] = gzip.compress, encoding: str = "gzip") -> Response:
    return replace(response.with_headers(Content_Encoding=encoding), body=pack(response.body))


def _truncated(response: Response, keep: float | int, *, with_length: bool) -> Iterable[Step] | None:  # noqa: PYI041 - a fraction, or bytes
    """Returns a response that ends early, with a `Content-Length` of what is sent or with none."""
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
    """Returns half of a CSV file without a length, which looks complete."""
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


def connection_faults() -> Iterable[FaultyResponse]:
    """Yields faults of the connection, the transfer encoding and the headers."""

    def fault(name: str, respond: Responder, **more: Any) -> FaultyResponse:
        return FaultyResponse(name, "connection", respond, **more)

    yield fault("closed before headers", send(ConnectionEnd.CLOSED), times=ANY)
    yield fault("closed after the vendor responded", modify(lambda _: (ConnectionEnd.CLOSED,)))
    yield fault("reset before headers", send(ConnectionEnd.RESET), times=ANY)
    yield fault("closed in the status line", send(b"HTTP/1.1 20", ConnectionEnd.CLOSED))
    yield fault("closed in the headers", modify(lambda response: (response.head_bytes()[:-20], ConnectionEnd.CLOSED)))
    yield fault(
        "body truncated, length declared",
        modify(lambda response: (response.head_bytes(), _first_half(response), ConnectionEnd.CLOSED)),
        times=ANY,
    )
    yield fault(
        "reset in the body, length declared",
        modify(lambda response: (response.head_bytes(), _first_half(response), 0.05, ConnectionEnd.RESET)),
    )
    yield fault(
        "body truncated, no length", modify(lambda response: _truncated(response, 0.5, with_length=False)), times=ANY
    )
    yield fault("last byte missing, no length", modify(lambda response: _truncated(response, -1, with_length=False)))
    yield fault("truncated at the end of a line, no length", modify(_truncated_csv), times=ANY)
    yield fault("chunked body truncated", modify(_chunked))
    yield fault("invalid chunk size", modify(lambda response: _chunked(response, size=b"zz")))
    yield fault("chunk size too large", modify(lambda response: _chunked(response, size=b"fffff", end=b"0\r\n\r\n")))
    yield fault("gzip", modify(lambda response: [_compressed(response).to_bytes()]), times=(ALWAYS,), harmless=True)
    yield fault(
        "gzip in two members",
        modify(lambda response: [_compressed(response, _gzip_members).to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "deflate",
        modify(lambda response: [_compressed(response, zlib.compress, "deflate").to_bytes()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "gzip truncated, length declared",
        modify(lambda response: _truncated(_compressed(response), 0.6, with_length=True)),
        times=ANY,
    )
    yield fault(
        "gzip truncated, no length",
        modify(lambda response: _truncated(_compressed(response), 0.6, with_length=False)),
    )
    yield fault(
        "gzip without its last bytes",
        modify(lambda response: _truncated(_compressed(response), -8, with_length=True)),
    )
    yield fault(
        "gzip with a wrong checksum", modify(lambda response: [_compressed(response, _wrong_checksum).to_bytes()])
    )
    yield fault(
        "gzip with trailing data",
        modify(lambda response: [_compressed(response, lambda body: gzip.compress(body) + b"junk").to_bytes()]),
    )
    yield fault(
        "declared as gzip, but is not",
        add_headers({"Content_Encoding": "gzip"}),
        times=ANY,
    )
    yield fault(
        "declared as deflate, but is not",
        add_headers({"Content_Encoding": "deflate"}),
    )
    yield fault("unknown encoding", add_headers({"Content_Encoding": "x-odd"}))
    yield fault(
        "wrong charset",
        add_headers({"Content_Type": "application/json; charset=utf-16"}),
    )
    yield fault("stalls before headers", send(STALL_SECONDS, ConnectionEnd.CLOSED), times=(ONCE, TWICE), is_slow=True)
    yield fault(
        "stalls in the body",
        modify(lambda response: (response.head_bytes(), _first_half(response), STALL_SECONDS, ConnectionEnd.CLOSED)),
        times=(ONCE, TWICE),
        is_slow=True,
    )
    yield fault("slow body", modify(lambda response: _slow_body(response, 20, 0.02)), harmless=True)
    yield fault(
        "endlessly slow body", modify(lambda response: _slow_body(response, 1000, 0.5)), times=(ONCE,), is_slow=True
    )
    yield fault("not HTTP", send(b"SSH-2.0-x\r\n\r\n", ConnectionEnd.CLOSED))
    yield fault(
        "103 Early Hints first",
        modify(lambda response: (b"HTTP/1.1 103 Early Hints\r\n\r\n", response.to_bytes())),
        times=(ALWAYS,),
    )
    yield fault(
        "HTTP/1.0 without a length",
        modify(
            lambda response: (
                response.head_bytes(length=None).replace(b"/1.1", b"/1.0", 1),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
        harmless=True,
    )
    yield fault("200 kB header", add_headers({"X_Long": "x" * 200_000}))
    yield fault(
        "500 headers",
        modify(lambda response: (response.head_bytes(*(f"X-{n}: {n}" for n in range(500))), response.body)),
    )
    yield fault(
        "header without a colon", modify(lambda response: (response.head_bytes("no colon here"), response.body))
    )
    yield fault(
        "header with unusual bytes",
        modify(lambda response: (response.head_bytes("X-Odd: \xff\xfe\x01\x7f"), response.body)),
        times=(ALWAYS,),
        harmless=True,
    )
    yield fault(
        "two Content-Length headers",
        modify(lambda response: (response.head_bytes("Content-Length: 1"), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "Content-Length too small",
        modify(
            lambda response: (
                response.head_bytes("Connection: close", length=len(_first_half(response))),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )
    yield fault(
        "Content-Length too large",
        modify(
            lambda response: (response.head_bytes(length=len(response.body) + 10), response.body, ConnectionEnd.CLOSED)
        ),
    )
    yield fault(
        "negative Content-Length",
        modify(lambda response: (response.head_bytes(length=-5), response.body, ConnectionEnd.CLOSED)),
    )
    yield fault(
        "non-numeric Content-Length",
        modify(
            lambda response: (
                response.head_bytes("Content-Length: many", length=None),
                response.body,
                ConnectionEnd.CLOSED,
            )
        ),
    )
