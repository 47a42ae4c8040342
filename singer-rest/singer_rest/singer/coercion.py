"""Values brought to the type that their column's schema declares, where nothing is lost by it.

A coercer takes a value that is not null and returns it in the schema's type, or `NOT_COERCIBLE`. It is built once per
schema, and only looks at types and formats of time; enums, patterns and the like are ignored.
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
MAX_NAMES = 10_000
"""Names that are remembered to be no secrets; beyond that each is looked at again."""


SIMPLE: dict[str, Coercer] = {"number": number, "integer": integer, "boolean": boolean}


class Coercion:
    """Makes the coercers of one stream, and takes out of its records what never leaves the tap.

    Args:
        look_alikes: Fields that only look like secrets by their names.
        judges: Whether any name makes a secret.
    """

    def __init__(self, look_alikes: Collection[str] = (), *, judges: bool = True) -> None:
        self._judges = judges
        self._open = set(look_alikes)
        self.secrets: set[str] = set()
        """Names of the fields that were dropped."""

    def drop_secrets(self, fields: dict[str, Any]) -> None:
        """Take out of an object what is a secret by its name."""
        if fields.keys() <= self._open or not self._judges:
            return
        for name in fields.keys() - self._open:
            if is_secret(name):
                del fields[name]
                self.secrets.add(name)
            elif len(self._open) < MAX_NAMES:
                self._open.add(name)

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - whatever the vendor sent
        """A value of any type, with the secrets taken out of it, at any depth."""
        if value.__class__ not in CONTAINERS or not self._judges:
            return value
        parts = [value]  # not by recursion: a vendor may nest as deep as it likes
        while parts:
            part = parts.pop()
            if part.__class__ is dict:
                self.drop_secrets(part)
                part = part.values()
            parts += [inner for inner in part if inner.__class__ in CONTAINERS]
        return value

    def of(self, schema: Schema) -> Coercer:
        """The coercer for a schema; of several types, or of the parts of `anyOf`, any may take the value."""
        options = self._options(schema)
        if len(options) == 1:
            return options[0]

        def first_of(value: Any) -> Any:  # noqa: ANN401
            found = [option(value) for option in options]
            if any(one is value for one in found):
                return value
            return next((one for one in found if one is not NOT_COERCIBLE), NOT_COERCIBLE)

        return first_of

    def _options(self, schema: Schema) -> list[Coercer]:
        if "type" in schema:
            return [self._of_type(kind, schema) for kind in types_of(schema) if kind != "null"]
        if parts := schema.get("anyOf") or schema.get("oneOf"):
            return [option for part in parts for option in self._options(part)]
        if parts := schema.get("allOf"):
            properties = {name: inner for part in parts for name, inner in (part.get("properties") or {}).items()}
            merged = {name: value for part in parts for name, value in part.items()}
            return self._options({**merged, "properties": properties} if properties else merged)
        return [self._object(schema) if "properties" in schema else self.clean]

    def _of_type(self, kind: str, schema: Schema) -> Coercer:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return _time(schema) or text
        return SIMPLE.get(kind, self.clean)

    def _object(self, schema: Schema) -> Coercer:
        properties = schema.get("properties") or {}
        if not properties:
            return lambda value: self.clean(value) if value.__class__ is dict else _empty(value, {})
        as_it_is = {name: plain_type(part) for name, part in properties.items()}
        coercers = {name: self.of(part) for name, part in properties.items()}

        def coerce(value: Any) -> Any:  # noqa: ANN401
            if value.__class__ is not dict:
                return _empty(value, {})
            self.drop_secrets(value)
            changed = {}
            for name, inner in value.items():
                if inner is None or inner.__class__ is as_it_is.get(name):
                    continue
                found = coercers.get(name, self.clean)(inner)
                if found is NOT_COERCIBLE:
                    return NOT_COERCIBLE
                if found is not inner:
                    changed[name] = found
            return {**value, **changed} if changed else value

        return coerce

    def _array(self, schema: Schema) -> Coercer:
        items = schema.get("items")
        if not isinstance(items, dict) or not items:
            return lambda value: self.clean(value) if value.__class__ is list else _empty(value, [])
        as_it_is, coercer = plain_type(items), self.of(items)

        def coerce(value: Any) -> Any:  # noqa: ANN401
            if value.__class__ is not list:
                return _empty(value, [])
            found = [item if item is None or item.__class__ is as_it_is else coercer(item) for item in value]
            if any(item is NOT_COERCIBLE for item in found):
                return NOT_COERCIBLE
            return value if all(map(_is, found, value)) else found

        return coerce


def types_of(schema: Schema) -> list[str]:
    """The types that a schema names."""
    field_names = schema.get("type") or []
    return [field_names] if isinstance(field_names, str) else list(field_names)


def plain_type(schema: Schema) -> type | None:
    """The type whose values a schema takes as they are; None: each has to be looked at."""
    kinds = types_of(schema)
    if "string" in kinds and schema.get("format") not in TIMES:
        return str
    return bool if "boolean" in kinds else None


def _time(schema: Schema) -> Coercer | None:
    """The coercer for a text that holds a time; None where it holds none."""
    if schema.get("format") == "date-time":
        return local_time if "x-sql-datatype" in schema else timestamp
    return date if schema.get("format") == "date" else None


def _empty(value: Any, nothing: Any) -> Any:  # noqa: ANN401
    """What PHP and its like write for an empty object or an empty list, and what stands for none at all."""
    if value in ({}, []):
        return nothing
    return None if isinstance(value, str) and not value.strip() else NOT_COERCIBLE


def _is(one: object, other: object) -> bool:
    return one is other
