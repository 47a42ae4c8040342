"""Cursors: opaque to the client, signed, and bound to the path and the filters that they were made for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hr_sandbox.http.signed_cursor import SignedCursors

PREFIX = "cur_"


class CursorError(ValueError):
    """The cursor was not made here, or for another endpoint."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins.

    Attributes:
        path: the endpoint that is walked.
        query: its filters, as they were written.
        limit: the page size.
        offset: how many rows come before.
        after: the key of the last row before, for when rows were added or removed meanwhile.
    """

    path: str
    query: dict[str, str]
    limit: int
    offset: int
    after: str


class Cursors:
    """Writes and reads cursors."""

    def __init__(self, secret: str) -> None:
        """Sign with this secret."""
        self._signed = SignedCursors(secret.encode())

    def write(self, position: Position) -> str:
        """Return the cursor of a position."""
        return PREFIX + self._signed.encode(asdict(position)).rstrip("=")

    def read(self, cursor: str, path: str) -> Position:
        """Return the position of a cursor.

        Raises:
            CursorError: it was changed, invented, or made for another path.
        """
        text = cursor.removeprefix(PREFIX)
        payload = self._signed.decode(text + "=" * (-len(text) % 4)) if cursor.startswith(PREFIX) else None
        if payload is None or payload["path"] != path:
            raise CursorError(cursor)
        return Position(**payload)
