"""A request to the vendor's API, and the response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from singer_rest import nesting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from singer_rest.aliases import Params

MAX_DIGITS = 1000
"""Maximum number of digits of an integer. Longer ones stay text, since Python cannot convert some thousands."""
DECODER = msgspec.json.Decoder(float_hook=Decimal)
"""Numbers with a fraction become Decimal, so that no digit is lost."""


@dataclass(frozen=True)
class Request:
    """A request below the tap's ``api_url``.

    Args:
        path: The path, with its placeholders filled.
        params: The query parameters, in order. A name may be repeated.
        endpoint: The path with its placeholders. Rate limits and permissions apply to it.
        total_known: Whether an earlier page stated the number of pages, so the following ones are requested already.
        previous_page: A hash of the start of the previous page, to detect that the vendor ignores page numbers.
        remaining: The requests to send after its last page: the other parts of a slice that was split.
        is_first: Whether it is the first of a slice, or of a part of one, so that it may be split.
        headers: Additional headers.
        restart_count: How often the list was restarted because a page token had expired.
        expected_rows: The number of records that the request is for, if the pages of a list differ in size.
        unanswered_seconds: Seconds spent on failed requests for the same records in another form.
        note: Data that the stream itself attaches.
        method: The HTTP method. Failed requests are retried, so use POST only for searches.
        body: The JSON body, if any.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    endpoint: str
    total_known: bool = False
    previous_page: int | None = None
    remaining: tuple[Request, ...] = ()
    is_first: bool = field(default=False, compare=False)
    headers: tuple[tuple[str, str], ...] = ()
    restart_count: int = 0
    expected_rows: int = field(default=1, compare=False)
    unanswered_seconds: float = field(default=0.0, compare=False)
    note: Any = field(default=None, compare=False)
    method: str = "GET"
    body: bytes | None = None


def merge_params(*params: Params) -> tuple[tuple[str, str], ...]:
    """Merges query parameters, in order. A later value replaces an earlier one."""
    merged = {name: values for part in params for name, values in part.items()}
    return tuple(
        (name, value) for name, values in merged.items() for value in ([values] if isinstance(values, str) else values)
    )


def encode_json_body(properties: Mapping[str, Any]) -> bytes:
    """Encodes a JSON body. Equal properties give equal bytes, so that equal requests compare equal."""
    return json.dumps(properties, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def decode_json_body(body: bytes | None) -> dict[str, Any]:
    """Parses a request's JSON body and returns its top-level properties."""
    return dict(json.loads(body)) if body else {}


def with_property(properties: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    """Returns a JSON object with one property set. The value None removes the property.

    Args:
        properties: The properties of the object.
        path: The property's name, or its path such as ``variables.after``.
        value: The property's value.
    """
    name, _, rest = path.partition(".")
    if rest:
        inner = properties.get(name)
        return {**properties, name: with_property(inner if isinstance(inner, dict) else {}, rest, value)}
    others = {other: kept for other, kept in properties.items() if other != name}
    return others if value is None else {**others, name: value}


def value_at_path(body: Any, path: str) -> Any:  # noqa: ANN401 - whatever the vendor sent
    """Returns the value at a path such as ``meta.end_cursor``. An empty path gives the body, a missing one None."""
    if not path:
        return body
    if isinstance(body, dict) and path in body:  # a name may contain a dot
        return body[path]
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


@dataclass(frozen=True)
class Reply:
    """The response to a request.

    Args:
        status: The HTTP status.
        headers: The headers, case-insensitive.
        body: The whole body.
        received: When it arrived, UTC.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    received: datetime

    def json(self) -> Any:  # noqa: ANN401 - whatever the vendor sent
        """Decodes the body. Numbers with a fraction become Decimal, so that no digit is lost.

        Raises:
            ValueError: If the body is not JSON.
        """
        try:
            return _decode_json(self.body)
        except RecursionError:
            return _decode_json(nesting.limit_depth(self.body.decode(json.detect_encoding(self.body), "surrogatepass")))


def _decode_json(body: bytes | str) -> Any:  # noqa: ANN401 - whatever the vendor sent
    try:
        return DECODER.decode(body)
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        # The standard library also accepts invalid JSON such as half a surrogate pair. NaN and the like stay text: as
        # numbers they would be written as null.
        return json.loads(body, parse_float=_parse_fraction, parse_int=_parse_integer, parse_constant=str)


def _parse_fraction(digits: str) -> Decimal | str:
    """Parses a number with a fraction or an exponent. One that is out of range stays text."""
    try:
        return Decimal(digits)
    except ArithmeticError:
        return digits


def _parse_integer(digits: str) -> int | str:
    """Parses an integer. One with too many digits stays text."""
    return int(digits) if len(digits) <= MAX_DIGITS else digits
