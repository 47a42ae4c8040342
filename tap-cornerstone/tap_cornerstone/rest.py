"""A list of one of the REST families: foundational ones in JSON, each with an envelope and pages of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk import SchemaDirectory, StreamSchema

from tap_cornerstone import schemas
from tap_cornerstone.client import CornerstoneStream

if TYPE_CHECKING:
    from singer_rest import Rate


class RestList(CornerstoneStream):
    """A list over REST."""

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SchemaDirectory(schemas))
    rate: ClassVar[Rate | None] = None
    """The documented limit, where it is not the usual one."""
