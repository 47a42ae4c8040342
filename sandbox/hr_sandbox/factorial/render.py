"""Rows as render_rows of one version: its fields, its kind of ids, the module's way to write a timestamp."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any

from hr_sandbox.factorial.ids import CLUSTER
from hr_sandbox.factorial.tables import resources
from hr_sandbox.factorial.versions import TEXT_IDS
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hr_sandbox.factorial.fake_values import Row
    from hr_sandbox.factorial.tables import Resource

FORMS = ("{}.000Z", "{}.000Z", "{}.000+00:00", "{}Z")
SECONDS = 19  # letters of a timestamp to the second
TIMES = ("_at", "_on", "date")  # ends of the names of days and timestamps


@cache
def _names(name: str, version: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The fields of a version; those of them that are ids; those that are days, timestamps or times."""
    fields = [field for field in resources()[name].fields.values() if version in field.span]
    return (
        tuple(field.name for field in fields),
        tuple(field.name for field in fields if field.type in {"id", "ids"}),
        tuple(field.name for field in fields if field.form or field.name.endswith(TIMES)),
    )


@cache
def _formatter(module: str) -> Callable[[Any], Any]:
    """How a module writes days, timestamps and times."""
    form = FORMS[stable_number("moments", module) % len(FORMS)]

    def way(value: Any) -> Any:  # noqa: ANN401  any JSON
        if isinstance(value, datetime):
            return form.format(value.isoformat()[:SECONDS])
        if isinstance(value, time):
            return value.isoformat("minutes")
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


def render_rows(resource: Resource, rows: Iterable[Row], version: str, hidden: frozenset[str]) -> list[Row]:
    """The render_rows of rows; what the credential may not see is null."""
    names, ids, times = _names(resource.name, version)
    key, way = _id if version < TEXT_IDS else _text_id, _formatter(resource.module)
    found = []
    for row in rows:
        body = {name: row[name] for name in names}
        for name in ids:
            body[name] = key(body[name])
        for name in times:
            body[name] = way(body[name])
        body.update((name, None) for name in hidden if name in body)
        found.append(body)
    return found
