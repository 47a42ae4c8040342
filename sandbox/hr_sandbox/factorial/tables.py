"""The resources with their fields and parameters by version, read from the files that `describe` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hr_sandbox.factorial.versions import LIVE, NEWEST


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
        """The name as a stream."""
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
        choices=tuple(row.get("of", ())),
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
    """Return all resources of all live versions by name."""
    found = {}
    for file in sorted(files(__package__).joinpath("described").iterdir(), key=lambda row: row.name):
        if file.name.endswith(".json"):
            for name, row in json.loads(file.read_text(encoding="utf-8")).items():
                found[name] = _resource(name, row)
    return found


@cache
def newest() -> dict[str, Resource]:
    """Return the resources of the newest version by name."""
    return {name: row for name, row in resources().items() if NEWEST in row.span}
