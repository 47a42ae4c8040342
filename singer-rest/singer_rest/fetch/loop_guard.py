"""Detects lists that never end, for example because links lead in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest.fetch.page import FittedRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_rest.aliases import Record
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request

MAX_REPEATED_PAGES = 10
"""Maximum number of repeated pages, for records with a key, which should not be repeated at all."""
MAX_EMPTY_PAGES = 1_000
"""The same for records without a key, and the maximum number of consecutive empty pages."""
MAX_SAMPLE = 100
"""Maximum number of records of a page without keys that are hashed, evenly spaced."""


def fingerprint_records(records: Sequence[Record], *, has_key: bool) -> int | None:
    """Returns a hash that distinguishes the records of a page from other pages. None for an empty page.

    Args:
        records: The records.
        has_key: Whether they have a key. Then the first and the last record are enough.
    """
    if not records:
        return None
    if isinstance(records, FittedRecords):
        return hash(repr(records.keys) if records.withheld else records.lines)
    sample = records[:1] if has_key else records[:: -(-len(records) // MAX_SAMPLE)]
    return hash((len(records), repr(sample), repr(records[-1])))


class LoopGuard:
    """Tracks the requests and pages of a slice, as hashes because there may be many.

    Args:
        first: The request for its first page.
        has_key: Whether its records have a key.
    """

    def __init__(self, first: Request, *, has_key: bool) -> None:
        self._has_key = has_key
        self._sent_requests = {hash(first)}
        self._seen_pages: set[int] = set()
        self._repeated_pages = self._empty_pages = 0

    def reset_read(self) -> None:
        """Forgets everything: another part of the slice begins, or the slice starts over, and links may repeat."""
        self._sent_requests.clear()
        self._seen_pages.clear()
        self._repeated_pages = self._empty_pages = 0

    def is_repeated_request(self, request: Request) -> bool:
        """Whether a request was sent before. Also adds it to the sent ones."""
        known = hash(request) in self._sent_requests
        self._sent_requests.add(hash(request))
        return known

    def is_looping(self, page: Page) -> bool:
        """Whether too many pages were repeated that link to a next page. Their links may differ each time."""
        if page.fingerprint is None:
            self._empty_pages += 1
            return self._empty_pages > MAX_EMPTY_PAGES
        self._empty_pages = 0
        self._repeated_pages += page.fingerprint in self._seen_pages
        self._seen_pages.add(page.fingerprint)
        return self._repeated_pages >= (MAX_REPEATED_PAGES if self._has_key else MAX_EMPTY_PAGES)
