"""When something last came from each vendor, also what is not journaled: heartbeats and verification requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from hr_webhooks.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from hr_webhooks.addresses import Address

FILE = "heard.json"

Kind = Literal["event", "heartbeat", "verification"]
Times = dict[str, dict[Kind, float]]
"""By the public part of an address, such as `/personio/acme`: the times of the last ones, in seconds since 1970."""


class Heard:
    """Keeps the times in memory and in a file of the journal's folder, which several processes may write.

    Args:
        folder: The journal's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._changed = False
        self.times = read_heard(folder)

    def note(self, address: Address, kind: Kind, time: float) -> None:
        """Notes that something came."""
        self.times.setdefault(address.public_part, {})[kind] = time
        self._changed = True

    def save(self) -> None:
        """Writes the times to the file if they have changed, with those of other processes.

        Raises:
            OSError: If the file cannot be written.
        """
        if not self._changed:
            return
        self._changed = False
        merged = read_heard(self._path.parent)
        for part, kinds in list(self.times.items()):
            for kind, time in list(kinds.items()):
                known = merged.setdefault(part, {})
                known[kind] = max(time, known.get(kind, 0))
        try:
            write_private(self._path, msgspec.json.encode(merged).decode())
        except OSError:
            self._changed = True
            raise


def read_heard(folder: Path) -> Times:
    """Returns the times in a journal's folder; none if there is no readable file, because they are only informative."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Times)
    except (OSError, msgspec.DecodeError):
        return {}
