"""The base classes of Personio's streams: pagination, records and statuses of the v2 API."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from singer_rest import IdsParam, Meaning, NextLink, Paginator, Reply, Request, RestStream, RestTap
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_personio import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Authenticator, Transport


# The links do not always contain the page size, and the vendor's default is small.
NEXT_LINK = NextLink("_meta.links.next", domains=(".personio.de", ".personio.com"), keep=("limit",))
CURSOR_ALONE = replace(NEXT_LINK, only="cursor")
"""The paginator of endpoints that reject any other parameter together with a cursor."""
ID_FILTER = IdsParam("id", separator=",")
ZONE_UNKNOWN = pendulum.duration(days=1)
"""The look-back for filters that take a date or a local time in an unknown time zone."""


class PersonioTap(RestTap):
    """The part of the tap that its streams use."""

    @property
    @abstractmethod
    def v1_authenticator(self) -> Authenticator:
        """The authenticator for the v1 API, one per run."""

    @property
    @abstractmethod
    def careers(self) -> Transport:
        """The HTTP client for the career site, which receives no token."""

    @property
    @abstractmethod
    def employee_attributes(self) -> Sequence[Mapping[str, Any]]:
        """The employee attributes that the company defines."""


class PersonioStream(RestStream):
    """An endpoint of Personio's v2 API."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))

    pagination: ClassVar[Paginator] = NEXT_LINK
    records_path = "_data"

    hidden_columns_advice = (
        "Personio leaves out attributes that the credential cannot read. In Personio: Settings, Integrations, API "
        "credentials, the credential: add them to its attributes."
    )
    keyless_advice = "Allow the credential to read this attribute to read only what changed."

    @override
    def classify(self, reply: Reply, request: Request) -> Meaning | Request:
        # The children of one parent may be forbidden or missing while those of others are not. Only if that applies to
        # all parents, the permission is missing.
        is_of_parent = self.slices.parent is not None
        if reply.status == HTTPStatus.NOT_FOUND:
            return Meaning.PARENT_GONE if is_of_parent else Meaning.NO_PERMISSION
        is_unauthorized = reply.status == HTTPStatus.BAD_REQUEST and b"unauthorized token" in reply.body.lower()
        if is_unauthorized or reply.status == HTTPStatus.FORBIDDEN:
            return Meaning.PARENT_FORBIDDEN if is_of_parent else Meaning.NO_PERMISSION
        return super().classify(reply, request)
