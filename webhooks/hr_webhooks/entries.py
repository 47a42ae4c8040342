"""The lines of the journal."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from hr_webhooks.config import Vendor  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHECKSUM_LENGTH = 8  # hexadecimal digits of a CRC-32
_POSITION = re.compile(rb'[0-9a-f]{8} \{"n":(\d+),')


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it was received.

    Attributes:
        n: The position in the journal, from 1. 0: the journal has not given it one yet.
        received: The time in UTC, such as `2026-06-17T08:30:00.123456Z`.
        tenant: The name of the company in the configuration.
        vendor: The vendor.
        type: The type of the event as far as the address tells, which is Factorial's; else None.
        source: `push` if the vendor sent it, `log` if it was read from the vendor's log of events.
        headers: Some of the headers, with lower-case names; never one with a secret.
        body: The body, decompressed, if it is UTF-8.
        body_base64: The body if it is not UTF-8, in Base64.
        sha256: The SHA-256 of the body in hexadecimal digits.
    """

    n: int = 0
    received: str
    tenant: str
    vendor: Vendor
    type: str | None
    source: Literal["push", "log"]
    headers: dict[str, str]
    body: str | None
    body_base64: str | None
    sha256: str

    def read_body(self) -> bytes:
        """Returns the body's bytes."""
        return base64.b64decode(self.body_base64 or "") if self.body is None else self.body.encode()


def make_entry(
    body: bytes,
    *,
    tenant: str,
    vendor: Vendor,
    event_type: str | None = None,
    source: Literal["push", "log"] = "push",
    headers: Mapping[str, str] | None = None,
    received: datetime | None = None,
) -> Entry:
    """Returns the entry of a request, without a position.

    Args:
        body: The body, decompressed where that was possible.
        tenant: The name of the company.
        vendor: The vendor.
        event_type: The type as far as the address tells.
        source: How the event came.
        headers: The headers to keep, without secrets.
        received: The time, with a time zone; by default now.
    """
    try:
        text, encoded = body.decode(), None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(body).decode()
    time = (received or datetime.now(UTC)).astimezone(UTC)
    return Entry(
        received=f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
        tenant=tenant,
        vendor=vendor,
        type=event_type,
        source=source,
        headers=dict(headers or {}),
        body=text,
        body_base64=encoded,
        sha256=hashlib.sha256(body).hexdigest(),
    )


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


def encode(entry: Entry, n: int) -> bytes:
    """Returns the line of an entry at a position: checksum, space, JSON, newline."""
    text = _ENCODER.encode(msgspec.structs.replace(entry, n=n))
    return b"%08x %s\n" % (zlib.crc32(text), text)


def is_whole(line: bytes) -> bool:
    """Whether a line was written completely, and has not changed since."""
    if not line.endswith(b"\n") or line[_CHECKSUM_LENGTH : _CHECKSUM_LENGTH + 1] != b" ":
        return False
    return line[:_CHECKSUM_LENGTH] == b"%08x" % zlib.crc32(memoryview(line)[_CHECKSUM_LENGTH + 1 : -1])


def position_of(line: bytes) -> int:
    """Returns the position of a whole line."""
    match = _POSITION.match(line)
    return int(match[1]) if match else 0


def decode(line: bytes) -> Entry:
    """Returns the entry of a whole line."""
    return _DECODER.decode(memoryview(line)[_CHECKSUM_LENGTH + 1 :])
