"""Unpacks bodies, and notices where one ends early: urllib3 takes half of a gzip body for a whole one."""

from __future__ import annotations

import zlib

GZIP = 16 + zlib.MAX_WBITS
ZLIB = zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS
MEMBER = b"\x1f\x8b\x08"
"""How each member of a gzip body begins."""

ENCODINGS = ("gzip", "deflate")
"""What an answer may be packed with."""
LAYERS = 5
"""How often a body may be packed."""


class BrokenBody(Exception):  # noqa: N818 - it is asked for again
    """A body that is not whole, or not what its header says."""


class UnknownEncoding(Exception):  # noqa: N818 - it becomes a sentence
    """A body packed in another way than `ENCODINGS`."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body as it was before it was packed.

    Args:
        body: All that came.
        encoding: The header ``Content-Encoding``: how it was packed, in this order; empty: not at all.

    Raises:
        BrokenBody: If it ends early, or was not packed so.
        UnknownEncoding: If it was packed in a way that is not known here.
    """
    layers = [layer.strip().lower().removeprefix("x-") for layer in encoding.split(",")]
    layers = [layer for layer in layers if layer not in {"", "identity"}]
    if len(layers) > LAYERS or not set(layers) <= set(ENCODINGS):
        raise UnknownEncoding
    try:
        for layer in reversed(layers):
            body = _gunzipped(body) if layer == "gzip" else _inflated(body)
    except zlib.error:
        raise BrokenBody("the body could not be unpacked") from None
    return body


def _gunzipped(body: bytes) -> bytes:
    """All members of a gzip body; what stands behind the last one is no part of it."""
    parts: list[bytes] = []
    rest = body
    while not parts or rest.startswith(MEMBER):
        part, rest = _whole(zlib.decompressobj(GZIP), rest)
        parts.append(part)
    return b"".join(parts)


def _inflated(body: bytes) -> bytes:
    """A deflate body, with the frame that the standard wants or, as some send it, without."""
    try:
        return _whole(zlib.decompressobj(ZLIB), body)[0]
    except zlib.error:
        return _whole(zlib.decompressobj(RAW), body)[0]


def _whole(unpacker: zlib._Decompress, body: bytes) -> tuple[bytes, bytes]:
    """What a packed part holds, and what stands behind it."""
    content = unpacker.decompress(body)
    if not unpacker.eof:
        raise BrokenBody("the body ended early")
    return content, unpacker.unused_data
