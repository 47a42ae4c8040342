"""A request below the tap's `api_url`, and the vendor's reply."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest import nesting as deep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from singer_rest.aliases import Params

MAX_DIGITS = 1000
"""Digits of a whole number that is read as one; Python itself refuses to read or write some thousands."""
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True)
class Request:
    """A request below the tap's ``api_url``.

    Args:
        path: The path, with its placeholders filled in.
        params: The query, in the order in which it is sent; a name may stand more than once.
        endpoint: The path with its placeholders: what a rate limit and a permission hold for.
        total_known: Whether a page before it said that more follow, and asked for them.
        previous_page: What the page before it begins with, to tell a vendor that does not heed a page's number.
        remaining: What is asked for where no page follows its own: the other parts of a slice that is read in parts.
        is_first: Whether it begins a slice, or a part of one, so that it may be asked for in smaller parts.
        headers: Headers of its own.
        restarts: How often its list was begun anew, because the link to the next page had ended.
        expected_rows: How many records it asks for, where a list's pages are not all of one size.
        unanswered_seconds: Seconds that the same records were asked for in vain before, in another way.
        note: What its slice has to remember; the stream's own.
        method: The HTTP method. A request is repeated if it fails, so it must change nothing: POST is for searches.
        body: The JSON body; None if it has none.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    endpoint: str
    total_known: bool = False
    previous_page: int | None = None
    remaining: tuple[Request, ...] = ()
    is_first: bool = field(default=False, compare=False)
    headers: tuple[tuple[str, str], ...] = ()
    restarts: int = 0
    expected_rows: int = field(default=1, compare=False)
    unanswered_seconds: float = field(default=0.0, compare=False)
    note: Any = field(default=None, compare=False)
    method: str = "GET"
    body: bytes | None = None


def query(*params: Params) -> tuple[tuple[str, str], ...]:
    """The query of a request, in the order in which it is sent; the last word on a parameter holds."""
    merged = {name: values for part in params for name, values in part.items()}
    return tuple(
        (name, value) for name, values in merged.items() for value in ([values] if isinstance(values, str) else values)
    )


def json_body(members: Mapping[str, Any]) -> bytes:
    """A JSON body; equal members give equal bytes, so that equal requests can be told."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def json_members(body: bytes | None) -> dict[str, Any]:
    """The members of a request's JSON body."""
    return dict(json.loads(body)) if body else {}


def with_member(members: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    """Members with one set; None removes it.

    Args:
        members: The members of a JSON object.
        path: The member's name, or its path such as ``variables.after``.
        value: The member's value.
    """
    name, _, rest = path.partition(".")
    if rest:
        inner = members.get(name)
        return {**members, name: with_member(inner if isinstance(inner, dict) else {}, rest, value)}
    others = {other: kept for other, kept in members.items() if other != name}
    return others if value is None else {**others, name: value}


def lookup(body: Any, path: str) -> Any:  # noqa: ANN401 - whatever the vendor sent
    """What a body holds at a path such as ``meta.end_cursor``; the empty path is the body. None if nothing is there."""
    if not path:
        return body
    if isinstance(body, dict) and path in body:  # a name may hold a dot
        return body[path]
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


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
