"""Texts that only the service itself can make: they hold where a reading stands, and nobody else can change them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

SIZE = 9
Payload = dict[str, Any]


class SignedCursors:
    """Makes and reads such texts."""

    def __init__(self) -> None:
        """Have a secret of its own."""
        self._secret = token_bytes(32)

    def close(self, payload: Payload) -> str:
        """A text that holds these values."""
        raw = json.dumps(payload, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._sign(raw) + raw).decode()

    def open(self, text: str) -> Payload | None:
        """The values in a text, or None where it is not one of these."""
        try:
            raw = urlsafe_b64decode(text.encode())
        except ValueError:
            return None
        # The decoder passes over what is no letter of its own.
        if urlsafe_b64encode(raw).decode() != text or self._sign(raw[SIZE:]) != raw[:SIZE]:
            return None
        payload: Payload = json.loads(raw[SIZE:])
        return payload

    def _sign(self, raw: bytes) -> bytes:
        return blake2b(raw, digest_size=SIZE, key=self._secret).digest()
