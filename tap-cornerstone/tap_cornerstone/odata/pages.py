"""The size of a list's pages, and the properties of a list that its pages show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest import Request

FIRST_PAGE = 1_000
"""Rows on a first page. Its size tells how much memory the next ones need, since several lists start together."""
LARGEST_PAGE = 10_000
SMALLEST_PAGE = 250
GOOD_PAGES = 10
"""Complete pages after which larger ones are requested again."""


@dataclass(frozen=True)
class Pace:
    """The size of a list's pages, and how to request them. Attached to its requests.

    Args:
        rows: Rows of the following pages.
        good: Number of complete pages of this size so far.
        tracks: Whether to request change tracking, if the object supports it.
        is_second: Whether the page is requested again in another size, because it was full and had no next link.
    """

    rows: int
    good: int = 0
    tracks: bool = True
    is_second: bool = False

    def after_good_page(self) -> Pace:
        """Returns the pace after a complete page: after several of them, pages grow again."""
        if self.rows >= LARGEST_PAGE:
            return replace(self, is_second=False)
        if self.good + 1 < GOOD_PAGES:
            return replace(self, good=self.good + 1, is_second=False)
        return replace(self, rows=min(self.rows * 2, LARGEST_PAGE), good=0, is_second=False)


@dataclass(frozen=True)
class ListInfo:
    """The properties of a list that a page shows. Attached to the page.

    Args:
        delta: The path of the delta link. None if the page has none.
        tracks: Whether the object tracks its changes.
    """

    delta: str | None
    tracks: bool


def pace_of(request: Request) -> Pace:
    """Returns the pace that a request carries."""
    return request.note if isinstance(request.note, Pace) else Pace(LARGEST_PAGE)
