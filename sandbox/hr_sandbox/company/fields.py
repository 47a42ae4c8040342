"""Parses the values of fields that controls change."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Fields that identify records and cannot be changed.
IMMUTABLE_FIELDS = frozenset({"id", "uuid", "person_id", "owner_id", "candidate_id", "webhook_id"})
LOCAL_FIELDS = frozenset({"starts_at", "ends_at"})  # times without a zone


class ChangeError(ValueError):
    """The change is not possible; the message is one sentence."""


def is_attribute_value(kind: str, value: object) -> bool:
    """Returns whether a custom attribute of this type can have the value."""
    if kind in {"string", "date"}:
        return isinstance(value, str)
    if kind == "string_list":
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    if kind == "boolean":
        return isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (kind == "double" and isinstance(value, float))


def _parse_instance(*kinds: type) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:  # noqa: ANN401  what JSON holds
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(value)
        return value

    return parse


def _parse_utc(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)


def _parse_local(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=None)


def _parse_shares(value: Any) -> list[tuple[int, float]]:  # noqa: ANN401  what JSON holds
    return [(PARSERS["int"](number), PARSERS["float"](share)) for number, share in value]


# By the declared types of the records' fields.
PARSERS: dict[str, Callable[[Any], Any]] = {
    "str": _parse_instance(str),
    "int": _parse_instance(int),
    "float": _parse_instance(int, float),
    "bool": _parse_instance(bool),
    "date": date.fromisoformat,
    "list[tuple[int, float]]": _parse_shares,
    "datetime": _parse_utc,
}
NULLABLE: dict[str, Callable[[Any], Any]] = {
    "str | None": _parse_instance(str),
    "int | None": _parse_instance(int),
    "date | None": date.fromisoformat,
    "datetime | None": _parse_local,
}


def parse_field(kind: type, name: str, value: Any) -> Any:  # noqa: ANN401  any field
    """Returns the value of a record's field. Raises ChangeError if the field cannot have it, or cannot be changed."""
    types = {row.name: str(row.type) for row in fields(kind) if row.name not in IMMUTABLE_FIELDS}
    parsers = PARSERS | NULLABLE
    if name not in types or types[name] not in parsers:
        usable = ", ".join(row for row, type_ in types.items() if type_ in parsers)
        raise ChangeError(f"There is no field {name} that can be changed; choose from {usable}.")
    if value is None and types[name] in NULLABLE:
        return None
    try:
        return _parse_local(value) if name in LOCAL_FIELDS else parsers[types[name]](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ChangeError(f"The field {name} cannot be {value!r}.") from error
