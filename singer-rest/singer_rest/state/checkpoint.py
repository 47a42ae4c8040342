"""The progress of a full read, as kept in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "finished_slices"
POSITION_PREFIX = "goes on at "
"""Prefix of an entry that is not a slice's name but a position in an unsliced list."""
Count = Annotated[int, msgspec.Meta(ge=0)]


class Checkpoint(msgspec.Struct, frozen=True, rename={"config_fingerprint": "made_with"}):
    """The progress of a full read when its last slice was finished.

    Args:
        version: The version of its records. None: they have none.
        began: When its first run began.
        config_fingerprint: The settings that it was read with.
        rows: Number of records so far.
        keyless_rows: Number of them without a replication key.
        latest: The latest replication key.
        unidentified_rows: Number of them that lack a part of their primary key.
    """

    version: Count | None
    began: str
    config_fingerprint: dict[str, str | None]
    rows: Count
    keyless_rows: Count
    latest: str | None
    unidentified_rows: Count = 0


def read_checkpoint(state: Mapping[str, Any]) -> tuple[Checkpoint, list[str]] | None:
    """Reads the checkpoint and the finished slices from a stream's state. Returns None if they are missing or invalid.

    An invalid checkpoint causes a full read, which takes longer but loses nothing.
    """
    try:
        header, *names = state.get(KEY) or [None]
        checkpoint = msgspec.convert(header, Checkpoint)
        for timestamp in (checkpoint.began, checkpoint.latest or checkpoint.began):
            times.parse(timestamp)
        return checkpoint, msgspec.convert(names, list[str])
    except (ValueError, TypeError):
        return None
