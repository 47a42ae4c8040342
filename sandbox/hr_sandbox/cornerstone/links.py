"""Links to the next page and to changes: their formats and lifetimes."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote

from hr_sandbox.cornerstone.errors import GONE, bad_request, error_response
from hr_sandbox.cornerstone.query import SKIP_TOKEN
from hr_sandbox.cornerstone.tables import ROOTS
from hr_sandbox.http.messages import ApiError
from hr_sandbox.http.signed_cursor import Payload, SignedCursors

if TYPE_CHECKING:
    from hr_sandbox.clock import Clock
    from hr_sandbox.cornerstone.tables import EntitySet

STYLES = ("normal", "lowercase", "relative", "foreign", "repeated", "missing")
FOREIGN = "https://elsewhere.example"
SAFE = "$'(),:"


@dataclass(slots=True)
class Links:
    """Creates links and decodes their tokens.

    Attributes:
        styles: the link styles of tables, if they differ from the default.
        lives: the lifetime of each kind of link (`next`, `delta`) in seconds; None for unlimited.
    """

    clock: Clock
    styles: dict[str, str] = field(default_factory=dict)
    lives: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("next", "delta")))
    _cursors: SignedCursors = field(default_factory=SignedCursors)
    _ended: dict[str, float] = field(default_factory=dict)
    _number: int = 0

    def token(self, kind: str, payload: Payload) -> str:
        """Return a new token of a kind."""
        self._number += 1
        return self._cursors.encode({**payload, "kind": kind, "at": self.clock.seconds(), "n": self._number})

    def open(self, kind: str, text: str, table: str) -> Payload:
        """Decode a token. Rejects expired tokens and those of other tables."""
        payload = self._cursors.decode(text)
        if payload is None or payload["kind"] != kind or payload["table"] != table:
            raise bad_request("The token is not valid.")
        life = self.lives[kind]
        older_response = life is not None and payload["at"] + life <= self.clock.seconds()
        if older_response or payload["n"] <= self._ended.get(kind, 0):
            raise ApiError(error_response(GONE, "The token has expired."))
        return payload

    def expire(self, kind: str) -> None:
        """Expire all links of a kind."""
        self._ended[kind] = self._number

    def next_link(self, table: EntitySet, root: str, options: tuple[tuple[str, str], ...], token: str) -> Payload:
        """Return the member with the link to the next page."""
        style = self.styles.get(table.name, "normal")
        if style == "missing":
            return {}
        pairs = [*options, (SKIP_TOKEN, token)]
        query = "&".join(f"{name}={quote(text, safe=SAFE)}" for name, text in pairs)
        base = {"relative": "", "foreign": f"{FOREIGN}{ROOTS[table.service]}/"}.get(
            style, f"{root}{ROOTS[table.service]}/"
        )
        name = "@odata.nextlink" if style == "lowercase" else "@odata.nextLink"
        return {name: f"{base}{table.name}?{query}"}


def fingerprint(options: tuple[tuple[str, str], ...]) -> str:
    """Return a hash of the options, which must be the same in every request of a series of pages."""
    return blake2b(repr(sorted(options)).encode(), digest_size=8).hexdigest()
