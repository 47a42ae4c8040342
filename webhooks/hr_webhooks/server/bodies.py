"""Bodies of requests: read within limits, decompressed, and compared with their signature."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import zlib
from typing import TYPE_CHECKING

import msgspec

from hr_webhooks.server.secret_files import match_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hr_webhooks.server.exchange import Receive

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 64 * 1024  # decompressed at a time
_HEARTBEAT_BYTES = 4096  # a heartbeat is shorter


class BodyError(Exception):
    """A body cannot be received."""


class TooLargeError(BodyError):
    """The body exceeds a limit."""


class TooSlowError(BodyError):
    """The body did not arrive in time."""


class DisconnectedError(BodyError):
    """The client went away before the body was complete."""


class NoRoomError(BodyError):
    """The bodies that are received at the same time need too much memory."""


class Budget:
    """The memory for the bodies of all requests that are under way.

    Args:
        size: The number of bytes.
    """

    def __init__(self, size: int) -> None:
        self._free = size

    def reserve(self, size: int) -> None:
        """Takes bytes, or raises NoRoomError."""
        if size > self._free:
            raise NoRoomError
        self._free -= size

    def release(self, size: int) -> None:
        """Gives bytes back."""
        self._free += size


async def read_body(receive: Receive, limit: int, seconds: float) -> bytes:
    """Reads the body of a request.

    Args:
        receive: The channel of the ASGI application.
        limit: The largest number of bytes.
        seconds: The time for the whole body, however it is divided.

    Raises:
        DisconnectedError: The client went away.
        TooLargeError: The body is longer than the limit.
        TooSlowError: It did not arrive in time.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise DisconnectedError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise TooLargeError
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise TooSlowError from None


def inflate(body: bytes, limit: int) -> bytes | None:
    """Decompresses a gzip body, of one or more members.

    Bytes after the last member that do not begin another are left out, as gzip does.

    Args:
        body: The body.
        limit: The largest number of bytes after decompression.

    Returns:
        The content; the body itself if it is not gzip, because a proxy may have decompressed it; None if it is cut off
        or damaged.

    Raises:
        TooLargeError: The content exceeds the limit. It is not decompressed further.
    """
    if not body.startswith(_GZIP_MAGIC):
        return body
    parts: list[bytes] = []
    size = 0
    rest = body
    while rest.startswith(_GZIP_MAGIC):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                part = member.decompress(rest, _CHUNK_BYTES)
            except zlib.error:
                return None
            if not part and not member.eof and not member.unconsumed_tail:
                return None
            size += len(part)
            if size > limit:
                raise TooLargeError
            parts.append(part)
            rest = member.unconsumed_tail
        rest = member.unused_data
    return b"".join(parts)


def is_signed(content: bytes, keys: Sequence[bytes], given: Sequence[bytes], encoding: str) -> bool:
    """Whether a signature is the HMAC-SHA256 of a content. Takes the same time wherever they differ.

    Args:
        content: What is signed.
        keys: The keys that are valid.
        given: The values of the signature's header. One may begin with `sha256=`.
        encoding: `base64` or `hex`.
    """
    signatures = [_decode_signature(value.strip().removeprefix(b"sha256="), encoding) for value in given]
    expected = [hmac.digest(key, content, hashlib.sha256) for key in keys]
    return match_any(signatures, expected)


def _decode_signature(text: bytes, encoding: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else binascii.unhexlify(text)
    except ValueError:
        return b""


class _Batch(msgspec.Struct):
    records: list[msgspec.Raw]


_BATCH = msgspec.json.Decoder(_Batch)


def is_heartbeat(content: bytes) -> bool:
    """Whether a body is a batch without records, which Cornerstone sends every five minutes."""
    if len(content) > _HEARTBEAT_BYTES:
        return False
    try:
        return not _BATCH.decode(content).records
    except msgspec.DecodeError:
        return False
