"""Pagination: rows are ordered by id, and the id is the cursor."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.errors import invalid_cursor
from hr_sandbox.factorial.ids import CLUSTER, cursor, key_of, to_api_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.store import Key

MAX_PAGE_SIZE = 100
AFTER, BEFORE, LIMIT, PAGE = "after_id", "before_id", "limit", "page"


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested page.

    Attributes:
        limit: the page size, at most 100.
        after: the key before the page.
        before: the key after the page.
        number: the page number of the older pagination, from 1; None if it is not used.
    """

    limit: int
    after: Key | None
    before: Key | None
    number: int | None


def paging(given: dict[str, str], *, numbered: bool) -> Paging:
    """Parse the pagination parameters.

    Args:
        given: the last value of each parameter.
        numbered: whether keys are integers.
    """
    limit = min(_count(given, LIMIT) or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    return Paging(limit, _key(given, AFTER, numbered), _key(given, BEFORE, numbered), _count(given, PAGE))


def _count(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise invalid_cursor(name)
    return int(text)


def _key(given: dict[str, str], name: str, numbered: bool) -> Key | None:  # noqa: FBT001  private
    text = given.get(name)
    if text is None:
        return None
    try:
        key = key_of(text)
        return int(key) - CLUSTER if numbered else key
    except ValueError as error:
        raise invalid_cursor(name) from error


def cursor_key(key: Key) -> str:
    """Return the key in a cursor."""
    return str(to_api_id(key)) if isinstance(key, int) else key


def slice_page(keys: Sequence[Key], asked: Paging) -> tuple[slice, Row]:
    """Return the slice of the page, and its `meta`."""
    start, end = _place(keys, asked)
    whole = not start and end == len(keys)
    meta: dict[str, Any] = {
        "has_next_page": end < len(keys),
        "has_previous_page": start > 0 and bool(keys),
        # A complete result has no cursors.
        "start_cursor": None if whole or start >= end else cursor(cursor_key(keys[start])),
        "end_cursor": None if whole or start >= end else cursor(cursor_key(keys[end - 1])),
        "limit": asked.limit,
        "total": len(keys),
    }
    return slice(start, end), meta


def _place(keys: Sequence[Key], asked: Paging) -> tuple[int, int]:
    if asked.before is not None:
        end = bisect_left(keys, asked.before)
        return max(end - asked.limit, 0), end
    if asked.after is not None:
        start = bisect_right(keys, asked.after)
    else:
        start = min(((asked.number or 1) - 1) * asked.limit, len(keys))
    return start, min(start + asked.limit, len(keys))


def unpaged_meta(total: int) -> Row:
    """Return the `meta` of a resource that does not page."""
    return {
        "has_next_page": False,
        "has_previous_page": False,
        "start_cursor": None,
        "end_cursor": None,
        "limit": None,
        "total": total,
    }
