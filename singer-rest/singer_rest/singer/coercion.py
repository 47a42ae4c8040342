"""Converts values to the types that a schema declares, unless that would lose information.

A coercer takes a value that is not null and returns it in the schema's type, or `NOT_COERCIBLE`. It is built once per
schema and only considers types and time formats; enums, patterns and the like are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from singer_rest.singer.scalars import NOT_COERCIBLE, boolean, date, integer, local_time, number, text, timestamp
from singer_rest.singer.secret_names import is_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Schema = Mapping[str, Any]

Coercer = Callable[[Any], Any]

TIMES = frozenset({"date", "date-time"})
CONTAINERS = frozenset({dict, list})
MAX_CACHED_NAMES = 10_000
"""Maximum number of cached names that are not secrets. Others are checked each time."""


SIMPLE: dict[str, Coercer] = {"number": number, "integer": integer, "boolean": boolean}


class Coercion:
    """Makes the coercers of one stream and removes secrets from its records.

    Args:
        look_alikes: Fields whose names look like secrets, but are not.
        checks_names: Whether to check field names for secrets.
    """

    def __init__(self, look_alikes: Collection[str] = (), *, checks_names: bool = True) -> None:
        self._checks_names = checks_names
        self._public_names = set(look_alikes)
        self.secrets: set[str] = set()
        """Names of the dropped fields."""

    def drop_secrets(self, fields: dict[str, Any]) -> None:
        """Removes the fields of an object whose names say that they are secrets."""
        if fields.keys() <= self._public_names or not self._checks_names:
            return
        for name in fields.keys() - self._public_names:
            if is_secret(name):
                del fields[name]
                self.secrets.add(name)
            elif len(self._public_names) < MAX_CACHED_NAMES:
                self._public_names.add(name)

    def is_public(self, name: str) -> bool:
        """Whether a field of this name is kept."""
        return not self._checks_names or name in self._public_names or not is_secret(name)

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - whatever the vendor sent
        """Removes secrets from a value, at any depth."""
        if value.__class__ not in CONTAINERS or not self._checks_names:
            return value
        parts = [value]  # not recursive: a vendor may nest values at any depth
        while parts:
            part = parts.pop()
            if part.__class__ is dict:
                self.drop_secrets(part)
                part = part.values()
            parts += [inner for inner in part if inner.__class__ in CONTAINERS]
        return value

    def of(self, schema: Schema) -> Coercer:
        """Returns the coercer for a schema. With several types or `anyOf`, any of them may accept the value."""
        options = self._make_coercers(schema)
        if len(options) == 1:
            return options[0]

        def first_of(value: Any) -> Any:  # noqa: ANN401
            coerced = [option(value) for option in options]
            if any(one is value for one in coerced):
                return value
            return next((one for one in coerced if one is not NOT_COERCIBLE), NOT_COERCIBLE)

        return first_of

    def _make_coercers(self, schema: Schema) -> list[Coercer]:
        if "type" in schema:
            return [self._make_type_coercer(kind, schema) for kind in types_of(schema) if kind != "null"]
        if parts := schema.get("anyOf") or schema.get("oneOf"):
            return [option for part in parts for option in self._make_coercers(part)]
        if parts := schema.get("allOf"):
            properties = {name: inner for part in parts for name, inner in (part.get("properties") or {}).items()}
            merged = {name: value for part in parts for name, value in part.items()}
            return self._make_coercers({**merged, "properties": properties} if properties else merged)
        return [self._make_object_coercer(schema) if "properties" in schema else self.clean]

    def _make_type_coercer(self, kind: str, schema: Schema) -> Coercer:
        if kind == "object":
            return self._make_object_coercer(schema)
        if kind == "array":
            return self._make_array_coercer(schema)
        if kind == "string":
            return _make_time_coercer(schema) or text
        return SIMPLE.get(kind, self.clean)

    def _make_object_coercer(self, schema: Schema) -> Coercer:
        properties = schema.get("properties") or {}
        if not properties:
            return lambda value: self.clean(value) if value.__class__ is dict else _coerce_empty(value, {})
        plain_types = {name: plain_type(part) for name, part in properties.items()}
        coercers = {name: self.of(part) for name, part in properties.items()}

        def coerce(value: Any) -> Any:  # noqa: ANN401
            if value.__class__ is not dict:
                return _coerce_empty(value, {})
            self.drop_secrets(value)
            changed = {}
            for name, inner in value.items():
                if inner is None or inner.__class__ is plain_types.get(name):
                    continue
                coerced = coercers.get(name, self.clean)(inner)
                if coerced is NOT_COERCIBLE:
                    return NOT_COERCIBLE
                if coerced is not inner:
                    changed[name] = coerced
            return {**value, **changed} if changed else value

        return coerce

    def _make_array_coercer(self, schema: Schema) -> Coercer:
        items = schema.get("items")
        if not isinstance(items, dict) or not items:
            return lambda value: self.clean(value) if value.__class__ is list else _coerce_empty(value, [])
        plain_types, coercer = plain_type(items), self.of(items)

        def coerce(value: Any) -> Any:  # noqa: ANN401
            if value.__class__ is not list:
                return _coerce_empty(value, [])
            coerced = [item if item is None or item.__class__ is plain_types else coercer(item) for item in value]
            if any(item is NOT_COERCIBLE for item in coerced):
                return NOT_COERCIBLE
            return value if all(map(_is_identical, coerced, value)) else coerced

        return coerce


def make_coercer(schema: Schema) -> Coercer:
    """Returns the coercer to a schema's type, for values outside of columns. Others are left unchanged."""
    convert = Coercion(checks_names=False).of(schema)

    def coerce(value: Any) -> Any:  # noqa: ANN401
        found = None if value is None else convert(value)
        return value if found is NOT_COERCIBLE else found

    return coerce


def types_of(schema: Schema) -> list[str]:
    """Returns the types that a schema names."""
    field_names = schema.get("type") or []
    return [field_names] if isinstance(field_names, str) else list(field_names)


def plain_type(schema: Schema) -> type | None:
    """Returns the type whose values a schema accepts unchanged. None: each value has to be checked."""
    kinds = types_of(schema)
    if "string" in kinds and schema.get("format") not in TIMES:
        return str
    return bool if "boolean" in kinds else None


def _make_time_coercer(schema: Schema) -> Coercer | None:
    """Returns the coercer for a date or timestamp. None: the schema is neither."""
    if schema.get("format") == "date-time":
        return local_time if "x-sql-datatype" in schema else timestamp
    return date if schema.get("format") == "date" else None


def _coerce_empty(value: Any, nothing: Any) -> Any:  # noqa: ANN401
    """Converts empty values: PHP and others write an empty object as a list, or the reverse, or as an empty string."""
    if value in ({}, []):
        return nothing
    return None if isinstance(value, str) and not value.strip() else NOT_COERCIBLE


def _is_identical(one: object, other: object) -> bool:
    return one is other
