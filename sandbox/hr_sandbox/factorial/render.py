"""Renders rows in one version of the API."""

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
SECONDS = 19  # the length of a timestamp without a fraction
TIMES = ("_at", "_on", "date")  # suffixes of fields with dates and times


@cache
def _names(name: str, version: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the fields of a version, those that are ids, and those that are dates or times."""
    fields = [field for field in resources()[name].fields.values() if version in field.span]
    return (
        tuple(field.name for field in fields),
        tuple(field.name for field in fields if field.type in {"id", "ids"}),
        tuple(field.name for field in fields if field.form or field.name.endswith(TIMES)),
    )


@cache
def _formatter(module: str) -> Callable[[Any], Any]:
    """Return the function that formats dates and times for a module."""
    form = FORMS[stable_number("moments", module) % len(FORMS)]

    def format_value(value: Any) -> Any:  # noqa: ANN401  any JSON
        if isinstance(value, datetime):
            return form.format(value.isoformat()[:SECONDS])
        if isinstance(value, time):
            return value.isoformat("minutes")
        return value.isoformat() if isinstance(value, date) else value

    return format_value


def _id(value: Any) -> Any:  # noqa: ANN401  an integer, several, or any other value
    if isinstance(value, int):
        return CLUSTER + value
    return [_id(inner) for inner in value] if isinstance(value, list) else value


def _text_id(value: Any) -> Any:  # noqa: ANN401  an integer, several, or any other value
    if isinstance(value, int):
        return str(CLUSTER + value)
    return [_text_id(inner) for inner in value] if isinstance(value, list) else value


def render_rows(resource: Resource, rows: Iterable[Row], version: str, hidden: frozenset[str]) -> list[Row]:
    """Render rows. Hidden attributes are null."""
    names, ids, times = _names(resource.name, version)
    key, format_value = _id if version < TEXT_IDS else _text_id, _formatter(resource.module)
    found = []
    for row in rows:
        body = {name: row[name] for name in names}
        for name in ids:
            body[name] = key(body[name])
        for name in times:
            body[name] = format_value(body[name])
        body.update((name, None) for name in hidden if name in body)
        found.append(body)
    return found
