"""Requests and responses as plain values, independent of the server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one vendor.

    Attributes:
        method: in upper case.
        path: the path below the vendor's prefix.
        query: the parameters in the order in which they were sent.
        headers: with names in lower case.
        body: the complete body.
        root: the vendor's base URL, such as `http://127.0.0.1:8765/personio`.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    root: str = ""

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The fields of a form body, empty for other media types."""
        media_type = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            return ()
        return parse_pairs(self.body.decode("utf-8", "replace"))


@dataclass(slots=True)
class Response:
    """A vendor's response.

    Attributes:
        body: the complete body.
        headers: with names in lower case.
        seconds: how long the response takes.
        halting: whether the delay occurs in the middle of the body rather than before it.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    halting: bool = False


class ApiError(Exception):
    """Ends the handling of a request with an error response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def parse_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Parses a query or form body. Keeps parameters without a value."""
    return tuple(parse_qsl(text, keep_blank_values=True))


def parse_json_object(request: Request) -> Json | None:
    """Returns the JSON object that is the body, or None if the body or its content type is something else."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        body = json.loads(request.body) if media_type == "application/json" else None
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def make_json_response(value: Any, status: int = 200, media_type: str = "application/json", **headers: str) -> Response:  # noqa: ANN401  any JSON
    """Returns a response with a JSON body. Header names may be written with underscores."""
    body = to_json(value).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, body, {"content-type": media_type, **named})


def pick_fields(record: object, *names: str, **renamed: str) -> Json:
    """Returns fields of a record as members of a body: under their own names, or as `member="field"`."""
    body = {name: getattr(record, name) for name in names}
    for member, field_name in renamed.items():
        body[member] = getattr(record, field_name)
    return body
