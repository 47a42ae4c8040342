"""How Personio is asked for a page, where its records and its next page are, what its errors mean."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from singer_rest import Meaning, NextLink, Paginator, Reply, Request, RestStream, RestTap
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_personio import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Authenticator, Transport


# The page size is not always in a link, and the vendor's default is small.
NEXT_LINK = NextLink("_meta.links.next", domains=(".personio.de", ".personio.com"), keep=("limit",))
CURSOR_ALONE = replace(NEXT_LINK, only="cursor")
"""For endpoints that refuse any parameter beside a cursor."""
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

    pagination: ClassVar[Paginator] = NEXT_LINK
    records_path = "_data"

    keyless_advice = "Allow the credential to read this attribute to read only what changed."

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
