"""What a follower remembers: its position in the journal, and what it has to read later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hr_webhooks.errors import JournalError
from hr_webhooks.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "positions"
"""The folder below the journal with what its readers have finished."""


class Missing(msgspec.Struct, kw_only=True):
    """A record that the vendor did not know when it was read, or whose deletion it did not confirm.

    Args:
        stream: The stream.
        id: The id.
        is_deleted: Whether an event said that it was deleted.
        tries: How often it was read.
        due: When it is read again, in seconds since 1970.
    """

    stream: str
    id: str
    is_deleted: bool
    tries: int
    due: float


class Progress(msgspec.Struct, kw_only=True):
    """What is done, and what is left.

    Args:
        position: The last entry of the journal whose events need nothing more, apart from what is below.
        missing: The records that are read again later.
        changes: The streams whose changes are read later.
        changes_read: When changes of streams were last read because of events, in seconds since 1970.
        synced: When everything was last read, in seconds since 1970.
    """

    position: int = 0
    missing: list[Missing] = []
    changes: list[str] = []
    changes_read: float = 0
    synced: float = 0


def load_progress(path: Path) -> Progress:
    """Reads a follower's file. It need not exist.

    Raises:
        JournalError: If it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()
    except (OSError, msgspec.MsgspecError):
        raise JournalError(
            f"{path} cannot be read. Correct its permissions, or remove it to follow the journal from its beginning."
        ) from None


def save_progress(path: Path, progress: Progress) -> None:
    """Writes a follower's file, whole or not at all.

    Raises:
        JournalError: If it cannot be written.
    """
    try:
        write_private(path, msgspec.json.encode(progress).decode())
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}.") from None
