"""The slices that the scheduler is reading: their pages to request, and pages that have arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singer_rest.http.retries import Attempts

if TYPE_CHECKING:
    from singer_rest.fetch.loop_guard import LoopGuard
    from singer_rest.fetch.page import Page
    from singer_rest.http.request import Request
    from singer_rest.slices.base import Slice


MAX_PAGES_WHOLE = 4
"""Up to this many pages a list is read as a whole, even if its slice has parts."""
MAX_COUNTED_PAGES_WHOLE = 50
"""Like `MAX_PAGES_WHOLE`, if the vendor reports the total. Such pages can be requested together."""


@dataclass
class Budget:
    """The pages that have been requested but not yet yielded, of all streams.

    Args:
        pages: Number of pages.
        size: Bytes of their bodies. Decoded they take about five times as much.
    """

    pages: int = 0
    size: int = 0

    def count_page(self, page: Page, sign: int = 1) -> None:
        """Adds a page, or removes it if the sign is -1."""
        self.pages += sign
        self.size += sign * page.size


@dataclass(eq=False)
class OpenSlice:
    """A slice that is being read. Its pages are yielded in order, whatever other slices do.

    Args:
        slice: The slice.
        loop_guard: Detects endless lists in it.
        pages: Number of pages known so far.
        yielded: Number of pages made available in order.
        taken: Number of pages that the main thread has taken.
        is_counted: Whether its number of pages is known from its first page.
        is_held: Whether its pages are held until it is known whether its parts are read instead.
        arrived: Pages that arrived before an earlier one, by number.
        error: Why it ends early. Its pages before that are read.
        memory: What its stream remembers of it from page to page.
    """

    slice: Slice
    loop_guard: LoopGuard
    pages: int = 1
    yielded: int = 0
    taken: int = 0
    is_counted: bool = False
    is_held: bool = False
    arrived: dict[int, Page] = field(default_factory=dict)
    error: Exception | None = None
    memory: dict[str, Any] = field(default_factory=dict)

    def is_long(self, page: Page) -> bool | None:
        """Whether it has more pages than are read as a whole, as its last page shows. None: not known yet."""
        if page.total:
            return page.total > MAX_COUNTED_PAGES_WHOLE * len(page.records)
        if not page.next_requests:
            return False
        return True if len(self.arrived) >= MAX_PAGES_WHOLE else None


@dataclass(eq=False)
class Task:
    """One page to request.

    Args:
        open_slice: The slice that it belongs to.
        number: The number of the page in the slice.
        request: The request.
        attempts: The attempts so far.
        not_before: When it may be sent, by the monotonic clock.
        expected: Estimated size of its page in bytes, from the page before it. 0: unknown.
        answered_count: Number of responses so far under the rate limit that delayed it last.
    """

    open_slice: OpenSlice
    number: int
    request: Request
    attempts: Attempts = field(default_factory=Attempts)
    not_before: float = 0.0
    expected: int = 0
    response_count: int = 0

    @property
    def slice(self) -> Slice:
        """The slice that the page belongs to."""
        return self.open_slice.slice

    @property
    def pages_ahead(self) -> int:
        """Number of pages that have to arrive before its page can be yielded, or can show whether the list is long."""
        opened = self.open_slice
        return self.number - opened.yielded - (len(opened.arrived) if opened.is_held else 0)
