"""How the next page of an endpoint is requested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest.aliases import Record
    from singer_rest.http.request import Request

MAX_TOTAL = 1_000_000_000
"""Records; a vendor that tells of more in one list tells nothing."""
MAX_PAGES_AHEAD = 20_000
"""Pages of one list that are known at a time; the last of them tells of the next ones."""


@dataclass(frozen=True)
class Numbered:
    """Pages that are asked for by number, or by the number of their first record.

    Args:
        param: The query parameter.
        size: Records of a page.
        first: The number of the first page.
        by_record: Whether the number counts records, not pages.
        limit: The query parameter for the size; empty: there is none.
    """

    param: str
    size: int
    first: int = 0
    by_record: bool = False
    limit: str = "limit"

    def following(self, request: Request, records: list[Record], total: int | None) -> list[Request]:
        """The requests for the pages after one.

        Where the vendor tells how many records there are, their pages are known at once. But a total may be too small,
        and a list may grow, so a last page that is full is followed by another. Without a total, only an empty page is
        the end: a vendor may hold fewer records to be a full page than were asked for.

        Args:
            request: That of the page.
            records: Its records.
            total: How many the list holds, if the vendor says so.
        """
        if request.total_known or not records:
            return []
        total = total if total and total <= MAX_TOTAL else None
        params = dict(request.params)
        number, size = int(params[self.param]), int(params.get(self.limit, self.size))
        done = number - self.first + (len(records) if self.by_record else 1)
        if total and number == self.first and len(records) < min(size, total):
            size = len(records)
        pages = -(-(total or 0) // size) - (-(-done // size) if self.by_record else done)
        pages = min(max(pages, 1 if not total or len(records) >= size else 0), MAX_PAGES_AHEAD)
        step = size if self.by_record else 1
        following = []
        for page in range(pages):
            new = {self.param: str(self.first + done + page * step)}
            if self.limit:
                new[self.limit] = str(size)
            query = tuple((name, new.get(name, value)) for name, value in request.params)
            counted = page + 1 < pages
            following.append(replace(request, params=query, total_known=counted, previous_page=_beginning(records)))
        return following

    def is_again(self, request: Request, records: list[Record]) -> bool:
        """Whether a page is the one before it: the vendor does not heed the number."""
        return request.previous_page is not None and request.previous_page == _beginning(records)


def _beginning(records: list[Record]) -> int:
    return hash(repr(records[:1]))
