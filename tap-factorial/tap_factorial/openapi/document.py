"""Reads an OpenAPI document: the lists of a version, their fields and their parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import requests

from tap_factorial.openapi.columns import Json, items_of, parts_of, properties_of

LIST = re.compile(r"/api/(\d{4}-\d{2}-\d{2})/resources/([\w-]+/[\w-]+)/?")
YAML = re.compile(r"""(?m)^["']?openapi["']?\s*:""")
TIMEOUT = 60


class DocumentError(Exception):
    """An invalid document. The message says what to do."""


def load_document(place: str) -> Json:
    """Reads a document from a file or a URL.

    Raises:
        DocumentError: If it cannot be read.
    """
    try:
        if place.startswith(("http://", "https://")):
            reply = requests.get(place, timeout=TIMEOUT)
            reply.raise_for_status()
            text = reply.text
        else:
            text = Path(place).read_text("utf-8")
        if not text.lstrip().startswith("{") and YAML.search(text):
            raise DocumentError(f"{place} is written in YAML. Pass the same document as JSON.")
        found = json.loads(text)
    except (OSError, ValueError):  # including those of requests
        raise DocumentError(
            f"{place} cannot be read as JSON. Pass the file or the URL of an OpenAPI document."
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
        self.dangling: set[str] = set()
        """Unresolved references found so far."""
        versions = set()
        for path, described in content.get("paths", {}).items():
            found, operations = LIST.fullmatch(path), self.resolve(described)
            if found and isinstance(operations.get("get"), dict):
                versions.add(found[1])
                get = operations["get"]
                shared = operations.get("parameters") or ()
                self._lists[found[2]] = {**get, "parameters": [*shared, *(get.get("parameters") or ())]}
        if len(versions) != 1:
            raise DocumentError("The document does not describe the lists of one version of Factorial's API.")
        self.version: str = versions.pop()
        self.lists = sorted(self._lists)

    def record_fields(self, name: str) -> Json:
        """Returns the schema of each field of a list's records, with references resolved. Empty: not described."""
        response = self._response_schema(name)
        data = properties_of(response).get("data")
        rows = items_of(response if data is None else parts_of(data, self.resolve))
        return properties_of(parts_of(rows or {}, self.resolve))

    def is_paginated(self, name: str) -> bool:
        """Whether a list is paginated. It is not if its response is described without pages."""
        named = properties_of(self._response_schema(name))
        return "data" not in named or "meta" in named

    def _response_schema(self, name: str) -> list[Json]:
        response = self.resolve(self._lists[name].get("responses", {}).get("200", {}))
        described: Json = next(iter(response.get("content", {}).values()), {})
        return parts_of(described.get("schema", {}), self.resolve)

    def query_parameters(self, name: str) -> list[Json]:
        """Returns the query parameters of a list, each with its schema resolved."""
        found = (self.resolve(parameter) for parameter in self._lists[name]["parameters"])
        return [
            {**parameter, "schema": self.resolve(parameter.get("schema", {}))}
            for parameter in found
            if parameter.get("in") == "query" and parameter.get("name")
        ]

    def resolve(self, schema: object) -> Json:
        """Returns the target of a reference; anything else unchanged. Empty: it allows anything or is missing."""
        met = set()
        while isinstance(schema, dict) and "$ref" in schema:
            reference = schema["$ref"]
            if reference in met:
                return {}
            met.add(reference)
            found: Any = self._content
            for part in reference.removeprefix("#/").split("/"):
                found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
            if not isinstance(found, (dict, bool)):
                self.dangling.add(reference)
                return {}
            schema = found
        return schema if isinstance(schema, dict) else {}
