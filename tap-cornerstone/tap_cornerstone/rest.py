"""A list of one of the REST families: in JSON, each with an envelope and pages of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import (
    Meaning,
    PageContents,
    PageNumber,
    PageToken,
    Paginator,
    Parsed,
    RateLimit,
    Reply,
    Request,
    RetryableError,
    TapError,
)
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_cornerstone import schemas
from tap_cornerstone.client import NOT_ALLOWED, CornerstoneStream, per_minute
from tap_cornerstone.odata.links import count_of, member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Record

TOKENS = PageToken("nextPageToken", "nextpagetoken")
"""Lists whose pages are numbered may tell a token, too."""

GOOD = frozenset({"success", "successful", "ok", ""})
BAD = re.compile("fail|error", re.IGNORECASE)
PASSING = re.compile("5..|429")
"""Statuses inside a good answer that may be another one the next time."""
TOTALS = ("totalrecords", "total_count", "totalcount")
FRAME = frozenset({"status", "timestamp", "correlationid", "count", *TOTALS, "pageinfo", "nextpagetoken", "error"})
"""What stands beside the records."""

BOM = b"\xef\xbb\xbf"


class RestList(CornerstoneStream):
    """A list over REST."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))
    pagination: ClassVar[Paginator] = TOKENS
    page_size_param = "pageSize"
    members: ClassVar[Sequence[str]] = ("data",)
    """Where the records are in the body, in small letters; the first that is there."""
    rate: ClassVar[RateLimit | None] = per_minute(417)
    """The documented limit."""

    @override
    def decode(self, reply: Reply) -> Any:
        if reply.body.removeprefix(BOM).lstrip()[:1] == b"<" and b"<html" not in reply.body[:1000].lower():
            raise TapError(
                f"{self.name}: {self.path} answered XML, though JSON is asked for. Check that nothing between here and "
                "the portal changes the header Accept."
            )
        return reply.json()

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        found = self._found_items(body)
        items = [item for item in found if isinstance(item, dict) and not _is_failed(item)]
        if self.pagination.is_repeated(request, found):
            if self._is_full(found) and told_total(body) != len(found):
                raise TapError(
                    f"{self.name}: {self.path} answers the same full page whatever its number, so the others cannot "
                    "be read. Report it with this tap's version."
                )
            return Parsed([])  # a number that is not heeded brings the same page for ever
        if request.note is not None and request.note == _beginning(found):
            return Parsed([])  # beyond the last page some lists begin anew
        inner = [row for item in items for row in self.rows(item)]
        rows = [self.spelled(row) for row in inner if isinstance(row, dict)]
        return Parsed(
            rows,
            self._following(body, found, request),
            total=self.told(body),
            item_count=max(len(found), len(inner)),  # what is told may be of either
            failed_items=len(found) - len(items) + len(inner) - len(rows),
            maybe_incomplete=not found and TOKENS.is_announced(request) and self._tells_nothing(body),
        )

    def _tells_nothing(self, body: Any) -> bool:  # noqa: ANN401 - what the portal sends
        """Whether a body has no list, and does not say that it has none either."""
        return isinstance(body, dict) and member(body, "data") is None and self.told(body) is None

    def told(self, body: Any) -> int | None:  # noqa: ANN401 - what the portal sends
        """How many items the portal says that the whole list holds, or this page of it; None: it does not say."""
        counts = [
            told_total(body),
            self.total(body),
            count_of(member(body, "count")) if isinstance(body, dict) else None,
        ]
        return max((count for count in counts if count is not None), default=None)

    def rows(self, item: Record) -> list[Any]:
        """The records of an item in the body's list; what is none is counted, and not handed on."""
        return [item]

    def total(self, body: Any) -> int | None:  # noqa: ANN401, ARG002 - what the portal sends
        """How many items the list holds; None where it is not told, or cannot be relied on."""
        return None

    def _found_items(self, body: Any, *, alone: bool = False) -> list[Any]:  # noqa: ANN401 - what the portal sends
        """What is in a body's list, or the one record in its place; entries of a list may be no records."""
        found = self._found(body, alone=alone or self.slices.parent is not None)
        items = [found] if isinstance(found, dict) else found
        if not isinstance(items, list):
            raise TapError(f"{self.name}: the answer of {self.path} holds no list of records. {self.advice(200)}")
        return items

    def _found(self, body: Any, *, alone: bool) -> Any:  # noqa: ANN401 - what the portal sends
        """The list in a body, or its only record; it may stand in a frame or not.

        Args:
            body: The decoded body.
            alone: Whether it may be a record, without a frame.
        """
        if not isinstance(body, dict):
            return body
        names = {name.lower() for name in body}
        inner = next((name for name in self.members if name in names), None)
        if inner is None and member(body, "error"):
            raise RetryableError("the portal answered with an error")
        if inner is None:
            return ([] if names <= FRAME else body) if alone else None
        status = str(member(body, "status") or "")  # of the answer, or of the employee in it
        if PASSING.fullmatch(status):
            raise RetryableError(f"status {status} inside a good answer")
        if BAD.search(status) or (status.isdigit() and not status.startswith("2")):
            raise TapError(f"{self.name}: {self.path} says that it failed, inside a good answer. {self.advice(200)}")
        found = member(body, inner)
        if isinstance(found, dict) and any(name.lower() in self.members for name in found):
            return self._found(found, alone=True)
        return [] if found is None or found == {} else found

    def _following(self, body: Any, items: list[Any], request: Request) -> list[Request]:  # noqa: ANN401
        names = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
        if names.get(TOKENS.path):
            return TOKENS.next_requests(request, PageContents(names, items))
        if isinstance(self.pagination, PageNumber):
            first = _beginning(items) if request.previous_page is None else request.note
            following = self.next_requests(request, body, items, self.total(body))
            return [replace(other, note=first) for other in following]
        if isinstance(body, list) and self.page_size == len(items):
            raise TapError(f"{self.name}: a full page does not say whether another follows. Run again later.")
        return []

    def _is_full(self, items: list[Any]) -> bool:
        return isinstance(self.pagination, PageNumber) and len(items) == self.pagination.size

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        if again := self.restarted(reply, request):
            return again
        if self.slices.parent is not None:
            if reply.status == HTTPStatus.NOT_FOUND:
                return Meaning.PARENT_GONE
            if reply.status in NOT_ALLOWED:  # what the service account may see can differ from one to the next
                return Meaning.PARENT_FORBIDDEN
        return super().classify(reply, request)

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """The columns by their names in small letters."""
        return {name.lower(): name for name in self.schema["properties"]}

    def spelled(self, row: Record) -> Record:
        """A record whose fields are spelled as the columns are: the families differ, and so do portals."""
        columns = self._spellings
        for name in [name for name in row if columns.get(name.lower(), name) != name]:
            column = columns[name.lower()]
            if row.get(column) is None:
                row[column] = row.pop(name)
        return row


def first_of(item: Record, *names: str) -> Any:  # noqa: ANN401 - whatever the portal sent
    """The value of the first of some members, in small letters, that has one."""
    return next((value for name in names if (value := member(item, name)) is not None), None)


def _beginning(items: list[Any]) -> int | None:
    return hash(repr(items[:1])) if items else None


def _is_failed(item: Record) -> bool:
    """Whether the portal says of an item that it could not be given."""
    result = member(item, "result")
    if not isinstance(result, str) or "reason" not in map(str.lower, item):
        return False
    is_alone = all(value is None for name, value in item.items() if name.lower() not in {"result", "reason"})
    return bool(BAD.search(result)) or (is_alone and result.lower() not in GOOD)


def told_total(body: Any) -> int | None:  # noqa: ANN401 - what the portal sends
    """How many items a body says that its list holds; None where it does not."""
    return count_of(first_of(body, *TOTALS)) if isinstance(body, dict) else None
