"""One OpenAPI document: the lists of a version, their fields and their parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import requests

Json = dict[str, Any]

LIST = re.compile(r"/api/(\d{4}-\d{2}-\d{2})/resources/(\w+/\w+)/?")
TIMEOUT = 60


class DocumentError(Exception):
    """A document that is none; the message says what to do."""


def load(place: str) -> Json:
    """Read a document from a file or a URL.

    Raises:
        DocumentError: If there is none.
    """
    try:
        if place.startswith(("http://", "https://")):
            reply = requests.get(place, timeout=TIMEOUT)
            reply.raise_for_status()
            found = reply.json()
        else:
            found = json.loads(Path(place).read_text("utf-8"))
    except (OSError, ValueError):  # those of requests among them
        raise DocumentError(
            f"{place} cannot be read as JSON. Give the file or the URL of an OpenAPI document."
        ) from None
    if not isinstance(found, dict):
        raise DocumentError(f"{place} is not an OpenAPI document.")
    return found


class Document:
    """The lists of one version.

    Args:
        content: The OpenAPI document.

    Raises:
        DocumentError: If it holds no lists, or those of several versions.
    """

    def __init__(self, content: Json) -> None:
        self._content = content
        self._lists: dict[str, Json] = {}
        versions = set()
        for path, operations in content.get("paths", {}).items():
            found = LIST.fullmatch(path)
            if found and "get" in operations:
                versions.add(found[1])
                self._lists[found[2]] = operations["get"]
        if len(versions) != 1:
            raise DocumentError("The document does not describe the lists of one version of Factorial's API.")
        self.version: str = versions.pop()
        self.lists = sorted(self._lists)

    def fields(self, name: str) -> Json:
        """The schema of a list's rows, by field, references and all.

        Raises:
            DocumentError: If the list's answer is not described.
        """
        contents: Json = self._lists[name].get("responses", {}).get("200", {}).get("content", {})
        described: Json = next(iter(contents.values()), {})
        answer = self.resolve(described.get("schema", {}))
        rows = self.resolve(answer.get("properties", {}).get("data", answer))
        fields = self.resolve(rows.get("items", {})).get("properties")
        if not fields:
            raise DocumentError(f"The document does not say what a row of {name} holds.")
        return dict(fields)

    def parameters(self, name: str) -> list[Json]:
        """The query parameters of a list, each with its schema resolved."""
        found = (self.resolve(parameter) for parameter in self._lists[name].get("parameters", ()))
        return [
            {**parameter, "schema": self.resolve(parameter.get("schema", {}))}
            for parameter in found
            if parameter.get("in") == "query"
        ]

    def resolve(self, schema: Json) -> Json:
        """What a reference leads to; anything else as it is.

        Raises:
            DocumentError: If it leads nowhere.
        """
        met = set()
        while "$ref" in schema:
            reference = schema["$ref"]
            if reference in met:
                return {}
            met.add(reference)
            found: Any = self._content
            for part in reference.removeprefix("#/").split("/"):
                found = found.get(part) if isinstance(found, dict) else None
            if not isinstance(found, dict):
                raise DocumentError(f"The document refers to {reference}, which it does not hold.")
            schema = found
        return schema
