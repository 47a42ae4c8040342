"""The lists, their fields and parameters by version, read from the files that `describe` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hr_sandbox.factorial.versions import LIVE, NEWEST


@dataclass(frozen=True, slots=True)
class Span:
    """The versions that have something: from one on, until another one (exclusive)."""

    since: str = LIVE[0]
    until: str = "9999"

    def __contains__(self, version: object) -> bool:
        return isinstance(version, str) and self.since <= version < self.until


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a list's rows.

    Attributes:
        type: id, ids, text, integer, number, boolean, object, or a plural of these for lists.
        form: timestamp, day, clock or epoch, where a text or number is one.
        of: the values that the vendor names.
        refers: the list that the id is of.
        always: whether the vendor says that it is always there.
        unreliable: whether what the vendor says of its type is untrue.
        shape: of nested values: an object of names, a list of one, or a type.
    """

    name: str
    type: str
    form: str | None
    of: tuple[str, ...]
    refers: str | None
    always: bool
    unreliable: bool
    shape: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a list knows; those with brackets may stand several times."""

    name: str
    type: str
    of: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Resource:
    """One list.

    Attributes:
        name: such as `attendance/shifts`.
        single: whether rows can be read by id.
        scope: the permission that is documented for it.
        needs: parameters without which it answers nothing.
    """

    name: str
    single: bool
    scope: str | None
    needs: tuple[str, ...]
    fields: dict[str, Field]
    parameters: dict[str, Parameter]
    span: Span

    @property
    def module(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def stream(self) -> str:
        """The name as controls and warehouses write it."""
        return self.name.replace("/", "_")

    @property
    def key(self) -> str | None:
        """The field that rows are found and sorted by."""
        return next((name for name in ("id", "uuid", "contract_version_id", "leave_id") if name in self.fields), None)


def _span(row: dict[str, Any]) -> Span:
    return Span(row.get("since", LIVE[0]), row.get("until", "9999"))


def _field(name: str, row: dict[str, Any]) -> Field:
    return Field(
        name=name,
        type=row["type"],
        form=row.get("form"),
        of=tuple(row.get("of", ())),
        refers=row.get("refers"),
        always=row.get("always", False),
        unreliable=row.get("unreliable", False),
        shape=row.get("shape"),
        span=_span(row),
    )


def _resource(name: str, row: dict[str, Any]) -> Resource:
    return Resource(
        name=name,
        single=row["single"],
        scope=row.get("scope"),
        needs=tuple(row.get("needs", ())),
        fields={field: _field(field, inner) for field, inner in row["fields"].items()},
        parameters={
            parameter: Parameter(parameter, inner["type"], tuple(inner.get("of", ())), _span(inner))
            for parameter, inner in row["parameters"].items()
        },
        span=_span(row),
    )


@cache
def resources() -> dict[str, Resource]:
    """All lists of all live versions, by name."""
    found = {}
    for file in sorted(files(__package__).joinpath("described").iterdir(), key=lambda row: row.name):
        if file.name.endswith(".json"):
            for name, row in json.loads(file.read_text(encoding="utf-8")).items():
                found[name] = _resource(name, row)
    return found


@cache
def newest() -> dict[str, Resource]:
    """The lists of the newest version, by name."""
    return {name: row for name, row in resources().items() if NEWEST in row.span}
