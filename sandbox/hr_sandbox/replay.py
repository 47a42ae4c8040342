"""Serves a recording: the responses that a tap recorded of a vendor, with every value replaced."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape, quoteattr

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hr_sandbox.options import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

Params = tuple[tuple[str, str], ...]
Place = tuple[str, str, tuple[str, ...]]
"""Method, path, and the names of the parameters."""

INDEX = "index.jsonl"
FORMAT = 1
HOST = "https://recorded.invalid"
"""Stands for this server in links."""
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
TOKEN_PATH = re.compile(r"/(oauth2?/)?token|/auth(/token)?|/v1/auth")
TOKEN = {
    "success": True,
    "access_token": "replay",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "",
    "data": {"token": "replay", "expires_in": 3600},
}


@dataclass(slots=True)
class RecordedResponses:
    """The recorded responses to one request, in order. The last one is repeated."""

    params: Params
    files: list[Path] = field(default_factory=list)
    served: int = 0

    def next_response(self) -> dict[str, Any]:
        """Returns the next response."""
        file = self.files[min(self.served, len(self.files) - 1)]
        self.served += 1
        return dict(json.loads(file.read_bytes()))


@dataclass(frozen=True)
class Recording:
    """A recording.

    Attributes:
        tap: the tap that recorded it.
        responses: the responses by place, in the order in which they were recorded.
        given: which request got which responses, so that it gets them again.
        learned: which recorded value stands for which value of a parameter, by place.
    """

    tap: str
    responses: dict[Place, list[RecordedResponses]] = field(default_factory=lambda: defaultdict(list))
    given: dict[tuple[str, str, Params], RecordedResponses] = field(default_factory=dict)
    learned: dict[Place, dict[tuple[str, str], str]] = field(default_factory=lambda: defaultdict(dict))

    def find_responses(self, method: str, path: str, params: Params) -> RecordedResponses | None:
        """Returns the responses to a request, or None.

        The values of a recorded request are pseudonyms. Cursors, offsets and ids come from recorded responses, so
        they are the same here. Other values, such as dates, are not: the first request with a date gets the responses
        to the first recorded one, and further requests with the same date those to the same pseudonym.
        """
        request = (method, path, params)
        if request not in self.given:
            place = method, path, tuple(name for name, _ in params)
            taken = {id(responses) for responses in self.given.values()}
            places = self.responses.get(place, [])
            free = [responses for responses in places if responses.params == params or id(responses) not in taken]
            if not free:
                return None
            learned = self.learned[place]
            self.given[request] = found = max(
                free, key=lambda responses: _score_match(params, responses.params, learned)
            )
            learned.update(zip(params, (value for _, value in found.params), strict=True))
        return self.given[request]


def _score_match(params: Params, recorded: Params, learned: dict[tuple[str, str], str]) -> int:
    """Returns a score: the higher, the better a recorded request fits a request."""
    known = set(learned.items())
    likeness = 0
    for pair, (name, value) in zip(params, recorded, strict=True):
        if pair == (name, value):
            likeness += 100
        elif pair in learned:
            likeness += 10 if learned[pair] == value else -10
        elif any(name == other and value == pseudonym for (other, _), pseudonym in known):
            likeness -= 1
    return likeness


def read_recording(folder: Path) -> Recording:
    """Reads a recording's index and requests, or raises OptionError."""
    try:
        first, *lines = [json.loads(line) for line in (folder / INDEX).read_text("utf-8").splitlines()]
        if first["recording"] != FORMAT:
            raise OptionError(f"--replay: {folder} was recorded in another format; use the sandbox of that version.")
        recording = Recording(str(first["tap"]))
        for line in lines:
            if line["status"] == TOO_MANY_REQUESTS or line["status"] > SERVER_ERROR - 1:
                continue  # the tap sent the request again
            file = folder / line["file"]
            response = json.loads(file.read_bytes())
            params = _sort_params([*response["query"], *response["members"]])
            place = response["method"], response["path"], tuple(name for name, _ in params)
            known = next((one for one in recording.responses[place] if one.params == params), None)
            if known is None:
                known = RecordedResponses(params)
                recording.responses[place].append(known)
            known.files.append(file)
    except (OSError, ValueError, LookupError, TypeError):
        raise OptionError(f"--replay: {folder} holds no recording of a tap, or it is damaged.") from None
    return recording


def make_replay(recording: Recording) -> Starlette:
    """Builds the application that serves a recording at its root."""

    async def respond(request: Request) -> Response:
        path = unquote(request.url.path)
        body = await request.body()
        if request.method == "POST" and TOKEN_PATH.search(path):
            return JSONResponse(TOKEN)
        params = _sort_params([*parse_qsl(request.url.query, keep_blank_values=True), *_list_json_parameters(body)])
        responses = recording.find_responses(request.method, path, params)
        if responses is None:
            sentence = f"The recording has no response to {request.method} {path} with these parameters."
            return JSONResponse({"error": sentence}, 404)
        return _render_response(responses.next_response(), f"{request.url.scheme}://{request.headers['host']}")

    return Starlette(routes=[Route("/{path:path}", respond, methods=["GET", "POST"])])


def _render_response(response: dict[str, Any], root: str) -> Response:
    media_type = response["headers"].get("content-type") or "application/octet-stream"
    if "body" in response:
        content = json.dumps(response["body"], ensure_ascii=False).replace(HOST, root).encode("utf-8", "surrogatepass")
    elif "xml" in response:
        content = "".join(_write_xml(response["xml"], {})).replace(HOST, root).encode()
    else:
        content = b"x" * response.get("length", 0)
    return Response(content, response["status"], media_type=media_type)


def _write_xml(element: dict[str, Any], outer: dict[str, str]) -> Iterator[str]:
    """Yields the text of an element, whose names begin with their namespaces in braces."""
    prefixes = dict(outer)
    tag = _add_prefix(element["tag"], prefixes)
    attributes = {_add_prefix(name, prefixes): text for name, text in element.get("attributes", {}).items()}
    declared = {f"xmlns:{prefix}": space for space, prefix in prefixes.items() if space not in outer}
    yield f"<{tag}"
    for name, text in {**declared, **attributes}.items():
        yield f" {name}={quoteattr(text)}"
    yield ">"
    yield escape(element.get("text", ""))
    for child in element.get("children", ()):
        yield from _write_xml(child, prefixes)
    yield f"</{tag}>"


def _add_prefix(name: str, prefixes: dict[str, str]) -> str:
    if not name.startswith("{"):
        return name
    space, _, local = name[1:].partition("}")
    return f"{prefixes.setdefault(space, f'n{len(prefixes)}')}:{local}"


def _list_json_parameters(body: bytes) -> Iterator[tuple[str, str]]:
    """Yields the members of a JSON body as parameters."""
    try:
        left: list[tuple[str, Any]] = [("", json.loads(body))] if body else []
    except ValueError:
        return
    while left:
        path, value = left.pop(0)
        if isinstance(value, dict):
            left += [(f"{path}.{name}" if path else name, part) for name, part in value.items()]
        elif isinstance(value, list):
            left += [(path, part) for part in value]
        elif value is not None:
            yield path, value if isinstance(value, str) else json.dumps(value)


def _sort_params(pairs: list[Any]) -> Params:
    """Returns parameters in the order of their names."""
    return tuple(sorted(((name, value) for name, value in pairs), key=lambda pair: pair[0]))
