"""The parameters of a request that the resource supports in this version, and its page. Others are ignored."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

from hr_sandbox.factorial.errors import make_invalid_cursor, make_invalid_parameter
from hr_sandbox.factorial.tables import CLUSTER, decode_cursor, encode_cursor, to_api_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.store import Key
    from hr_sandbox.factorial.tables import Resource

Item = TypeVar("Item")
FLAGS = {"true": True, "1": True, "false": False, "0": False}
DAY_LENGTH = 10


def parse_timestamp(text: str) -> datetime:
    """Parses a UTC timestamp, or raises ValueError. A date means its beginning, a time without a zone is UTC."""
    if len(text) == DAY_LENGTH:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    timestamp = datetime.fromisoformat(text)
    return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)


class Query:
    """The parameters of one request."""

    def __init__(
        self, resource: Resource, version: str, pairs: Iterable[tuple[str, str]], ignored: frozenset[str] = frozenset()
    ) -> None:
        self.resource = resource
        self.version = version
        self._values: dict[str, list[str]] = {}
        for name, text in pairs:
            known = resource.parameters.get(name)
            if known and version in known.span and name not in ignored:
                self._values.setdefault(name, []).append(text)
        for name, texts in self._values.items():
            self._check_values(name, texts)

    def _check_values(self, name: str, texts: list[str]) -> None:
        parameter = self.resource.parameters[name]
        if parameter.type == "boolean" and not name.endswith("[]") and texts[-1] not in FLAGS:
            raise make_invalid_parameter(self.resource.module, name, "is not a boolean")
        if parameter.choices and not name.endswith("[]") and texts[-1] not in parameter.choices:
            raise make_invalid_parameter(self.resource.module, name, "is not included in the list")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the given parameters."""
        return tuple(self._values)

    def get_all(self, name: str) -> list[str]:
        """Returns all values of a parameter."""
        return self._values.get(name, [])

    def get(self, name: str) -> str | None:
        """Returns the last value of a parameter, or None."""
        values = self.get_all(name)
        return values[-1] if values else None

    def get_flag(self, name: str) -> bool | None:
        """Returns the value of a flag, or None if it was not given."""
        text = self.get(name)
        return None if text is None else FLAGS.get(text)

    def get_timestamp(self, name: str) -> datetime | None:
        """Returns a UTC timestamp, or None if it was not given."""
        text = self.get(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text)
        except (ValueError, OverflowError) as error:
            raise make_invalid_parameter(self.resource.module, name, "is not a valid date") from error

    def get_day(self, name: str) -> date | None:
        """Returns a date, or the UTC date of a timestamp."""
        timestamp = self.get_timestamp(name)
        return timestamp and timestamp.date()


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


def parse_paging(given: dict[str, str], *, numbered: bool) -> Paging:
    """Parses the pagination parameters. Keys are integers or texts."""
    limit = min(_parse_count(given, LIMIT) or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    return Paging(
        limit, _parse_key(given, AFTER, numbered), _parse_key(given, BEFORE, numbered), _parse_count(given, PAGE)
    )


def _parse_count(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise make_invalid_cursor(name)
    return int(text)


def _parse_key(given: dict[str, str], name: str, numbered: bool) -> Key | None:  # noqa: FBT001  private
    text = given.get(name)
    if text is None:
        return None
    try:
        key = decode_cursor(text)
        return int(key) - CLUSTER if numbered else key
    except ValueError as error:
        raise make_invalid_cursor(name) from error


def format_key(key: Key) -> str:
    """Returns the key in a cursor."""
    return str(to_api_id(key)) if isinstance(key, int) else key


def slice_page(items: Sequence[Item], asked: Paging, find_key: Callable[[Item], Key]) -> tuple[Sequence[Item], Row]:
    """Returns the items of the page, and its `meta`. The items are ordered by their keys."""
    start, end = _find_bounds(items, asked, find_key)
    whole = not start and end == len(items)
    meta: dict[str, Any] = {
        "has_next_page": end < len(items),
        "has_previous_page": start > 0 and bool(items),
        # A complete result has no cursors.
        "start_cursor": None if whole or start >= end else encode_cursor(format_key(find_key(items[start]))),
        "end_cursor": None if whole or start >= end else encode_cursor(format_key(find_key(items[end - 1]))),
        "limit": asked.limit,
        "total": len(items),
    }
    return items[start:end], meta


def _find_bounds(items: Sequence[Item], asked: Paging, find_key: Callable[[Item], Any]) -> tuple[int, int]:
    if asked.before is not None:
        end = bisect_left(items, asked.before, key=find_key)
        return max(end - asked.limit, 0), end
    if asked.after is not None:
        start = bisect_right(items, asked.after, key=find_key)
    else:
        start = min(((asked.number or 1) - 1) * asked.limit, len(items))
    return start, min(start + asked.limit, len(items))


def make_meta_without_pages(total: int) -> Row:
    """Returns the `meta` of a resource that does not page."""
    return {
        "has_next_page": False,
        "has_previous_page": False,
        **dict.fromkeys(("start_cursor", "end_cursor", "limit")),
        "total": total,
    }
