"""The links extra_body a page: each endpoint has its own mode, and controls can choose another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER_DOMAIN = "https://api.personio.com"  # the vendor's own as well
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
    """How an endpoint links.

    Attributes:
        carries_query: whether links repeat the filters and the limit, or hold the cursor alone.
        path: another path than the endpoint's own.
        host: another host; an empty text for a link without one, None for the request's own.
        last_page: what the last page has: its `self` link, `null` links, or no `_meta` at all.
        repeats: the next page is the same one again.
        missing: there is no next link, though there is a next page.
    """

    carries_query: bool = False
    path: str | None = None
    host: str | None = None
    last_page: str = "self"
    repeats: bool = False
    missing: bool = False

    def with_style(self, style: str, path: str) -> Links:
        """The same endpoint's links in another style."""
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

    def meta(
        self, *, root: str, path: str, query: Mapping[str, str], this: str | None, following: str | None
    ) -> dict[str, Any]:
        """The `_meta` of a page, as the member to merge into the body.

        Args:
            root: the vendor's own address.
            path: the path that was asked for.
            query: the filters and the limit that the walk began with.
            this: the cursor that the page was asked with; None on the first page.
            following: the cursor of the next page; None on the last one.
        """
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
