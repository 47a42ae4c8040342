"""Requests that the receiver must refuse without effect: wrong secrets and addresses, and what is hardly HTTP."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"event_name": "person.updated"}'
MEGABYTE = 1_000_000
BAD = frozenset({400})


@dataclass(frozen=True)
class Target:
    """Where and how a vendor sends.

    Args:
        path: The path.
        header: The name of the header with the secret.
        secret: The secret.
    """

    path: bytes
    header: bytes
    secret: bytes

    def make_request(
        self,
        *headers: bytes,
        body: bytes = BODY,
        method: bytes = b"POST",
        path: bytes | None = None,
        version: bytes = b"HTTP/1.1",
        secret: bytes | None = None,
        length: bytes | None = None,
    ) -> bytes:
        """Returns a request, which is right as far as nothing else is given.

        Args:
            headers: Further headers.
            body: What follows the headers.
            method: The method.
            path: The path.
            version: The version of HTTP.
            secret: The secret; empty: no header with one.
            length: The header Content-Length; empty: none.
        """
        lines = [b" ".join(part for part in (method, self.path if path is None else path, version) if part)]
        lines += [b"Host: hooks.example.com"]
        given = self.secret if secret is None else secret
        lines += [self.header + b": " + given] if given else []
        shown = b"%d" % len(body) if length is None else length
        lines += [b"Content-Length: " + shown] if shown else []
        return b"\r\n".join([*lines, *headers, b"", body])


@dataclass(frozen=True)
class Attack:
    """What is sent, and what may be answered.

    Args:
        category: Row of the report that counts it.
        name: A description.
        sent: All bytes of the connection.
        statuses: What the first answer may be. With 400, the connection may also be closed instead.
    """

    category: str
    name: str
    sent: bytes
    statuses: frozenset[int]


def make_attacks(target: Target) -> list[Attack]:
    """Returns all attacks on an address."""
    return [
        *_make_secrets(target),
        *_make_addresses(target),
        *_make_sizes(target),
        *_make_lengths(target),
        *_make_chunks(target),
        *_make_malformed(target),
        *_make_methods(target),
    ]


def _make_secrets(target: Target) -> Iterator[Attack]:
    right = target.secret
    secrets = {
        "none": b"",
        "blank": b" ",
        "another": b"x" * len(right),
        "the beginning of the right one": right[:-1],
        "one character more": right + b"x",
        "other letter case": right.swapcase(),
        "as a bearer token": b"Bearer " + right,
        "in quotation marks": b'"' + right + b'"',
        "twice in a header": right + b", " + right,
        "Latin-1": b"\xe4\xf6\xfc\xff" * 8,
        "UTF-8": "ключ-ключ-ключ-ключ".encode(),
        "a lone surrogate": b"\xed\xa0\x80" * 8,
        "12,000 characters": b"x" * 12_000,
        "a megabyte": b"x" * MEGABYTE,
    }
    for name, secret in secrets.items():
        statuses = frozenset({400} if len(secret) == MEGABYTE else {401})
        yield Attack("secrets", name, target.make_request(secret=secret), statuses)
    wrong = target.header + b": " + b"y" * len(right)
    for name, header in {
        "two wrong headers": wrong,
        "the right one in another header": b"X-Secret: " + right,
        "the right one in a cookie": b"Cookie: secret=" + right,
    }.items():
        yield Attack("secrets", name, target.make_request(header, secret=b"x" * len(right)), frozenset({401}))
    path = target.path + b"?secret=" + right
    yield Attack("secrets", "the right one in the query", target.make_request(path=path, secret=b""), frozenset({401}))


def _make_addresses(target: Target) -> Iterator[Attack]:
    path = target.path
    folder, _, code = path.rpartition(b"/")
    vendor, _, tenant = folder.rpartition(b"/")
    paths = {
        "no code": folder,
        "half of the code": path[: -len(code) // 2],
        "the code of another letter case": folder + b"/" + code.swapcase(),
        "a slash at the end": path + b"/",
        "two slashes": b"/" + path,
        "two slashes within": folder + b"//" + code,
        "a point": folder + b"/./" + code,
        "two points": folder + b"/x/../" + code,
        "encoded points": folder + b"/x/%2e%2e/" + code,
        "an encoded slash": folder + b"%2f" + code,
        "an encoded letter": path[:-1] + b"%%%02x" % path[-1],
        "double encoding": folder + b"%252f" + code,
        "a parameter": path + b";x=1",
        "an encoded NUL": path + b"%00",
        "an encoded line break": path + b"%0d%0aX:%20y",
        "a broken encoding": path + b"%zz",
        "another tenant": vendor + b"/" + tenant + b"2/" + code,
        "the files of the server": b"/../../../../etc/passwd",
        "encoded files of the server": b"/%2e%2e/%2e%2e/etc/passwd",
        "a whole URL": b"http://127.0.0.1" + path + b"x",
        "a backslash": folder + b"\\" + code,
        "nothing but a slash": b"/",
        "an asterisk": b"*",
        "10,000 characters": b"/" + b"x" * 10_000,
        "a health page": b"/health",
        "metrics": b"/metrics",
    }
    for name, other in paths.items():
        yield Attack("addresses", name, target.make_request(path=other), frozenset({404, 400}))
    for name, other in {"UTF-8": "/персонио".encode(), "a NUL": path + b"\0", "a space": path + b" x"}.items():
        yield Attack("addresses", name, target.make_request(path=other), frozenset({404, 400}))


def _make_sizes(target: Target) -> Iterator[Attack]:
    large = frozenset({413})
    much = b"x" * (MEGABYTE + 1000)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (2 * MEGABYTE, b"x" * 2 * MEGABYTE)
    chunked = b"Transfer-Encoding: chunked"
    encoded = b"Content-Encoding: gzip"
    yield Attack("sizes", "too large", target.make_request(body=much * 2), large)
    yield Attack("sizes", "said to be 10 GB", target.make_request(length=b"10000000000"), large)
    yield Attack("sizes", "too large in chunks", target.make_request(chunked, body=chunk, length=b""), large)
    small = b"1\r\nx\r\n" * 1_200_000
    yield Attack("sizes", "too large in chunks of a byte", target.make_request(chunked, body=small, length=b""), BAD)
    bomb = gzip.compress(bytes(200 * MEGABYTE), 9)
    yield Attack("sizes", "200 MB in a gzip body", target.make_request(encoded, body=bomb), large)
    yield Attack("sizes", "the same without its header", target.make_request(body=bomb), large)
    members = gzip.compress(bytes(500_000)) * 1000
    yield Attack("sizes", "500 MB in 1,000 gzip members", target.make_request(encoded, body=members), large)
    nested = gzip.compress(gzip.compress(bytes(2000 * MEGABYTE), 9) + bytes(20 * MEGABYTE))
    yield Attack("sizes", "a bomb in a bomb", target.make_request(encoded, body=nested), large)
    deflate = zlib.compressobj(9, wbits=31)
    cut = deflate.compress(bytes(100 * MEGABYTE)) + deflate.flush()[:-9]
    yield Attack("sizes", "a bomb without an end", target.make_request(encoded, body=cut), large)


def _make_lengths(target: Target) -> Iterator[Attack]:
    lengths = {
        "negative": b"-1",
        "with a sign": b"+32",
        "hexadecimal": b"0x20",
        "a fraction": b"32.0",
        "a word": b"many",
        "two values": b"32, 33",
        "Arabic digits": "٣٢".encode(),
        "30 digits": b"9" * 30,
        "a space within": b"3 2",
    }
    for name, length in lengths.items():
        yield Attack("lengths", name, target.make_request(length=length), frozenset({400, 413}))
    yield Attack("lengths", "two headers", target.make_request(b"Content-Length: 5"), BAD)
    yield Attack("lengths", "longer than the body", target.make_request(length=b"500"), frozenset({400, 503}))
    wrong = b"x" * len(target.secret)
    smuggled = target.make_request()
    both = target.make_request(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggled, length=b"4", secret=wrong)
    yield Attack("lengths", "both length and chunks, and a second request", both, frozenset({400, 401}))
    both = target.make_request(
        b"Transfer-Encoding: chunked", body=b"5c\r\n" + smuggled[:92] + b"\r\n0\r\n\r\n", length=b"4", secret=wrong
    )
    yield Attack("lengths", "both length and chunks, the second request within", both, frozenset({400, 401}))
    for value in (
        b"xchunked",
        b"chunked, identity",
        b"\x0bchunked",
        b"chunked\r\nTransfer-Encoding: x",
        b"gzip, chunked",
    ):
        sent = target.make_request(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n", length=b"")
        yield Attack("lengths", f"the transfer encoding {value!r}", sent, frozenset({400, 501}))
    sent = target.make_request(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n", length=b"")
    yield Attack("lengths", "a space before the colon", sent, BAD)


def _make_chunks(target: Target) -> Iterator[Attack]:
    chunks = {
        "no number": b"zz\r\nx\r\n0\r\n\r\n",
        "negative": b"-5\r\nxxxxx\r\n0\r\n\r\n",
        "a prefix": b"0x5\r\nxxxxx\r\n0\r\n\r\n",
        "a huge number": b"f" * 40 + b"\r\nx\r\n0\r\n\r\n",
        "2 to the power of 64": b"10000000000000000\r\nx",
        "longer than its data": b"a\r\nxxxxx\r\n0\r\n\r\nxxxxxxxxxxxxx",
        "shorter than its data": b"2\r\nxxxxx\r\n0\r\n\r\n",
        "a line feed alone": b"5\nxxxxx\n0\n\n",
        "an endless extension": b"5;" + b"x" * 100_000,
        "endless extensions": b"5" + b";a=b" * 50_000,
        "endless trailers": b"0\r\n" + b"X: y\r\n" * 20_000,
        "no end": b"5\r\nxxxxx\r\n",
        "a NUL": b"\0\r\n\r\n",
    }
    for name, body in chunks.items():
        sent = target.make_request(b"Transfer-Encoding: chunked", body=body, length=b"")
        yield Attack("chunks", name, sent, frozenset({400, 413, 503}))


def _make_malformed(target: Target) -> Iterator[Attack]:
    right = target.make_request()
    first, _, rest = right.partition(b"\r\n")
    texts = {
        "noise": bytes(range(256)) * 40,
        "line breaks": b"\r\n" * 5000 + b"x",
        "one byte": b"P",
        "half a request line": first[:20],
        "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(24),
        "a TLS greeting": bytes.fromhex("16030100c8010000c40303") + bytes(190),
        "an SSH greeting": b"SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/0.9": target.make_request(version=b""),
        "HTTP/12": target.make_request(version=b"HTTP/12.0"),
        "version HTTP/1.10": target.make_request(version=b"HTTP/1.10"),
        "a lower-case version": target.make_request(version=b"http/1.1"),
        "two spaces": right.replace(b"POST ", b"POST  ", 1),
        "a tabulator": right.replace(b"POST ", b"POST\t", 1),
        "no host": right.replace(b"Host: hooks.example.com\r\n", b""),
        "two hosts": target.make_request(b"Host: evil.example.com"),
        "a NUL in a header": target.make_request(b"X: a\0b"),
        "a carriage return in a header": target.make_request(b"X: a\rb"),
        "no colon": target.make_request(b"X"),
        "a space in a name": target.make_request(b"X y: z"),
        "a name beyond ASCII": target.make_request("Ä: z".encode()),
        "an empty name": target.make_request(b": z"),
        "a continued line at first": first + b"\r\n continued\r\n" + rest,
        "10,000 headers": target.make_request(*(b"X-%d: y" % number for number in range(10_000))),
        "a header of a megabyte": target.make_request(b"X: " + b"y" * MEGABYTE),
        "a name of a megabyte": target.make_request(b"Y" * MEGABYTE + b": y"),
        "a request line of a megabyte": target.make_request(path=b"/" + b"x" * MEGABYTE),
    }
    for name, sent in texts.items():
        yield Attack("malformed", name, sent, frozenset({400, 404}))


def _make_methods(target: Target) -> Iterator[Attack]:
    for method in (b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"post", b"X" * 1000):
        yield Attack("methods", method.decode()[:20], target.make_request(method=method), frozenset({405}))
    sent = target.make_request(method=b"CONNECT", path=b"hooks.example.com:443")
    yield Attack("methods", "CONNECT", sent, frozenset({400, 404}))
    wrong = b"x" * len(target.secret)
    sent = target.make_request(b"Upgrade: websocket", b"Connection: upgrade", b"Sec-WebSocket-Key: eA==", secret=wrong)
    yield Attack("methods", "an upgrade to WebSocket", sent, frozenset({401}))
    sent = target.make_request(
        b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: A", secret=wrong
    )
    yield Attack("methods", "an upgrade to HTTP/2", sent, frozenset({401}))
    sent = target.make_request(b"Expect: 100-continue", secret=wrong, body=b"", length=b"100")
    yield Attack("methods", "asked whether to continue, with a wrong secret", sent, frozenset({401}))
    sent = target.make_request(secret=wrong, version=b"HTTP/1.0")
    yield Attack("methods", "HTTP/1.0, with a wrong secret", sent, frozenset({401}))
    sent = target.make_request(secret=wrong) * 100 + target.make_request()
    yield Attack("methods", "many requests at once after a wrong one", sent, frozenset({401}))
    sent = target.make_request(b"X-HTTP-Method-Override: POST", method=b"PUT")
    yield Attack("methods", "another method in a header", sent, frozenset({405}))
