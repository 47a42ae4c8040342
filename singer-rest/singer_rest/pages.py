"""A request for one page, the vendor's answer, and the page that comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_rest.slices import Slice

Record = dict[str, Any]

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Request:
    """A GET request below the tap's ``api_url``.

    Args:
        path: The path, with its placeholders filled in.
        params: The query, in the order in which it is sent; a name may stand more than once.
        endpoint: The path with its placeholders: what a rate limit and a right hold for.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    endpoint: str


@dataclass(frozen=True)
class Reply:
    """What the vendor answered to one request.

    Args:
        status: The HTTP status.
        headers: The headers, found whatever their case.
        body: The whole body.
        received: When it was there, UTC.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    received: datetime

    def json(self) -> Any:  # noqa: ANN401 - whatever the vendor sent
        """Decode the body; numbers with a fraction come as Decimal, so that no digit is lost.

        Raises:
            ValueError: If the body is not JSON.
        """
        try:
            return _decoder.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The standard library also reads what a strict decoder refuses, such as half a surrogate pair.
            return json.loads(self.body, parse_float=Decimal)


@dataclass
class Page:
    """The records of one answer, in the vendor's order.

    Args:
        records: The records as the vendor sent them.
        following: The requests for the pages after this one: the next one, or all where their number is known.
        slice: The slice that the page belongs to.
        size: Bytes of the body.
        received: When the answer was there, UTC.
        ends_slice: Whether it is the last page of its slice; known once it is handed on.
    """

    records: list[Record]
    following: Sequence[Request]
    slice: Slice
    size: int
    received: datetime
    ends_slice: bool = False
