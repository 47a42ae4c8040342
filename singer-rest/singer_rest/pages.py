"""A request for one page, the vendor's answer, and the page that comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
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
        counted: Whether a page before it said that more follow, and asked for them.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    endpoint: str
    counted: bool = False


@dataclass(frozen=True)
class Numbered:
    """Pages that are asked for by number, or by the number of their first record.

    Args:
        param: The query parameter.
        size: Records of a page.
        first: The number of the first page.
        by_record: Whether the number counts records, not pages.
    """

    param: str
    size: int
    first: int = 0
    by_record: bool = False

    def following(self, request: Request, records: int, total: int | None) -> list[Request]:
        """The requests for the pages after one.

        Where the vendor tells how many records there are, all pages are known at once; otherwise a full page is
        followed by another. The last page is asked anew how many there are: the list may have grown.

        Args:
            request: That of the page.
            records: How many records it holds.
            total: How many the list holds, if the vendor says so.
        """
        if request.counted:
            return []
        number = int(dict(request.params)[self.param])
        if not total:
            return [self._numbered(request, number, 1, self.size)] if records >= self.size else []
        # A vendor may hold fewer records to be a full page than were asked for.
        size = records if number == self.first and 0 < records < min(self.size, total) else self.size
        done = (number - self.first) // (size if self.by_record else 1) + 1
        ahead = -(-total // size) - done
        return [self._numbered(request, number, step, size, counted=step < ahead) for step in range(1, ahead + 1)]

    def _numbered(self, request: Request, number: int, step: int, size: int, *, counted: bool = False) -> Request:
        number += step * (size if self.by_record else 1)
        params = tuple((name, str(number) if name == self.param else value) for name, value in request.params)
        return replace(request, params=params, counted=counted)


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
        gone: Whether the parent, whose children were asked for, is no longer there.
        ends_slice: Whether it is the last page of its slice; known once it is handed on.
    """

    records: list[Record]
    following: Sequence[Request]
    slice: Slice
    size: int
    received: datetime
    gone: bool = False
    ends_slice: bool = False
