"""Every kind of bad answer: on the wire, in the status, in headers, in the body, in what the body says of itself.

A kind makes what goes back for one request. None means that it cannot be made of this answer: it then passes as it is.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from faults.jsons import ABSURD_TOKENS, LINKS, TOTALS, Edit, edited, first_list
from faults.wire import Asked, End, Reply, Step

Ask = Callable[[], Reply]
Make = Callable[[Asked, Ask], "Iterable[Step] | None"]

STALL = 3.0
"""Seconds; the taps of such trials wait one."""

ONCE, TWICE, BURST, ALWAYS = 1, 2, 5, 10**9
PASSING = (ONCE, TWICE, BURST)
"""How many requests in turn it hits: what passes, and (with the last one) what stays."""

ANY = (*PASSING, ALWAYS)


@dataclass(frozen=True)
class Kind:
    """A way in which an answer is bad.

    Args:
        name: In the report.
        group: In the report.
        make: What goes back.
        times: How many requests it may hit.
        harmless: Whether nothing is lost: the run must be exact.
        paged: Whether it is made of the page before, for pages after the first one of a list without other slices.
        tokens: Whether it is for answers of token endpoints alone.
        patient: Whether it is about waiting: the tap waits a second for an answer.
    """

    name: str
    group: str
    make: Make
    times: tuple[int, ...] = PASSING
    harmless: bool = False
    paged: bool = False
    tokens: bool = False
    patient: bool = False


def _instead(*steps: Step) -> Make:
    """In the vendor's place."""
    return lambda _asked, _ask: steps


def _of(make: Callable[[Reply], Iterable[Step] | None]) -> Make:
    """Of the vendor's answer."""
    return lambda _asked, ask: make(ask())


def _having(headers: Mapping[str, str]) -> Make:
    """The vendor's answer with further headers."""
    return _of(lambda reply: [reply.having(**headers).whole()])


