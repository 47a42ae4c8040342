"""Cursors: opaque to the client, signed, and bound to the path and the filters that they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

PREFIX = "cur_"
SIGNATURE_BYTES = 9


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
        self._secret = secret.encode()

    def write(self, position: Position) -> str:
        """The cursor of a position."""
        payload = json.dumps(asdict(position), separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(self._sign(payload) + payload).decode().rstrip("=")

    def read(self, cursor: str, path: str) -> Position:
        """The position of a cursor.

        Raises:
            CursorError: it was changed, invented, or made for another path.
        """
        text = cursor.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorError(cursor) from error
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not cursor.startswith(PREFIX) or not hmac.compare_digest(signature, self._sign(payload)):
            raise CursorError(cursor)
        position = Position(**json.loads(payload))
        # The last character of base64 may hold unused bits: only the text that was written counts.
        if position.path != path or self.write(position) != cursor:
            raise CursorError(cursor)
        return position

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self._secret, payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]
