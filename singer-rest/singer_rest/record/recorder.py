"""Writes the shape of each response to a file of a folder."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from singer_rest.errors import RunError
from singer_rest.record.leaks import Raw, find_leak
from singer_rest.record.names import KnownNames
from singer_rest.record.pseudonyms import Pseudonyms
from singer_rest.record.shapes import Shapes, flatten_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from singer_rest.http.request import Reply, Request

logger = logging.getLogger(__name__)

INDEX = "index.jsonl"
FORMAT = 1
SHOWN_HEADERS = re.compile(r"(x-)?ratelimit.*|x-csod-(throttling|requests).*|retry-after|x-rate-limit.*", re.IGNORECASE)
"""Headers about rate limits, whose numbers are shown."""
NAMED_HEADERS = frozenset(
    {"etag", "last-modified", "deprecation", "sunset", "link", "odata-version", "preference-applied"}
)
"""Headers of which only the name is shown."""
NUMBERS = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
MEDIA_TYPE = re.compile(r"[a-z]+/[a-z][a-z.+-]{0,60}", re.ASCII)
DIGITS = re.compile(rb"\d{4,}")


class Recorder:
    """Records responses. Thread-safe.

    Args:
        folder: The folder, which is created for this user only. It must not exist, or be empty.
        tap: The tap's name.

    Raises:
        RunError: If the folder cannot be used.
    """

    def __init__(self, folder: Path, tap: str) -> None:
        self._folder = folder
        self._read_known_names: Callable[[], KnownNames] | None = None
        self._api_url = ""
        self._lock = threading.Lock()
        self._shapes: Shapes | None = None
        self._pseudonyms = Pseudonyms(secrets.token_bytes(32))
        self._number = 0
        self._left_out: Counter[str] = Counter()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RunError("The folder given with --record is not empty. Name a new one.")
            folder.chmod(0o700)
            self._append_to_index({"recording": FORMAT, "tap": tap})
        except OSError as error:
            raise RunError(
                f"The folder given with --record cannot be written ({error.strerror}). Name another one."
            ) from None

    def set_vendor(self, known_names: Callable[[], KnownNames], api_url: str) -> None:
        """Sets the vendor's address, and the names and values that may be shown.

        Args:
            known_names: Returns the names and values that may be shown. Called with the first response.
            api_url: The vendor's base URL.
        """
        self._read_known_names = known_names
        self._api_url = api_url

    def record(self, request: Request, reply: Reply) -> None:
        """Records a response. It never fails: what cannot be recorded is left out, with a warning at the end."""
        with self._lock:
            try:
                self._write_recording(request, reply)
            except Exception as error:  # noqa: BLE001 - the run goes on without
                self._left_out[f"{type(error).__name__} while it was recorded"] += 1

    def close(self) -> None:
        """Logs how many responses were recorded, and why others were left out."""
        for reason, count in self._left_out.items():
            logger.warning("%d responses were left out of the recording: %s.", count, reason)
        logger.info(
            "Recorded %d responses in the folder given with --record. Before you send it, run: "
            "python -m singer_rest.record check FOLDER",
            self._number,
        )

    def _write_recording(self, request: Request, reply: Reply) -> None:
        if self._shapes is None:
            self._known_names = self._read_known_names() if self._read_known_names else KnownNames(frozenset(), {})
            self._shapes = Shapes(self._pseudonyms, self._known_names, self._api_url)
        pairs = _query_params(request)
        sent = json.loads(request.body) if request.body else None
        self._pseudonyms.taken = {found.decode() for found in DIGITS.findall(reply.body)}
        path = self._shapes.replace_path(
            request.path, request.endpoint
        )  # first: it tells which words of links are the tap's
        shape = {
            "method": request.method,
            "endpoint": self._shapes.replace_endpoint(request.endpoint),
            "path": path,
            "query": self._shapes.replace_params(pairs),
            "members": self._shapes.replace_params(flatten_properties(sent)),
            "status": reply.status,
            "headers": _shown_headers(reply.headers),
            **self._replace_body(self._shapes, reply),
        }
        written = msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(shape), indent=1)
        raw = Raw(request.path, request.endpoint, pairs, list(flatten_properties(sent)), reply.body)
        if leak := find_leak(raw, written, self._shapes.known, self._known_names.values):
            self._left_out[f"{leak} of the original would have been left"] += 1
            return
        self._number += 1
        name = f"{self._number:06}.json"
        with os.fdopen(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(written + b"\n")
        about = {key: shape[key] for key in ("method", "endpoint", "status")}
        self._append_to_index({"file": name, **about, "params": [pair[0] for pair in shape["query"]]})

    @staticmethod
    def _replace_body(shapes: Shapes, reply: Reply) -> dict[str, Any]:
        if not reply.body:
            return {}
        try:
            return {"body": shapes.replace_json(reply.json())}
        except ValueError:
            pass
        try:
            return {"xml": shapes.replace_xml(reply.body)}
        except ValueError:
            return {"length": len(reply.body)}

    def _append_to_index(self, line: Mapping[str, Any]) -> None:
        with os.fdopen(os.open(self._folder / INDEX, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            file.write(json.dumps(line).encode() + b"\n")


def _query_params(request: Request) -> list[tuple[str, str]]:
    in_path = parse_qsl(urlsplit(request.path).query, keep_blank_values=True)
    return [*in_path, *request.params]


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str | None]:
    """Returns the media type and the rate limits, and the names of some other headers."""
    shown: dict[str, str | None] = {}
    for name, text in headers.items():
        lower = name.lower()
        if lower == "content-type":
            media_type = text.partition(";")[0].strip().lower()
            shown[lower] = media_type if MEDIA_TYPE.fullmatch(media_type) else None
        elif SHOWN_HEADERS.fullmatch(lower):
            shown[lower] = text if NUMBERS.fullmatch(text.strip()) else None
        elif lower in NAMED_HEADERS:
            shown[lower] = None
    return shown
