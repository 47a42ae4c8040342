"""All streams as the documentation shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from tap_cornerstone.odata.stream import ODataStream
from tap_cornerstone.tap import TapCornerstone
from tap_factorial.tap import TapFactorial
from tap_personio.tap import TapPersonio
from target_duckdb.types import column_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_rest import RestStream, RestTap

ALL_STREAMS: dict[str, Any] = {"optional_streams": ["*"]}
CAREERS = {"careers_url": "https://acme.jobs.personio.com"}
EVERYTHING: dict[str, tuple[type[RestTap], dict[str, Any]]] = {
    "tap-personio": (TapPersonio, {"legacy_v1_streams": True, **CAREERS, **ALL_STREAMS}),
    "tap-factorial": (TapFactorial, {"integration_uuid": "1", **ALL_STREAMS}),
    "tap-cornerstone": (TapCornerstone, {"objects": ["*"], "views": ["*"], **ALL_STREAMS}),
}
"""The taps, with settings that enable all of their streams."""

EXTRA = "_extra"
REFERENCE = re.compile(r"\bsee `(\w+)`")


@dataclass(frozen=True)
class Field:
    """A column, or a field of an object in one.

    Args:
        path: The names that lead to it, the column's first.
        type: The DuckDB type of the column, or that of the field.
        description: The description in the schema.
        in_list: Whether it is within a list.
    """

    path: tuple[str, ...]
    type: str
    description: str
    in_list: bool = False

    @cached_property
    def references(self) -> list[str]:
        """The streams to which the field's values refer."""
        return REFERENCE.findall(self.description)


@dataclass(frozen=True)
class StreamPage:
    """A stream, for its page."""

    tap: str
    stream: RestStream
    fields: tuple[Field, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    @property
    def table(self) -> str:
        """The table that the project's loader fills."""
        return f"{find_schema(self.tap)}.{self.name}"

    @property
    def is_off(self) -> bool:
        """Whether a setting has to enable it."""
        return self.stream.optional or bool(self.stream.setting)

    @cached_property
    def columns(self) -> list[Field]:
        """The columns, except the one for undeclared fields."""
        return [item for item in self.fields if len(item.path) == 1 and item.path != (EXTRA,)]

    @cached_property
    def is_described(self) -> bool:
        """Whether columns are known without a portal. For a view, more than the key and the timestamp must be known."""
        return not isinstance(self.stream, ODataStream) or len(self.columns) > len(self.stream.primary_keys) + 1

    @cached_property
    def references(self) -> list[tuple[Field, str]]:
        """Fields with ids of other streams, each with the stream. If an object and the id in it refer to it, the id."""
        found = [(item, name) for item in self.fields for name in dict.fromkeys(item.references) if name != self.name]
        inner = {(item.path[:-1], name) for item, name in found}
        return [(item, name) for item, name in found if (item.path, name) not in inner]


def find_schema(tap: str) -> str:
    """Returns the database schema into which a Meltano project loads a tap."""
    return tap.replace("-", "_")


@cache
def list_streams() -> Mapping[str, dict[str, StreamPage]]:
    """Returns all streams by tap and name."""
    found: dict[str, dict[str, StreamPage]] = {}
    for tap, (plugin, config) in EVERYTHING.items():
        instance: Any = plugin(config=config, validate_config=False)
        found[tap] = {
            name: StreamPage(tap, stream, tuple(_list_fields(stream.schema)))
            for name, stream in sorted(instance.streams.items())
        }
    return found


@cache
def list_described_streams(tap: str) -> dict[str, StreamPage]:
    """Returns the streams of a tap that have a page."""
    return {name: page for name, page in list_streams()[tap].items() if page.is_described}


def _list_fields(schema: dict[str, Any], path: tuple[str, ...] = (), *, in_list: bool = False) -> Iterator[Field]:
    for name, part in schema.get("properties", {}).items():
        here = (*path, name)
        yield Field(here, column_type(part), part.get("description", ""), in_list)
        yield from _list_fields(part, here, in_list=in_list)
        if part.get("items"):
            yield from _list_fields(part["items"], here, in_list=True)
