"""Pages of v2: cursors, which are valid only for the path and filters that they were made for, and links."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hr_sandbox.http.signed_cursor import SignedCursors

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "cur_"


class CursorError(ValueError):
    """The cursor is invalid or belongs to another endpoint."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a page.

    Attributes:
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

    def encode(self, position: Position) -> str:
        """Returns the cursor of a position."""
        return PREFIX + self._signed.encode(asdict(position)).rstrip("=")

    def decode(self, cursor: str, path: str) -> Position:
        """Returns the position of a cursor, or raises CursorError if it was changed or made for another path."""
        text = cursor.removeprefix(PREFIX)
        payload = self._signed.decode(text + "=" * (-len(text) % 4)) if cursor.startswith(PREFIX) else None
        if payload is None or payload["path"] != path:
            raise CursorError(cursor)
        return Position(**payload)


OTHER_DOMAIN = "https://api.personio.com"  # also belongs to the vendor
FOREIGN_HOST = "https://elsewhere.example"
STYLES = (
    "normal",
    "absolute",
    "relative",
    "cursor-only",
    "wrong-path",
    "other-domain",
    "foreign",
    "repeated",
    "missing",
)


@dataclass(frozen=True, slots=True)
class Links:
    """The format of an endpoint's links to other pages.

    Attributes:
        carries_query: whether links repeat the filters and the limit, or contain only the cursor.
        path: a path other than the endpoint's own.
        host: another host; an empty text for relative links, None for the request's own host.
        last_page: what the last page has: a `self` link, `null` links, or `none` for no `_meta`.
        repeats: whether the next page is the same one again.
        missing: whether the next link is missing although there is a next page.
    """

    carries_query: bool = False
    path: str | None = None
    host: str | None = None
    last_page: str = "self"
    repeats: bool = False
    missing: bool = False

    def with_style(self, style: str, path: str) -> Links:
        """Returns the links in another style."""
        return {
            "normal": self,
            "absolute": replace(self, carries_query=True, path=None),
            "relative": replace(self, carries_query=True, path=None, host=""),
            "cursor-only": replace(self, carries_query=False, path=None),
            "wrong-path": replace(self, path=f"/v2/moved/{path.rpartition('/')[2]}"),
            "other-domain": replace(self, carries_query=True, path=None, host=OTHER_DOMAIN),
            "foreign": replace(self, host=FOREIGN_HOST),
            "repeated": replace(self, repeats=True),
            "missing": replace(self, missing=True),
        }[style]

    def make_meta(
        self, *, root: str, path: str, query: Mapping[str, str], this: str | None, following: str | None
    ) -> dict[str, Any]:
        """Returns the member `_meta` of a page. `this` is None on the first page, and `following` on the last one."""
        if following is None and self.last_page == "none":
            return {}
        if following is None and self.last_page == "null":
            return {"_meta": {"links": None}}

        def link(cursor: str | None) -> dict[str, str]:
            pairs = dict(query) if self.carries_query else {}
            if cursor is not None:
                pairs["cursor"] = cursor
            host = root if self.host is None else self.host
            return {"href": f"{host}{self.path or path}{'?' if pairs else ''}{urlencode(pairs)}"}

        links = {"self": link(this)}
        if following is not None and not self.missing:
            links["next"] = link(following)
        return {"_meta": {"links": links}}
