"""Cursors of v2: opaque, signed, and valid only for the path and filters that they were made for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hr_sandbox.http.signed_cursor import SignedCursors

PREFIX = "cur_"


class CursorError(ValueError):
    """The cursor is invalid or belongs to another endpoint."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a page.

    Attributes:
        path: the requested path.
        query: its filters, as they were written.
        limit: the page size.
        offset: the number of rows before the page.
        after: the key of the last row before the page, in case rows were added or removed since.
    """

    path: str
    query: dict[str, str]
    limit: int
    offset: int
    after: str


class Cursors:
    """Encodes and decodes positions."""

    def __init__(self, secret: str) -> None:
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
