"""Decompresses bodies and detects truncated ones, which urllib3 accepts if they are gzip."""

from __future__ import annotations

import zlib

GZIP = 16 + zlib.MAX_WBITS
ZLIB = zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS
MEMBER = b"\x1f\x8b\x08"
"""The first bytes of each gzip member."""

ENCODINGS = ("gzip", "deflate")
"""The supported content encodings."""
MAX_ENCODINGS = 5
"""Maximum number of content encodings of a body."""


class InvalidBodyError(Exception):
    """A body that is truncated or not encoded as its header says."""


class UnknownEncodingError(Exception):
    """A body with an unsupported content encoding."""


def decompress_body(body: bytes, encoding: str) -> bytes:
    """Decompresses a body.

    Args:
        body: The body as received.
        encoding: The ``Content-Encoding`` header: the encodings in the order in which they were applied. Empty: none.

    Raises:
        InvalidBodyError: If it is truncated or not encoded like this.
        UnknownEncodingError: If an encoding is not supported.
    """
    layers = [layer.strip().lower().removeprefix("x-") for layer in encoding.split(",")]
    layers = [layer for layer in layers if layer not in {"", "identity"}]
    if len(layers) > MAX_ENCODINGS or not set(layers) <= set(ENCODINGS):
        raise UnknownEncodingError
    try:
        for layer in reversed(layers):
            body = _gunzip(body) if layer == "gzip" else _inflate(body)
    except zlib.error:
        raise InvalidBodyError("the body could not be decompressed") from None
    return body


def _gunzip(body: bytes) -> bytes:
    """Decompresses all members of a gzip body and ignores what follows the last member."""
    parts: list[bytes] = []
    remaining = body
    while not parts or remaining.startswith(MEMBER):
        part, remaining = _decompress_part(zlib.decompressobj(GZIP), remaining)
        parts.append(part)
    return b"".join(parts)


def _inflate(body: bytes) -> bytes:
    """Decompresses a deflate body, with the zlib header or, as some vendors send it, without."""
    try:
        return _decompress_part(zlib.decompressobj(ZLIB), body)[0]
    except zlib.error:
        return _decompress_part(zlib.decompressobj(RAW), body)[0]


def _decompress_part(decompressor: zlib._Decompress, body: bytes) -> tuple[bytes, bytes]:
    """Decompresses one part. Returns it and the bytes after it."""
    content = decompressor.decompress(body)
    if not decompressor.eof:
        raise InvalidBodyError("the body ended early")
    return content, decompressor.unused_data