def _half(reply: Reply) -> bytes:
    return reply.body[: max(1, len(reply.body) // 2)]


def _packed(reply: Reply, pack: Callable[[bytes], bytes] = gzip.compress, encoding: str = "gzip") -> Reply:
    return replace(reply.having(Content_Encoding=encoding), body=pack(reply.body))


def _cut(reply: Reply, keep: float | int, *, told: bool) -> Iterable[Step] | None:  # noqa: PYI041 - a share, or bytes
    """An answer that ends early; its length is told as what came, or not at all."""
    length = int(len(reply.body) * keep) if isinstance(keep, float) else len(reply.body) + keep
    unseen = not told and reply.header("content-type").startswith("image/")  # nothing says where a picture ends
    if unseen or not 0 < length < len(reply.body):
        return None
    body = reply.body[:length]
    return (reply.head("Connection: close", length=length if told else None), body, End.CLOSED)


def _cut_at_a_line(reply: Reply) -> Iterable[Step] | None:
    """Half of a table, without a length: nothing in it says that it is half."""
    lines = reply.body.splitlines(keepends=True)
    if len(lines) < 4 or not reply.header("content-type").startswith("text/csv"):  # noqa: PLR2004 - half of less is none
        return None
    return (reply.head("Connection: close", length=None), b"".join(lines[: len(lines) // 2]), End.CLOSED)


def _chunked(reply: Reply, *, size: bytes | None = None, end: bytes = b"") -> tuple[Step, ...]:
    half = _half(reply)
    head = reply.head("Transfer-Encoding: chunked", length=None)
    return (head, (b"%x" % len(half) if size is None else size) + b"\r\n", half, b"\r\n", end, End.CLOSED)


def _gzip_members(body: bytes) -> bytes:
    return gzip.compress(body[: len(body) // 2]) + gzip.compress(body[len(body) // 2 :])


def _wrong_sum(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    packed[-8] ^= 0xFF
    return bytes(packed)


def _drip(reply: Reply, pieces: int, seconds: float) -> Iterable[Step]:
    yield reply.head()
    step = max(1, len(reply.body) // pieces)
    for begin in range(0, len(reply.body), step):
        yield reply.body[begin : begin + step]
        yield seconds


def _wire() -> Iterable[Kind]:
    def kind(name: str, make: Make, **more: Any) -> Kind:
        return Kind(name, "connection", make, **more)

    yield kind("closed before headers", _instead(End.CLOSED), times=ANY)
    yield kind("closed after the vendor answered", _of(lambda _: (End.CLOSED,)))
    yield kind("reset before headers", _instead(End.RESET), times=ANY)
    yield kind("closed within the status line", _instead(b"HTTP/1.1 20", End.CLOSED))
    yield kind("closed within headers", _of(lambda reply: (reply.head()[:-20], End.CLOSED)))
    yield kind("body cut, length told", _of(lambda reply: (reply.head(), _half(reply), End.CLOSED)), times=ANY)
    yield kind("body reset, length told", _of(lambda reply: (reply.head(), _half(reply), 0.05, End.RESET)))
    yield kind("body cut, no length", _of(lambda reply: _cut(reply, 0.5, told=False)), times=ANY)
    yield kind("last byte missing, no length", _of(lambda reply: _cut(reply, -1, told=False)))
    yield kind("cut at a line's end, no length", _of(_cut_at_a_line), times=ANY)
    yield kind("chunks cut", _of(_chunked))
    yield kind("chunk of no size", _of(lambda reply: _chunked(reply, size=b"zz")))
    yield kind("chunk larger than what came", _of(lambda reply: _chunked(reply, size=b"fffff", end=b"0\r\n\r\n")))
    yield kind("gzip", _of(lambda reply: [_packed(reply).whole()]), times=(ALWAYS,), harmless=True)
    yield kind(
        "gzip in two members",
        _of(lambda reply: [_packed(reply, _gzip_members).whole()]),
        times=(ALWAYS,),
        harmless=True,
    )
    yield kind(
        "deflate", _of(lambda reply: [_packed(reply, zlib.compress, "deflate").whole()]), times=(ALWAYS,), harmless=True
    )
    yield kind("gzip cut, its length told", _of(lambda reply: _cut(_packed(reply), 0.6, told=True)), times=ANY)
    yield kind("gzip cut, no length", _of(lambda reply: _cut(_packed(reply), 0.6, told=False)))
    yield kind("gzip without its last bytes", _of(lambda reply: _cut(_packed(reply), -8, told=True)))
    yield kind("gzip with a wrong sum", _of(lambda reply: [_packed(reply, _wrong_sum).whole()]))
    yield kind(
        "gzip with more behind it",
        _of(lambda reply: [_packed(reply, lambda body: gzip.compress(body) + b"junk").whole()]),
    )
    yield kind("said to be gzip, is not", _of(lambda reply: [reply.having(Content_Encoding="gzip").whole()]), times=ANY)
    yield kind("said to be deflate, is not", _of(lambda reply: [reply.having(Content_Encoding="deflate").whole()]))
    yield kind("an encoding that nobody knows", _of(lambda reply: [reply.having(Content_Encoding="x-odd").whole()]))
    yield kind(
        "a charset that it has not",
        _of(lambda reply: [reply.having(Content_Type="application/json; charset=utf-16").whole()]),
    )
    yield kind("stalls before headers", _instead(STALL, End.CLOSED), times=(ONCE, TWICE), patient=True)
    yield kind(
        "stalls within the body",
        _of(lambda reply: (reply.head(), _half(reply), STALL, End.CLOSED)),
        times=(ONCE, TWICE),
        patient=True,
    )
    yield kind("drips", _of(lambda reply: _drip(reply, 20, 0.02)), harmless=True)
    yield kind("drips for ever", _of(lambda reply: _drip(reply, 1000, 0.5)), times=(ONCE,), patient=True)
    yield kind("no HTTP at all", _instead(b"SSH-2.0-x\r\n\r\n", End.CLOSED))
    yield kind(
        "early hints before it",
        _of(lambda reply: (b"HTTP/1.1 103 Early Hints\r\n\r\n", reply.whole())),
        times=(ALWAYS,),
    )
    yield kind(
        "HTTP/1.0 without a length",
        _of(lambda reply: (reply.head(length=None).replace(b"/1.1", b"/1.0", 1), reply.body, End.CLOSED)),
        harmless=True,
    )
    yield kind("a header of 200 kB", _of(lambda reply: [reply.having(X_Long="x" * 200_000).whole()]))
    yield kind("500 headers", _of(lambda reply: (reply.head(*(f"X-{n}: {n}" for n in range(500))), reply.body)))
    yield kind("a header without a colon", _of(lambda reply: (reply.head("no colon here"), reply.body)))
    yield kind(
        "a header of odd bytes",
        _of(lambda reply: (reply.head("X-Odd: \xff\xfe\x01\x7f"), reply.body)),
        times=(ALWAYS,),
        harmless=True,
    )
    yield kind("two lengths", _of(lambda reply: (reply.head("Content-Length: 1"), reply.body, End.CLOSED)))
    yield kind(
        "a length below the truth",
        _of(lambda reply: (reply.head("Connection: close", length=len(_half(reply))), reply.body, End.CLOSED)),
    )
    yield kind(
        "a length above the truth", _of(lambda reply: (reply.head(length=len(reply.body) + 10), reply.body, End.CLOSED))
    )
    yield kind("a length below zero", _of(lambda reply: (reply.head(length=-5), reply.body, End.CLOSED)))
    yield kind(
        "a length in words",
        _of(lambda reply: (reply.head("Content-Length: many", length=None), reply.body, End.CLOSED)),
    )


STATUSES: tuple[int, ...] = (
    *(201, 202, 203, 205, 206, 300, 304),
    *range(400, 432),
    *(451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 524, 599, 999),
)
MOVED = {"to itself": "{target}", "elsewhere": "http://127.0.0.1:9/login", "to a login page": "/login", "nowhere": ""}
DUE = {
    "none": None,
    "0": "0",
    "1": "1",
    "below zero": "-5",
    "a fraction": "0.2",
    "in words": "soon",
    "empty": "",
    "1e300": "1e300",
    "infinite": "inf",
    "NaN": "nan",
    "400 digits": "9" * 400,
    "a day": "86400",
    "a year": "31536000",
    "the year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
    "the past": "Mon, 01 Jan 1990 00:00:00 GMT",
    "no date": "Fri, 99 Foo 2030 25:61:00 GMT",
    "an offset too large": "Fri, 31 Dec 2027 23:59:59 +9999",
}
LIMITS = {
    "below zero": {"remaining": "-5", "reset": "-1"},
    "in words": {"remaining": "few", "reset": "soon"},
    "1e300": {"remaining": "0", "reset": "1e300"},
    "400 digits": {"remaining": "9" * 400, "reset": "9" * 400},
    "a day": {"remaining": "0", "reset": "86400"},
    "NaN": {"remaining": "nan", "reset": "nan"},
}
ERRORS = b'{"errors": [{"title": "Odd", "detail": "odd"}], "error": "odd"}'


def answer(
    status: int, body: bytes = ERRORS, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Make:
    """An answer in the vendor's place."""
    return _instead(Reply(status, (("Content-Type", content_type),), body).having(**(headers or {})).whole())


def _statuses() -> Iterable[Kind]:
    for status in STATUSES:
        yield Kind(f"{status}", "status", answer(status), times=ANY)
    yield Kind("404 with nothing", "status", answer(404, b""), times=ANY)
    yield Kind("403 as a page", "status", answer(403, b"<html>no</html>", "text/html"), times=ANY)
    yield Kind("500 as a page", "status", answer(500, b"<html>no</html>", "text/html"), times=ANY)
    yield Kind("204", "status", _instead(b"HTTP/1.1 204 No Content\r\n\r\n"), times=ANY)
    for name, location in MOVED.items():
        for status in (301, 302, 307):
            yield Kind(
                f"{status} {name}", "status", answer(status, b"", headers={"Location": location}), times=(ONCE, ALWAYS)
            )


def _waits() -> Iterable[Kind]:
    for name, text in DUE.items():
        for status in (429, 503):
            headers = {} if text is None else {"Retry_After": text}
            yield Kind(
                f"{status}, Retry-After {name}", "wait", answer(status, headers=headers), times=(ONCE, TWICE, ALWAYS)
            )
    for name, limit in LIMITS.items():
        headers = {
            f"{prefix}_{part}": text
            for prefix in ("X_RateLimit", "RateLimit")
            for part, text in (*limit.items(), ("Limit", limit["remaining"]))
        } | {
            "x_csod_throttling_rate_limit_urilevel": limit["remaining"],
            "x_csod_requests_remaining_urilevel": limit["remaining"],
        }
        yield Kind(f"429, limits {name}", "wait", answer(429, headers=headers), times=(ONCE, TWICE))
        yield Kind(
            f"200, limits {name}",
            "wait",
            _having(headers),
            times=ANY,
        )


def _bodies() -> Iterable[Kind]:
    bodies = {
        "a page": b"<!doctype html><html><body>Maintenance</body></html>",
        "nothing": b"",
        "blank": b" \r\n",
        "null": b"null",
        "an empty list": b"[]",
        "an empty object": b"{}",
        "a text": b'"ok"',
        "a number": b"17",
        "true": b"true",
        "an error with 200": b'{"errors": [{"title": "Odd"}]}',
        "an error object with 200": b'{"error": {"code": "500", "message": "odd"}}',
        "data that is null": b'{"data": null, "_data": null, "value": null, "success": true}',
        "data that is an object": b'{"data": {"a": 1}, "_data": {"a": 1}, "value": {"a": 1}, "success": true}',
        "success that is false": b'{"success": false, "error": {"code": 0, "message": "odd"}}',
        "3,000 levels": b"[" * 3000 + b"]" * 3000,
        "binary": bytes(range(256)) * 4,
    }
    for name, body in bodies.items():
        yield Kind(name, "body", answer(200, body), times=ANY)
    yield Kind("a page that says so", "body", answer(200, bodies["a page"], "text/html"), times=ANY)

    def of_json(name: str, change: Callable[[bytes], bytes], **more: Any) -> Kind:
        def make(reply: Reply) -> Iterable[Step] | None:
            if not reply.body.strip().startswith((b"{", b"[")):
                return None
            return [replace(reply, body=change(reply.body)).whole()]

        return Kind(name, "body", _of(make), **more)

    yield of_json("a byte order mark", lambda body: b"\xef\xbb\xbf" + body, times=(ALWAYS,))
    yield of_json("UTF-16", lambda body: body.decode().encode("utf-16"))
    yield of_json("junk behind it", lambda body: body + b"junk")
    yield of_json("twice in one", lambda body: body + body)
    yield of_json("blanks around it", lambda body: b"\r\n " + body + b" \n", times=(ALWAYS,), harmless=True)
    yield of_json("a byte that is no UTF-8", lambda body: body.replace(b'": "', b'": "\xff', 1))
    yield of_json("control characters", lambda body: body.replace(b'": "', b'": "\x01\x0b', 1))
    yield of_json("a comma too many", lambda body: body[:-1] + b"," + body[-1:])
    yield of_json("cut, the length true", lambda body: body[: len(body) * 2 // 3])


def _edit(name: str, group: str, edit: Edit, **more: Any) -> Kind:
    def make(asked: Asked, ask: Ask) -> Iterable[Step] | None:
        reply = ask()
        body = edited(reply.body, edit, asked)
        return None if body is None else [replace(reply, body=body).whole()]

    return Kind(name, group, make, **more)


def _lists() -> Iterable[Kind]:
    for name, edit in TOTALS.items():
        yield _edit(name, "list", edit, times=ANY)
    for name, edit in LINKS.items():
        yield _edit(name, "list", edit, times=(ONCE, ALWAYS))
    yield _edit("every row twice", "list", first_list(lambda rows: [*rows, *rows]), times=(ALWAYS,))
    yield _edit("rows that are null", "list", first_list(lambda rows: [None, *rows]), times=ANY)
    yield _edit("rows that are texts", "list", first_list(lambda rows: ["x", *rows]), times=ANY)
    yield _edit("rows that are lists", "list", first_list(lambda rows: [[], *rows]), times=ANY)
    yield _edit("an empty row", "list", first_list(lambda rows: [*rows, {}]), times=ANY)
    yield Kind("the page before once more", "list", _of(lambda reply: [reply.whole()]), times=(ONCE,), paged=True)


def _tokens() -> Iterable[Kind]:
    for name, edit in ABSURD_TOKENS.items():
        yield _edit(name, "token", edit, times=(ONCE, ALWAYS), tokens=True)


KINDS: tuple[Kind, ...] = (*_wire(), *_statuses(), *_waits(), *_bodies(), *_lists(), *_tokens())
