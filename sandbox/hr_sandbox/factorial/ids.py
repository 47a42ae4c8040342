"""Ids as the API returns them, and cursors made of them."""

from __future__ import annotations

import base64
import binascii

from hr_sandbox.factorial.versions import TEXT_IDS

CLUSTER = 18_446_744_073_709_550  # the first id of the vendor's first cluster, beyond 2^53


def to_api_id(number: int) -> int:
    """Return the id of a record in the API."""
    return CLUSTER + number


def format_id(number: int, version: str) -> int | str:
    """The number as a version shows it."""
    return to_api_id(number) if version < TEXT_IDS else str(to_api_id(number))


def cursor(key: str) -> str:
    """Return the cursor of a row."""
    return base64.b64encode(key.encode()).decode()


def key_of(text: str) -> str:
    """Return the id in a cursor.

    Raises:
        ValueError: the text is not a cursor, for example an id that was not encoded.
    """
    try:
        key = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if not key.isprintable() or not key:
        raise ValueError(text)
    return key
