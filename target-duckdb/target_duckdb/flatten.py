"""Flattening: properties of nested objects become columns of their own, `address__city`."""

from __future__ import annotations

from typing import Any

import msgspec

from target_duckdb.columns import DELETED_AT
from target_duckdb.messages import fields_of
from target_duckdb.segments import SEPARATOR

_NULL = msgspec.Raw(b"null")


class Flattener:
    """Flattens the schema of a stream, and its records as JSON text, so that no value is read and written anew.

    Args:
        schema: The stream's schema.
        keys: Its key properties; these stay whole.
        max_level: How many levels of objects to take apart.

    Attributes:
        schema: The schema with flat properties.
        objects: The flat names of the objects that were taken apart. A record has a field of such a name where the
            object holds keys that the schema does not list (then with these), or where the value is no object.
        shadowed: Fields of records that the schema does not list and whose names are flat ones: they are left out.
    """

    def __init__(self, schema: dict[str, Any], keys: tuple[str, ...], max_level: int) -> None:
        self.objects: set[str] = set()
        self.shadowed: set[str] = set()
        self._keys = keys
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        self._flat: dict[str, Any] = {}
        self._taken = set(properties)
        self._tree = self._take_apart(properties, "", max_level)
        self.schema = {**schema, "properties": self._flat}

    def _take_apart(self, properties: dict[str, Any], prefix: str, levels: int) -> dict[str, Any]:
        """Fills the flat schema. Answers, by name, the tree of an object that is taken apart, None for all else."""
        tree: dict[str, Any] = {}
        for name, schema in properties.items():
            full = prefix + name
            inner = _properties(schema) if levels and full not in self._keys else {}
            names = {f"{full}{SEPARATOR}{key}" for key in inner}
            if not inner or names & self._taken:  # an object whose names are others' stays whole
                self._flat[full], tree[name] = schema, None
                continue
            self._taken |= names
            self.objects.add(full)
            tree[name] = self._take_apart(inner, full + SEPARATOR, levels - 1)
        return tree

    def record(self, record: msgspec.Raw) -> msgspec.Raw:
        """Flattens a record.

        Raises:
            LineError: It is no object, or not JSON.
        """
        found: dict[str, msgspec.Raw] = {}
        fields = fields_of(record)
        self._collect(fields, self._tree, "", found)
        if DELETED_AT in fields:  # such a record touches only what it carries: of an object that it carries, all
            for name, inner in self._tree.items():
                if name in fields and inner is not None:
                    _fill(found, inner, name + SEPARATOR)
        return _object(found)

    def _collect(
        self, fields: dict[str, msgspec.Raw], tree: dict[str, Any], prefix: str, found: dict[str, msgspec.Raw]
    ) -> None:
        unlisted: dict[str, msgspec.Raw] = {}
        for name, value in fields.items():
            inner = tree.get(name)
            if prefix and name not in tree:
                unlisted[name] = value
            elif inner is not None and bytes(value).startswith(b"{"):
                self._collect(fields_of(value), inner, prefix + name + SEPARATOR, found)
            elif name not in tree and (name in self._flat or name in self.objects):
                self.shadowed.add(name)
            elif inner is None or bytes(value) != b"null":
                found[prefix + name] = value
        if unlisted:
            found[prefix.removesuffix(SEPARATOR)] = _object(unlisted)


def _properties(schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a schema may be anything
    """The properties of an object that can be nothing else but null."""
    if not isinstance(schema, dict):
        return {}
    types, properties = schema.get("type"), schema.get("properties")
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    whole = not names or any(name != "object" for name in names)
    return properties if not whole and isinstance(properties, dict) else {}


def _fill(found: dict[str, msgspec.Raw], tree: dict[str, Any], prefix: str) -> None:
    """Makes what is missing of an object a null."""
    for name, inner in tree.items():
        if inner is None:
            found.setdefault(prefix + name, _NULL)
        else:
            _fill(found, inner, prefix + name + SEPARATOR)


def _object(fields: dict[str, msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))
