"""How far a full read has come, as the state keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from singer_rest import times

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "finished_slices"
PLACE = "goes on at "
"""What a name begins with that is no slice, but the place in a list that is read in one piece."""
Count = Annotated[int, msgspec.Meta(ge=0)]


class Checkpoint(msgspec.Struct, frozen=True, rename={"config_fingerprint": "made_with"}):
    """What a whole read had come to as its last slice was finished.

    Args:
        version: What its records carry; None: nothing.
        began: When its first run began.
        made_with: The settings that it was read with.
        rows: Records so far.
        keyless_rows: Those of them without the replication key.
        latest: The latest replication key.
    """

    version: Count | None
    began: str
    config_fingerprint: dict[str, str | None]
    rows: Count
    keyless_rows: Count
    latest: str | None


def read(state: Mapping[str, Any]) -> tuple[Checkpoint, list[str]] | None:
    """The list in a stream's state; None where there is none, or none that can be read.

    Then everything is read again, which takes longer but loses nothing; an error would only hold the stream up.
    """
    try:
        header, *names = state.get(KEY) or [None]
        begun = msgspec.convert(header, Checkpoint)
        for moment in (begun.began, begun.latest or begun.began):
            times.parse(moment)
        return begun, msgspec.convert(names, list[str])
    except (ValueError, TypeError):
        return None
