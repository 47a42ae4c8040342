"""Compressed bodies: complete and truncated ones."""

from __future__ import annotations

import gzip
import zlib

import pytest
from singer_rest.http.unpacking import InvalidBodyError, UnknownEncodingError, decompress_body

TEXT = b"".join(b"row %d\n" % number for number in range(300))
GZIP = gzip.compress(TEXT, mtime=0)
ZLIB = zlib.compress(TEXT)
BARE = ZLIB[2:-4]  # without the zlib header that the standard requires


@pytest.mark.parametrize(
    ("body", "encoding", "content"),
    [
        (TEXT, "", TEXT),
        (TEXT, "identity", TEXT),
        (b"", "", b""),
        (GZIP, "gzip", TEXT),
        (GZIP, " X-GZIP ", TEXT),
        (gzip.compress(b"", mtime=0), "gzip", b""),
        (GZIP + GZIP, "gzip", TEXT * 2),
        (GZIP + b"\0" * 100, "gzip", TEXT),
        (GZIP + b"<!-- a proxy's -->", "gzip", TEXT),
        (ZLIB, "deflate", TEXT),
        (ZLIB + b"behind", "deflate", TEXT),
        (BARE, "deflate", TEXT),
        (gzip.compress(ZLIB, mtime=0), "deflate, gzip", TEXT),
        (gzip.compress(GZIP, mtime=0), "gzip,gzip", TEXT),
    ],
)
def test_complete_body_is_decompressed(body: bytes, encoding: str, content: bytes) -> None:
    assert decompress_body(body, encoding) == content


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(GZIP, "gzip"), (ZLIB, "deflate"), (BARE, "deflate"), (gzip.compress(ZLIB, mtime=0), "deflate, gzip")],
)
def test_truncated_body_is_detected_at_any_length(body: bytes, encoding: str) -> None:
    for end in range(len(body)):
        with pytest.raises(InvalidBodyError):
            decompress_body(body[:end], encoding)


@pytest.mark.parametrize("end", [3, 10, len(GZIP) - 1])
def test_truncated_further_property_is_detected(end: int) -> None:
    with pytest.raises(InvalidBodyError):
        decompress_body(GZIP + GZIP[:end], "gzip")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (GZIP[:-8] + b"\0" * 8, "gzip"),
        (ZLIB[:-4] + b"\0" * 4, "deflate"),
        (GZIP[:100] + b"\0\0\0\0" + GZIP[104:], "gzip"),
    ],
)
def test_corrupt_body_is_detected(body: bytes, encoding: str) -> None:
    with pytest.raises(InvalidBodyError):
        decompress_body(body, encoding)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "utf-8", ",".join(["gzip"] * 6)])
def test_unknown_encoding_is_reported(encoding: str) -> None:
    with pytest.raises(UnknownEncodingError):
        decompress_body(GZIP, encoding)
