"""The resources with their fields and parameters by version, read from the files that `describe` writes."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LIVE = ("2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01")
OLDEST, NEWEST = LIVE[0], LIVE[-1]
RETIRED = frozenset({"2024-10-01", "2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"})
KEYS = ("id", "uuid", "contract_version_id", "leave_id")
TEXT_IDS = "2026-07-01"  # the first version with ids as texts


def find_served_version(asked: str) -> str | None:
    """Returns the version that serves a request, or None if there never was such a version."""
    if asked in LIVE:
        return asked
    return OLDEST if asked in RETIRED else None


@dataclass(frozen=True, slots=True)
class Span:
    """A range of versions, with an exclusive end."""

    since: str = LIVE[0]
    until: str = "9999"

    def __contains__(self, version: object) -> bool:
        return isinstance(version, str) and self.since <= version < self.until


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a resource.

    Attributes:
        type: id, ids, text, integer, number, boolean, object, or a plural of these for arrays.
        form: timestamp, day, clock or epoch, for texts and numbers with such a format.
        choices: the documented values.
        refers: the resource that the id refers to.
        always: whether it is documented as required.
        unreliable: whether the documented type is wrong.
        shape: the nested value: an object of names, a list with one element, or a type.
    """

    name: str
    type: str
    form: str | None
    choices: tuple[str, ...]
    refers: str | None
    always: bool
    unreliable: bool
    shape: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. Those with brackets may be repeated."""

    name: str
    type: str
    choices: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, which is a list endpoint.

    Attributes:
        name: such as `attendance/shifts`.
        single: whether rows can be requested by id.
        scope: the documented scope.
        needs: the required parameters.
        key: the field that rows are found and sorted by.
    """

    name: str
    single: bool
    scope: str | None
    needs: tuple[str, ...]
    fields: dict[str, Field]
    parameters: dict[str, Parameter]
    span: Span
    key: str | None

    @property
    def module(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def stream(self) -> str:
        """The name of the stream that returns its rows."""
        return self.name.replace("/", "_")


def _read_span(row: dict[str, Any]) -> Span:
    return Span(row.get("since", LIVE[0]), row.get("until", "9999"))


def _read_field(name: str, row: dict[str, Any]) -> Field:
    return Field(
        name=name,
        type=row["type"],
        form=row.get("form"),
        choices=tuple(row.get("of", ())),
        refers=row.get("refers"),
        always=row.get("always", False),
        unreliable=row.get("unreliable", False),
        shape=row.get("shape"),
        span=_read_span(row),
    )


def _read_resource(name: str, row: dict[str, Any]) -> Resource:
    return Resource(
        name=name,
        single=row["single"],
        scope=row.get("scope"),
        needs=tuple(row.get("needs", ())),
        fields={field: _read_field(field, inner) for field, inner in row["fields"].items()},
        parameters={
            parameter: Parameter(parameter, inner["type"], tuple(inner.get("of", ())), _read_span(inner))
            for parameter, inner in row["parameters"].items()
        },
        span=_read_span(row),
        key=next((name for name in KEYS if name in row["fields"]), None),
    )


@cache
def load_resources() -> dict[str, Resource]:
    """Returns all resources of all live versions by name."""
    found = {}
    for file in sorted(files(__package__).joinpath("described").iterdir(), key=lambda row: row.name):
        if file.name.endswith(".json"):
            for name, row in json.loads(file.read_text(encoding="utf-8")).items():
                found[name] = _read_resource(name, row)
    return found


@cache
def load_newest() -> dict[str, Resource]:
    """Returns the resources of the newest version by name."""
    return {name: row for name, row in load_resources().items() if NEWEST in row.span}


CLUSTER = 18_446_744_073_709_550  # the first id of the vendor's first cluster, beyond 2^53


def to_api_id(number: int) -> int:
    """Returns the id of a record in the API."""
    return CLUSTER + number


def format_id(number: int, version: str) -> int | str:
    """Formats an id as a version of the API does: as an integer or as a text."""
    return to_api_id(number) if version < TEXT_IDS else str(to_api_id(number))


def encode_cursor(key: str) -> str:
    """Returns the cursor of a row."""
    return base64.b64encode(key.encode()).decode()


def decode_cursor(text: str) -> str:
    """Returns the id in a cursor, or raises ValueError for any other text, such as an id that was not encoded."""
    try:
        key = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if not key.isprintable() or not key:
        raise ValueError(text)
    return key
