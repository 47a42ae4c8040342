"""Checks the declarations of streams and taps when their classes, or the tap itself, are created.

Each message names the stream or tap and the attribute to set.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any

from singer_rest.slices.base import SingleSlice, Slices

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

STREAM_ATTRIBUTES = {
    "path": "the endpoint's path below `api_url`",
    "permission": "what the credential needs to read it, or to None if it is public",
    "primary_keys": "the columns that identify a record, or to () if there are none",
    "schema": "the JSON Schema of its records",
}
TAP_ATTRIBUTES = {
    "stream_types": "the classes of its streams",
    "credentials": "the groups of settings of which one is required, or to () if the API is public",
    "authenticator": "what adds the credentials to requests, such as an ApiKey",
}


def check_stream(stream: type[Any], base: type[Any]) -> None:
    """Checks the class of a stream; one without a name is a base class.

    Args:
        stream: The class.
        base: The base class of all streams, whose attributes do not count as declared.

    Raises:
        TypeError: If an attribute is missing, or no slice fills a placeholder of the path.
    """
    if not isinstance(getattr(stream, "name", None), str):
        return
    _check_attributes(stream, base, STREAM_ATTRIBUTES)
    slices = SingleSlice() if stream.slices is base.slices else stream.slices
    if not isinstance(slices, Slices) or not isinstance(stream.path, str):
        return  # a property, which needs an instance
    for _, placeholder, _, _ in Formatter().parse(stream.path):
        if placeholder is not None and placeholder not in slices.path_params:
            raise TypeError(
                f"{stream.name}: set `slices` to ones that fill the placeholder {{{placeholder}}} of `path`, such as "
                "PerParent."
            )


def check_tap(tap: type[Any], base: type[Any]) -> None:
    """Checks the class of a tap; one without a name is a base class.

    Args:
        tap: The class.
        base: The base class of all taps, whose attributes do not count as declared.

    Raises:
        TypeError: If an attribute is missing, or a stream's parent is no stream of the tap.
    """
    if not isinstance(getattr(tap, "name", None), str):
        return
    _check_attributes(tap, base, TAP_ATTRIBUTES)
    if isinstance(tap.stream_types, Sequence):
        check_parents(tap.stream_types)


def check_parents(stream_types: Iterable[type[Any]]) -> None:
    """Checks the parents of a tap's streams, except for streams whose slices are a property.

    Raises:
        TypeError: If a stream's parent is no stream of the tap.
    """
    slices = {stream_type.name: getattr(stream_type, "slices", None) for stream_type in stream_types}
    for name, way in slices.items():
        if isinstance(way, Slices) and (sentence := unknown_parent(name, way.parent, slices)):
            raise TypeError(sentence)


def unknown_parent(stream: str, parent: str | None, names: Collection[str]) -> str | None:
    """Returns an error message if a stream's parent is no stream of the tap."""
    if parent is None or parent in names:
        return None
    return f"{stream}: `slices` name the parent {parent}, which is not among the tap's `stream_types`."


def _check_attributes(declared: type[Any], base: type[Any], attributes: dict[str, str]) -> None:
    missing = object()
    for name, meaning in attributes.items():
        if getattr(declared, name, missing) is getattr(base, name, missing):
            raise TypeError(f"{declared.name}: set `{name}` to {meaning}.")
