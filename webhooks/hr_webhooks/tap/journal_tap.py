"""The part of the tap that its streams use: the journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from singer_rest import RunError
from singer_sdk import Tap

from hr_webhooks.errors import WebhookError
from hr_webhooks.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.journal import Entry


class JournalTap(Tap):
    """A tap that reads a journal."""

    def read_journal(self, after: int) -> Iterator[Entry]:
        """Yields the entries of the journal after a position, as many as the settings allow.

        Raises:
            RunError: If the journal cannot be read.
        """
        try:
            yield from self.open_journal().read(after, self.config.get("max_entries"))
        except OSError as error:
            raise RunError(f"The journal cannot be read: {error.strerror or 'it is locked'}. Run again.") from None

    def includes(self, entry: Entry) -> bool:
        """Whether an entry is of the company that the settings name, if they name one."""
        return self.config.get("tenant") in {None, entry.tenant}

    def open_journal(self) -> Journal:
        """Opens the journal that the settings name.

        Raises:
            RunError: If it does not exist.
        """
        try:
            return Journal(Path(self.config["journal"]).expanduser())
        except WebhookError as error:
            raise RunError(str(error)) from None
