"""How Personio is asked for a page, where its records and its next page are, what its errors mean."""

from __future__ import annotations

from abc import abstractmethod
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pendulum
from singer_rest import Meaning, Parsed, Reply, Request, RestStream, RestTap, Slice, TapError, query
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_personio import schemas
from tap_personio.values import without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_rest import Authenticator, Transport


VENDOR_DOMAINS = (".personio.de", ".personio.com")
"""Of links that are good whichever host they name: only their query is used, and the token goes to `api_url` alone."""
ZONE_UNKNOWN = pendulum.duration(days=1)
"""The look-back where a filter takes a day or a local time, and nothing says in which zone."""


class PersonioTap(RestTap):
    """What Personio's streams need from their tap."""

    @property
    @abstractmethod
    def v1_authenticator(self) -> Authenticator:
        """The authenticator for the v1 API, one per run."""

    @property
    @abstractmethod
    def careers(self) -> Transport:
        """The transport for the career site, which gets no token."""

    @property
    @abstractmethod
    def employee_attributes(self) -> Sequence[Mapping[str, Any]]:
        """The employee attributes that the company defines."""


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
    def parse(self, body: Any, request: Request) -> Parsed:
        listed = body.get("_data") if isinstance(body, dict) else None
        records, failed = without_nulls(listed)
        if not isinstance(listed, list) or not all(isinstance(record, dict) for record in records):
            raise TapError(f"{self.name}: the answer of {self.path} holds no list of records. Check `api_url`.")
        link = body
        for name in ("_meta", "links", "next"):
            link = link.get(name) if isinstance(link, dict) else None
        href = link.get("href") if isinstance(link, dict) else link
        return Parsed(records, [self._following(href, request)] if href else [], failed_items=failed)

    def _following(self, href: Any, request: Request) -> Request:  # noqa: ANN401 - what the API sends
        # Links may be relative, carry the cursor alone, or name a path that does not exist, so only their query is
        # taken. The page size is not always in it, and the vendor's default is small.
        try:
            link = urlsplit(href)
        except (ValueError, TypeError, AttributeError):
            raise TapError(f"{self.name}: the link to the next page cannot be read. Run again later.") from None
        host = link.hostname or ""
        own_host = urlsplit(self.transport.api_url).hostname
        if host and host != own_host and not f".{host}".endswith(VENDOR_DOMAINS):
            raise TapError(
                f"{self.name}: the link to the next page leads to another host, and the token must not go there. "
                "Check `api_url`."
            )
        params = parse_qsl(link.query, keep_blank_values=True)
        if self.cursor_alone and "cursor" in dict(params):
            params = [(name, value) for name, value in params if name == "cursor"]
        elif self.page_size and "limit" not in dict(params):
            params.append(("limit", str(self.page_size)))
        return Request(request.path, tuple(params), request.endpoint)

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # One parent's children may be refused, or not found for a moment, while the others' are there: only where it is
        # so with all of them is the permission missing, whatever the words are.
        is_of_parent = self.slices.parent is not None
        if reply.status == HTTPStatus.NOT_FOUND:
            return Meaning.PARENT_GONE if is_of_parent else Meaning.NO_PERMISSION
        is_unauthorized = reply.status == HTTPStatus.BAD_REQUEST and b"unauthorized token" in reply.body.lower()
        if is_unauthorized or reply.status == HTTPStatus.FORBIDDEN:
            return Meaning.PARENT_FORBIDDEN if is_of_parent else Meaning.NO_PERMISSION
        return super().classify(reply, request)
