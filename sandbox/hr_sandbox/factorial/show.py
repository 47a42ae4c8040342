"""Rows as bodies of one version: its fields, its kind of ids, the module's way to write a moment."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.ids import CLUSTER
from hr_sandbox.factorial.luck import luck
from hr_sandbox.factorial.tables import resources
from hr_sandbox.factorial.versions import TEXT_IDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hr_sandbox.factorial.invented import Row
    from hr_sandbox.factorial.tables import Field, Resource

Show = tuple["tuple[str, Callable[[Any], Any]]", ...]
FORMS = ("{}.000Z", "{}.000Z", "{}.000+00:00", "{}Z")


@cache
def _shows(name: str, version: str) -> Show:
    resource = resources()[name]
    return tuple(
        (field.name, _way(resource, field, version)) for field in resource.fields.values() if version in field.span
    )


def _way(resource: Resource, field: Field, version: str) -> Callable[[Any], Any]:
    if field.type in {"id", "ids"}:
        return _id if version < TEXT_IDS else _text_id
    form = FORMS[luck("moments", resource.module) % len(FORMS)]

    def way(value: Any) -> Any:  # noqa: ANN401  any JSON
        if isinstance(value, datetime):
            return form.format(value.replace(tzinfo=None).isoformat(timespec="seconds"))
        if isinstance(value, time):
            return f"{value:%H:%M}"
        return value.isoformat() if isinstance(value, date) else value

    return way


def _id(value: Any) -> Any:  # noqa: ANN401  a number, several, or what is no number at all
    if isinstance(value, int):
        return CLUSTER + value
    return [_id(inner) for inner in value] if isinstance(value, list) else value


def _text_id(value: Any) -> Any:  # noqa: ANN401  a number, several, or what is no number at all
    if isinstance(value, int):
        return str(CLUSTER + value)
    return [_text_id(inner) for inner in value] if isinstance(value, list) else value


def bodies(resource: Resource, rows: Iterable[Row], version: str, hidden: frozenset[str]) -> list[Row]:
    """The bodies of rows; what the credential may not see is null."""
    ways = _shows(resource.name, version)
    found = [{name: way(row[name]) for name, way in ways} for row in rows]
    for name in hidden:
        for body in found:
            if name in body:
                body[name] = None
    return found
