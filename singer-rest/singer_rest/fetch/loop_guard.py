"""Where a slice's list has been: a list without an end is told from a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singer_rest.aliases import Record
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request

MAX_REPEATED_PAGES = 10
"""Pages of a list that may come again; their records have a key, so they should not come twice at all."""
MAX_EMPTY_PAGES = 1_000
"""The same for pages of records without a key, and how many empty pages may follow one another."""


def fingerprint(records: list[Record], *, has_key: bool) -> int | None:
    """What tells a page's records from those of other pages; None: there are none.

    Args:
        records: The records.
        has_key: Whether they have a key: then the first and the last say enough.
    """
    if not records:
        return None
    return hash((len(records), repr(records[0]), repr(records[-1])) if has_key else repr(records))


class LoopGuard:
    """What a slice was asked for, and what came, as hashes: there may be many pages.

    Args:
        first: The request for its first page.
        has_key: Whether its records have a key.
    """

    def __init__(self, first: Request, *, has_key: bool) -> None:
        self._has_key = has_key
        self._asked = {hash(first)}
        self._came: set[int] = set()
        self._alike = self._empty = 0

    def reset_read(self) -> None:
        """Forget what was: a part of its own begins, or all of it again, and its links may come up once more."""
        self._asked.clear()
        self._came.clear()
        self._alike = self._empty = 0

    def is_repeated_request(self, request: Request) -> bool:
        """Whether a request was made before; it is noted."""
        known = hash(request) in self._asked
        self._asked.add(hash(request))
        return known

    def is_looping(self, page: Page) -> bool:
        """Whether too many pages came again, each of which says that the list goes on: links may be new each time."""
        if page.fingerprint is None:
            self._empty += 1
            return self._empty > MAX_EMPTY_PAGES
        self._empty = 0
        self._alike += page.fingerprint in self._came
        self._came.add(page.fingerprint)
        return self._alike >= (MAX_REPEATED_PAGES if self._has_key else MAX_EMPTY_PAGES)
