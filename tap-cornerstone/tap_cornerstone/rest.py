"""The base class of the streams of the REST APIs. Each API has its own envelope and pagination."""

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
    ParsedBody,
    RateLimit,
    Reply,
    Request,
    RetryableError,
    TapError,
    parse_count,
)
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_cornerstone import schemas
from tap_cornerstone.client import NOT_ALLOWED, CornerstoneStream, per_minute
from tap_cornerstone.odata.links import find_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Record

TOKENS = PageToken("nextPageToken", "nextpagetoken")
"""Also used for lists with numbered pages, since some portals send tokens there."""

GOOD = frozenset({"success", "successful", "ok", ""})
BAD = re.compile("fail|error", re.IGNORECASE)
PASSING = re.compile("5..|429")
"""Statuses inside a 200 response that are worth a retry."""
TOTALS = ("totalrecords", "total_count", "totalcount")
FRAME = frozenset({"status", "timestamp", "correlationid", "count", *TOTALS, "pageinfo", "nextpagetoken", "error"})
"""Members of a body other than the records."""

MESSAGES = frozenset({"message", "messagedetail", "exceptionmessage", "exceptiontype", "stacktrace", "code", "details"})
"""Members of an error that stands in place of the body."""

BOM = b"\xef\xbb\xbf"


