"""A request for one page, the vendor's answer, and the page that comes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest import deep
from singer_rest.answers import Meaning

if TYPE_CHECKING:
    from datetime import datetime

    from singer_rest.slices import Slice

Record = dict[str, Any]
Params = Mapping[str, str | Sequence[str]]
"""Query parameters; one with several values is sent once for each, in their order."""

MAX_TOTAL = 1_000_000_000
"""Records; a vendor that tells of more in one list tells nothing."""
MAX_PAGES_AHEAD = 20_000
"""Pages of one list that are known at a time; the last of them tells of the next ones."""

MAX_DIGITS = 1000
"""Digits of a whole number that is read as one; Python itself refuses to read or write some thousands."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Request:
    """A GET request below the tap's ``api_url``.

    Args:
        path: The path, with its placeholders filled in.
        params: The query, in the order in which it is sent; a name may stand more than once.
        endpoint: The path with its placeholders: what a rate limit and a permission hold for.
        counted: Whether a page before it said that more follow, and asked for them.
        before: What the page before it begins with, to tell a vendor that does not heed a page's number.
        rest: What is asked for where no page follows its own: the other parts of a slice that is read in parts.
        begins: Whether it begins a slice, or a part of one, so that it may be asked for in smaller parts.
        headers: Headers of its own.
        again: How often its list was begun anew, because the link to the next page had ended.
        rows: How many records it asks for, where a list's pages are not all of one size.
        silent: Seconds that the same records were asked for in vain before, in another way.
        note: What its slice has to remember; the stream's own.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    endpoint: str
    counted: bool = False
    before: int | None = None
    rest: tuple[Request, ...] = ()
    begins: bool = field(default=False, compare=False)
    headers: tuple[tuple[str, str], ...] = ()
    again: int = 0
    rows: int = field(default=1, compare=False)
    silent: float = field(default=0.0, compare=False)
    note: Any = field(default=None, compare=False)


def query(*params: Params) -> tuple[tuple[str, str], ...]:
    """The query of a request, in the order in which it is sent; the last word on a parameter holds."""
    merged = {name: values for part in params for name, values in part.items()}
    return tuple(
        (name, value) for name, values in merged.items() for value in ([values] if isinstance(values, str) else values)
    )


@dataclass(frozen=True)
class Numbered:
    """Pages that are asked for by number, or by the number of their first record.

    Args:
        param: The query parameter.
        size: Records of a page.
        first: The number of the first page.
        by_record: Whether the number counts records, not pages.
        limit: The query parameter for the size; empty: there is none.
    """

    param: str
    size: int
    first: int = 0
    by_record: bool = False
    limit: str = "limit"

    def following(self, request: Request, records: list[Record], total: int | None) -> list[Request]:
        """The requests for the pages after one.

        Where the vendor tells how many records there are, their pages are known at once. But a total may be too small,
        and a list may grow, so a last page that is full is followed by another. Without a total, only an empty page is
        the end: a vendor may hold fewer records to be a full page than were asked for.

        Args:
            request: That of the page.
            records: Its records.
            total: How many the list holds, if the vendor says so.
        """
        if request.counted or not records:
            return []
        total = total if total and total <= MAX_TOTAL else None
        params = dict(request.params)
        number, size = int(params[self.param]), int(params.get(self.limit, self.size))
        done = number - self.first + (len(records) if self.by_record else 1)
        if total and number == self.first and len(records) < min(size, total):
            size = len(records)
        pages = -(-(total or 0) // size) - (-(-done // size) if self.by_record else done)
        pages = min(max(pages, 1 if not total or len(records) >= size else 0), MAX_PAGES_AHEAD)
        step = size if self.by_record else 1
        following = []
        for page in range(pages):
            new = {self.param: str(self.first + done + page * step)}
            if self.limit:
                new[self.limit] = str(size)
            query = tuple((name, new.get(name, value)) for name, value in request.params)
            counted = page + 1 < pages
            following.append(replace(request, params=query, counted=counted, before=_beginning(records)))
        return following

    def is_again(self, request: Request, records: list[Record]) -> bool:
        """Whether a page is the one before it: the vendor does not heed the number."""
        return request.before is not None and request.before == _beginning(records)


def _beginning(records: list[Record]) -> int:
    return hash(repr(records[:1]))


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
            return _decoded(self.body)
        except RecursionError:
            return _decoded(deep.shallow(self.body.decode(json.detect_encoding(self.body), "surrogatepass")))


def _decoded(body: bytes | str) -> Any:  # noqa: ANN401 - whatever the vendor sent
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        # The standard library also reads what a strict decoder refuses, such as half a surrogate pair. NaN and its like
        # stay as text: as numbers they would be written as null.
        return json.loads(body, parse_float=_fraction, parse_int=_whole, parse_constant=str)


def _fraction(digits: str) -> Decimal | str:
    """A number with a fraction or an exponent; beyond what can be counted with, its text."""
    try:
        return Decimal(digits)
    except ArithmeticError:
        return digits


def _whole(digits: str) -> int | str:
    """A whole number; of more digits than anybody counts with, its text."""
    return int(digits) if len(digits) <= MAX_DIGITS else digits


@dataclass(frozen=True)
class Parsed:
    """What a body holds.

    Args:
        records: The records as the vendor sent them.
        following: The requests for the pages after this one: none on the last page; the next one where each page tells
            of the next; all of them, on the first page, where their number is known: then they are under way together.
        told: How many items the vendor says that the whole list holds; None: it does not say, or cannot be relied on.
        items: How many of these the body holds; None: one for each record.
        failed: How many items the vendor says that it could not give.
        maybe_incomplete: Whether the body may lack records: it does not say that there are none, but is taken for that.
        note: What the stream has to know once the page is handed on; its own.
    """

    records: list[Record]
    following: Sequence[Request] = ()
    told: int | None = None
    items: int | None = None
    failed: int = 0
    maybe_incomplete: bool = False
    note: Any = None


@dataclass
class Page:
    """The records of one answer, in the vendor's order.

    Args:
        records: The records as the vendor sent them.
        following: The requests for the pages after this one: the next one, or all where their number is known.
        slice: The slice that the page belongs to.
        size: Bytes of the body.
        received: When the answer was there, UTC.
        meaning: What the answer means.
        parent: The parent, as it was asked with, where the answer says that it is gone or forbidden.
        told: How many items the vendor says that the list holds, if it does.
        items: How many of these the page holds.
        failed: How many items the vendor says that it could not give.
        maybe_incomplete: Whether the answer does not say that there are no records, but is taken for that.
        is_first: Whether a list begins with it: a slice may be read in several.
        restarts: How often the list was begun anew.
        asks_again: Whether it answers nothing yet, and what follows is only another way to ask.
        is_cut: Whether its list goes on, and is read in slices instead.
        ends_slice: Whether it is the last page of its slice; known once it is handed on.
        note: What the stream has to know of it; its own.
    """

    records: list[Record]
    following: Sequence[Request]
    slice: Slice
    size: int
    received: datetime
    meaning: Meaning = Meaning.RECORDS
    parent: str | None = None
    told: int | None = None
    items: int = 0
    failed: int = 0
    maybe_incomplete: bool = False
    is_first: bool = False
    restarts: int = 0
    asks_again: bool = False
    is_cut: bool = False
    ends_slice: bool = False
    note: Any = None
