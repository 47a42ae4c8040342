"""How Personio's v1 API is asked for a page, where its records are, what its errors mean."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import Numbered, Parsed, Request, Slice, TapError
from typing_extensions import override

from tap_personio.client import PersonioStream
from tap_personio.values import as_list, count, straightener, unwrapped, without_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from singer_rest import Authenticator, Record

    from tap_personio.client import PersonioTap


class V1Stream(PersonioStream):
    """A list of Personio's v1 API."""

    pages: ClassVar[Numbered | None] = None
    """How pages are asked for; None: the list has only one."""

    _tap: PersonioTap

    @property
    @override
    def authenticator(self) -> Authenticator:
        return self._tap.v1_authenticator

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        request = super().page_request(part, since)
        if self.pages is None:
            return request
        page = ((self.pages.limit, str(self.pages.size)), (self.pages.param, str(self.pages.first)))
        return Request(request.path, page + request.params, request.endpoint)

    @override
    def parse(self, body: Any, request: Request) -> Parsed:
        if isinstance(body, dict) and body.get("success") is False:
            raise TapError(f"{self.name}: {self.path} answered that it failed. Run again later.")
        listed = as_list(self.rows(body.get("data"))) if isinstance(body, dict) else None
        records, failed = without_nulls(listed)
        if not isinstance(listed, list) or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no list of records. Check `api_url`.")
        if self.pages and self.pages.is_again(request, listed):
            return Parsed([])
        # The number of pages is not always right, that of the records is; it may be text, or missing.
        metadata = body.get("metadata")
        total = count(metadata.get("total_elements")) if isinstance(metadata, dict) else None
        following = self.pages.following(request, listed, total) if self.pages else []
        return Parsed(
            [self.record(row) for row in records], following, total=total, item_count=len(listed), failed_items=failed
        )

    def rows(self, data: Any) -> Any:  # noqa: ANN401 - what the API sends
        """The list of records in the body's data."""
        return data

    def record(self, row: Record) -> Record:
        """A record without the objects that v1 wraps it in."""
        record: Record = unwrapped(row)
        return record

    @cached_property
    def _straighteners(self) -> Mapping[str, Callable[[Any], Any]]:
        return {name: straightener(definition) for name, definition in self.effective_schema["properties"].items()}

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        straighteners = self._straighteners
        for name, value in row.items():
            if name in straighteners:
                row[name] = straighteners[name](value)
        return row
