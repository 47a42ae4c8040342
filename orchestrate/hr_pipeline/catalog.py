"""Selects streams and columns in a tap's catalog."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT_COLUMN = 2
"""Length of the breadcrumb of a column that is not nested."""


def select(
    catalog: Mapping[str, Any], patterns: Sequence[str], groups: Mapping[str, Sequence[str]], group: str
) -> dict[str, Any]:
    """Returns the catalog with the streams of a group.

    Args:
        catalog: The tap's catalog.
        patterns: Meltano's selection patterns, `stream.column` or `!stream.column`.
        groups: Patterns of streams, by group.
        group: The group.
    """
    streams = []
    for stream in catalog["streams"]:
        name = stream["tap_stream_id"]
        if group_of(name, groups) == group and _is_stream_selected(name, patterns):
            metadata = [_with_selection(name, entry, patterns) for entry in stream["metadata"]]
            streams.append({**stream, "metadata": metadata})
    return {**catalog, "streams": streams}


def selected_schemas(messages: str, catalog: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the SCHEMA messages of the streams in a catalog, without the columns that it deselects.

    Args:
        messages: Singer messages, one per line.
        catalog: The catalog.
    """
    deselected = {
        stream["tap_stream_id"]: {
            entry["breadcrumb"][1]
            for entry in stream["metadata"]
            if len(entry["breadcrumb"]) == ROOT_COLUMN
            and entry["metadata"].get("selected") is False
            and entry["metadata"].get("inclusion") != "automatic"
        }
        for stream in catalog["streams"]
    }
    for line in messages.splitlines():
        message = json.loads(line)
        if message["type"] == "SCHEMA" and message["stream"] in deselected:
            columns = message["schema"]["properties"]
            kept = {name: one for name, one in columns.items() if name not in deselected[message["stream"]]}
            yield {**message, "schema": {**message["schema"], "properties": kept}}


def group_of(stream: str, groups: Mapping[str, Sequence[str]]) -> str | None:
    """Returns the first group that names a stream."""
    for group, patterns in groups.items():
        if any(fnmatchcase(stream, pattern) for pattern in patterns):
            return group
    return None


def _is_stream_selected(stream: str, patterns: Sequence[str]) -> bool:
    chosen = [pattern.partition(".")[0] for pattern in patterns if not pattern.startswith("!")]
    excluded = [pattern[1:-2] for pattern in patterns if pattern.startswith("!") and pattern.endswith(".*")]
    return any(fnmatchcase(stream, pattern) for pattern in chosen) and not any(
        fnmatchcase(stream, pattern) for pattern in excluded
    )


def _with_selection(stream: str, entry: Mapping[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    path = ".".join([stream, *(part for part in entry["breadcrumb"] if part != "properties")])
    selected = path == stream or (
        any(fnmatchcase(path, pattern) for pattern in patterns if not pattern.startswith("!"))
        and not any(fnmatchcase(path, pattern[1:]) for pattern in patterns if pattern.startswith("!"))
    )
    return {**entry, "metadata": {**entry["metadata"], "selected": selected}}
