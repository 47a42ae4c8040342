"""Ids as the vendor shows them, and the cursors made of them."""

from __future__ import annotations

import base64
import binascii

from hr_sandbox.factorial.versions import TEXT_IDS

CLUSTER = 18_446_744_073_709_550  # where the numbers of the vendor's first cluster begin, beyond 2^53


def to_api_id(number: int) -> int:
    """The number that a record has at the vendor."""
    return CLUSTER + number


def format_id(number: int, version: str) -> int | str:
    """The number as a version shows it."""
    return to_api_id(number) if version < TEXT_IDS else str(to_api_id(number))


def cursor(key: str) -> str:
    """The cursor of a row by its id."""
    return base64.b64encode(key.encode()).decode()


def key_of(text: str) -> str:
    """The id in a cursor.

    Raises:
        ValueError: it is no cursor, such as an id that was never encoded.
    """
    try:
        key = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if not key.isprintable() or not key:
        raise ValueError(text)
    return key
