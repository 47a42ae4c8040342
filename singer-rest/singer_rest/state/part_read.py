"""What a stream's state says of its read by one part of a back-fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from singer_rest.state.checkpoint import Checkpoint  # noqa: TC001 - msgspec needs it

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "part"
VERSION = 1
"""The version of all parts' records. Full reads have later ones, so that they find what was deleted since."""

Outcome = Literal["unfinished", "read", "incomplete", "nothing", "skipped"]


class PartRead(msgspec.Struct, frozen=True):
    """The read of a stream by one part.

    Args:
        tap: Name of the tap.
        slice: The part, such as 3/8.
        settings: A hash of the settings that decide which records are read.
        outcome: How the read ended. "nothing": no slice of the stream belongs to the part. "skipped": no permission.
        checkpoint: When it began and what it covers, once it has ended.
        forbidden: Number of parents that could not be read, if it was skipped.
    """

    tap: str
    slice: str
    settings: str
    outcome: Outcome = "unfinished"
    checkpoint: Checkpoint | None = None
    forbidden: int = 0

    @classmethod
    def find(cls, state: Mapping[str, Any]) -> PartRead | None:
        """Returns what a stream's state says. None: it is not of a part, or is unreadable."""
        try:
            return msgspec.convert(state.get(KEY), cls)
        except ValueError:
            return None

    def end(
        self, state: dict[str, Any], outcome: Outcome, checkpoint: Checkpoint | None = None, forbidden: int = 0
    ) -> None:
        """Writes to a stream's state how the read ended."""
        ended = msgspec.structs.replace(self, outcome=outcome, checkpoint=checkpoint, forbidden=forbidden)
        state[KEY] = msgspec.to_builtins(ended)
