"""Opaque cursors with a signed payload, which clients cannot change."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

SIGNATURE_BYTES = 9
Payload = dict[str, Any]


class SignedCursors:
    """Encodes and decodes cursors."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or token_bytes(32)

    def encode(self, payload: Payload) -> str:
        """Returns a cursor for these values."""
        raw = json.dumps(payload, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._sign(raw) + raw).decode()

    def decode(self, cursor: str) -> Payload | None:
        """Returns the values of a cursor, or None if it was not made here."""
        try:
            raw = urlsafe_b64decode(cursor.encode())
        except ValueError:
            return None
        # The decoder ignores characters outside its alphabet and unused bits; only the encoded text itself is valid.
        if urlsafe_b64encode(raw).decode() != cursor or self._sign(raw[SIGNATURE_BYTES:]) != raw[:SIGNATURE_BYTES]:
            return None
        payload: Payload = json.loads(raw[SIGNATURE_BYTES:])
        return payload

    def _sign(self, raw: bytes) -> bytes:
        return blake2b(raw, digest_size=SIGNATURE_BYTES, key=self._secret).digest()
