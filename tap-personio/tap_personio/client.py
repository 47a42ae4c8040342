"""How Personio is asked for a page, where its records and its next page are, what its errors mean."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pendulum
from singer_rest import Reply, Request, RestStream, Slice, TapError, query
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_personio import schemas

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_rest.pages import Record

VENDOR_HOST = "api.personio.de"
ZONE_UNKNOWN = pendulum.duration(days=1)
"""The look-back where a filter takes a day or a local time, and nothing says in which zone."""


class PersonioStream(RestStream):
    """A list of Personio's v2 API."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))

    keyless_advice = "Allow the credential to read this attribute to read only what changed."

    cursor_alone: ClassVar[bool] = False
    """Whether the API refuses anything beside a cursor."""

    @override
    def page_request(self, part: Slice, since: datetime | None) -> Request:
        limit = {"limit": str(self.page_size)} if self.page_size else {}
        changed = self.changed_since.params(since) if since and self.changed_since else {}
        return Request(self.path.format(**part.path), query(limit, self.params, part.params, changed), self.path)

    @override
    def parse(self, body: Any, request: Request) -> tuple[list[Record], Sequence[Request]]:
        records = body.get("_data") if isinstance(body, dict) else None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no list of records. Check `api_url`.")
        link = body
        for name in ("_meta", "links", "next"):
            link = link.get(name) if isinstance(link, dict) else None
        href = link.get("href") if isinstance(link, dict) else link
        return records, [self._following(href, request)] if href else []

    def _following(self, href: Any, request: Request) -> Request:  # noqa: ANN401 - what the API sends
        # Links may be relative, carry the cursor alone, or name a path that does not exist, so only their query is
        # taken. The page size is not always in it, and the vendor's default is small.
        try:
            link = urlsplit(href)
        except (ValueError, TypeError, AttributeError):
            raise TapError(f"{self.name}: the link to the next page cannot be read. Run again later.") from None
        own_host = urlsplit(self.transport.api_url).hostname
        if link.hostname not in {None, own_host, VENDOR_HOST}:
            raise TapError(
                f"{self.name}: the link to the next page leads to another host, and the token must not go there. "
                "Check `api_url`."
            )
        params = parse_qsl(link.query, keep_blank_values=True)
        if self.cursor_alone:
            params = [(name, value) for name, value in params if name == "cursor"]
        elif self.page_size and "limit" not in dict(params):
            params.append(("limit", str(self.page_size)))
        return Request(request.path, tuple(params), request.endpoint)

    @override
    def lacks_access(self, reply: Reply) -> bool:
        # A missing right is a 403, but also a 401, a 404 for the whole endpoint, or a 400 that speaks of the token.
        if reply.status == HTTPStatus.BAD_REQUEST:
            return b"unauthorized token" in reply.body.lower()
        return reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}

    @override
    def is_gone(self, reply: Reply) -> bool:
        # A person who was deleted since the listing is a 404 too, but not one of the endpoint.
        return (
            self.slices.parent is not None
            and reply.status == HTTPStatus.NOT_FOUND
            and b"endpoint" not in reply.body.lower()
        )
