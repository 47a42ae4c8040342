"""For tests: what the portal's rows should have become once they are records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.testing import meaning

from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Sequence


BY_DEFAULT = set(TapCornerstone(validate_config=False).streams)
"""Streams that no setting has to switch on."""


def key_of(key: Sequence[str], record: dict[str, Any]) -> tuple[str, ...]:
    """The key of a record, from the tap or from the loader; all of it, where there is none.

    Args:
        key: The stream's primary key.
        record: The record.
    """
    names = key or sorted(name for name in record if not name.startswith("_sdc") and name != "_extra")
    return tuple(str(meaning(record.get(name))) for name in names)
