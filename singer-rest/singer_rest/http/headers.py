"""Checks values of HTTP headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from singer_rest.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Mapping

SENDABLE = re.compile(r"[\x21-\x7e][\x20-\x7e]*", re.ASCII)
"""Valid header values."""


def check_sendable(headers: Mapping[str, str], endpoint: str) -> None:
    """Checks the headers of a request.

    Raises:
        TapError: If a value holds a line break or a character that headers cannot hold.
    """
    if wrong := [name for name, value in headers.items() if value and not SENDABLE.fullmatch(value)]:
        raise TapError(
            f"{endpoint} cannot be requested: the header {wrong[0]} would hold a line break or a character beyond "
            "ASCII. Check the tokens and keys in the settings."
        )


def is_sendable(token: str) -> bool:
    """Whether a header can hold a token."""
    return SENDABLE.fullmatch(token) is not None