class RestList(CornerstoneStream):
    """An endpoint of a REST API."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))
    pagination: ClassVar[Paginator] = TOKENS
    page_size_param = "pageSize"
    members: ClassVar[Sequence[str]] = ("data",)
    """Members of the body that may contain the records, in lower case. The first one that exists is used."""
    rate: ClassVar[RateLimit | None] = per_minute(417)
    """The documented rate limit."""

    @override
    def decode(self, reply: Reply) -> Any:
        if reply.body.removeprefix(BOM).lstrip()[:1] == b"<" and b"<html" not in reply.body[:1000].lower():
            raise TapError(
                f"{self.name}: {self.path} returned XML although JSON was requested. Check that no proxy changes the "
                "header Accept."
            )
        return reply.json()

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        # Unlike the default, this finds records in several envelopes, and skips items that report an error.
        found = self._found_items(body)
        items = [item for item in found if isinstance(item, dict) and not _is_failed(item)]
        # A page is recognized by its first record; failed items may be alike on all pages.
        found = [*items, *(item for item in found if not isinstance(item, dict) or _is_failed(item))]
        if self.pagination.is_repeated(request, found):
            if self._is_full(found) and find_total(body) != len(found):
                raise TapError(
                    f"{self.name}: {self.path} returns the same full page for every page number, so the others cannot "
                    "be read. Report it with this tap's version."
                )
            return ParsedBody([])  # the number is ignored, so the same page would come for ever
        if request.note is not None and request.note == _hash_first_item(items):
            return ParsedBody([])  # after the last page, some lists start over
        inner = [row for item in items for row in self.rows_in_item(item)]
        rows = [self.with_column_names(row) for row in inner if isinstance(row, dict)]
        return ParsedBody(
            rows,
            self._requests_after(body, found, request, first=_hash_first_item(items)),
            total=self.reported_total(body),
            item_count=max(len(found), len(inner)),  # the total may count either
            failed_items=len(found) - len(items) + len(inner) - len(rows),
            maybe_incomplete=not found and TOKENS.is_announced(request) and self._is_inconclusive(body),
        )

    def _is_inconclusive(self, body: Any) -> bool:  # noqa: ANN401 - what the portal sends
        """Whether a body is malformed: it has no list, and its total is not zero."""
        return isinstance(body, dict) and find_property(body, "data") is None and self.reported_total(body) is None

    def reported_total(self, body: Any) -> int | None:  # noqa: ANN401 - what the portal sends
        """Returns the number of items in the list, or on this page, according to the portal. None if it is missing."""
        counts = [
            find_total(body),
            self.find_total(body),
            parse_count(find_property(body, "count")) if isinstance(body, dict) else None,
        ]
        return max((count for count in counts if count is not None), default=None)

    def rows_in_item(self, item: Record) -> list[Any]:
        """Returns the records in an item of the list. Anything that is not an object is counted and dropped."""
        return [item]

    def find_total(self, body: Any) -> int | None:  # noqa: ANN401, ARG002 - what the portal sends
        """Returns the number of items in the list. None if it is missing or unreliable."""
        return None

    def _found_items(self, body: Any, *, alone: bool = False) -> list[Any]:  # noqa: ANN401 - what the portal sends
        """Returns the items of a body's list, or the single record in its place. Items need not be records."""
        found = self._unwrap_list(body, alone=alone or self.slices.parent is not None or self.rereads)
        items = [found] if isinstance(found, dict) else found
        if not isinstance(items, list):
            raise TapError(
                f"{self.name}: the response of {self.path} contains no list of records. {self.advice_for_status(200)}"
            )
        return items

    def _unwrap_list(self, body: Any, *, alone: bool) -> Any:  # noqa: ANN401 - what the portal sends
        """Returns the list in a body, or its only record, with or without an envelope.

        Args:
            body: The decoded body.
            alone: Whether the body may be a record without an envelope.
        """
        if not isinstance(body, dict):
            return body
        names = {name.lower() for name in body}
        inner = next((name for name in self.members if name in names), None)
        if inner is None and (find_property(body, "error") or (names & MESSAGES and names <= FRAME | MESSAGES)):
            raise RetryableError("the portal returned an error")
        if inner is None and not names <= FRAME:
            return body if alone else None
        status = str(find_property(body, "status") or "")  # of the response, or of the employee in it
        if PASSING.fullmatch(status):
            raise RetryableError(f"status {status} inside a 200 response")
        if BAD.search(status) or (status.isdigit() and not status.startswith("2")):
            raise TapError(
                f"{self.name}: {self.path} reports a failure inside a 200 response. {self.advice_for_status(200)}"
            )
        if inner is None:
            return [] if alone else None
        found = find_property(body, inner)
        if isinstance(found, dict) and any(name.lower() in self.members for name in found):
            return self._unwrap_list(found, alone=True)
        return [] if found is None or found == {} else found

    def _requests_after(self, body: Any, items: list[Any], request: Request, *, first: int | None) -> list[Request]:  # noqa: ANN401
        names = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
        if names.get(TOKENS.path):
            return TOKENS.next_requests(request, PageContents(names, items))
        if isinstance(self.pagination, PageNumber):
            first = first if request.is_first else request.note
            following = self.next_requests(request, body, items, self.find_total(body))
            return [replace(other, note=first) for other in following]
        if isinstance(body, list) and self.page_size == len(items):
            raise TapError(f"{self.name}: a full page does not say whether another follows. Run again later.")
        return []

    def _is_full(self, items: list[Any]) -> bool:
        return isinstance(self.pagination, PageNumber) and len(items) == self.pagination.size

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        if again := self.restart_request(reply, request):
            return again
        if self.slices.parent is not None:
            if reply.status == HTTPStatus.NOT_FOUND:
                return Meaning.PARENT_GONE
            if reply.status in NOT_ALLOWED:  # the service account may see only some of them
                return Meaning.PARENT_FORBIDDEN
        return super().classify(reply, request)

    @cached_property
    def _columns_by_lower_name(self) -> Mapping[str, str]:
        """The columns by their names in lower case."""
        return {name.lower(): name for name in self.schema["properties"]}

    def with_column_names(self, row: Record) -> Record:
        """Renames fields to the spelling of the columns, which differs between APIs and portals."""
        columns = self._columns_by_lower_name
        for name in [name for name in row if columns.get(name.lower(), name) != name]:
            column = columns[name.lower()]
            if row.get(column) is None:
                row[column] = row.pop(name)
        return row


def first_value_of(item: Record, *names: str) -> Any:  # noqa: ANN401 - whatever the portal sent
    """Returns the first value of some properties, given in lower case, that is not null."""
    return next((value for name in names if (value := find_property(item, name)) is not None), None)


def _hash_first_item(items: list[Any]) -> int | None:
    first = next((item for item in items if item), None)
    return None if first is None else hash(repr(first))


def _is_failed(item: Record) -> bool:
    """Whether an item reports that the portal could not return it."""
    result = find_property(item, "result")
    if not isinstance(result, str) or "reason" not in map(str.lower, item):
        return False
    is_alone = all(value is None for name, value in item.items() if name.lower() not in {"result", "reason"})
    return bool(BAD.search(result)) or (is_alone and result.lower() not in GOOD)


def find_total(body: Any) -> int | None:  # noqa: ANN401 - what the portal sends
    """Returns the total in a body. None if it has none."""
    return parse_count(first_value_of(body, *TOTALS)) if isinstance(body, dict) else None
