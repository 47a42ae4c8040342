"""Flattening: properties of nested objects become columns of their own, `address__city`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec
from singer_sdk.helpers._flattening import DEFAULT_MAX_KEY_LENGTH, flatten_key

from target_duckdb.columns import DELETED_AT
from target_duckdb.messages import raw_fields
from target_duckdb.segments import SEPARATOR

_NULL = msgspec.Raw(b"null")
_Tree: TypeAlias = "dict[str, tuple[str, _Tree | None]]"


class Flattening(NamedTuple):
    """How objects are taken apart.

    Attributes:
        max_level: How many levels of them; 0 for none.
        separator: What stands between the names of an object and of its property.
        max_key_length: How long the name of a flat column may be; the names of objects in longer ones are shortened.
    """

    max_level: int = 0
    separator: str = SEPARATOR
    max_key_length: int = DEFAULT_MAX_KEY_LENGTH

    def name(self, parents: list[str], name: str) -> str:
        """The name of the flat column of a property."""
        return flatten_key(name, parents, self.separator, max_key_length=self.max_key_length)


class Flattener:
    """Flattens the schema of a stream, and its records as JSON text, so that no value is read and written anew.

    Args:
        schema: The stream's schema.
        keys: Its key properties; these stay whole.
        options: How to take objects apart.

    Attributes:
        schema: The schema with flat properties.
        objects: The flat names of the objects that were taken apart. A record has a field of such a name where the
            object holds keys that the schema does not list (then with these), or where the value is no object.
        shadowed: Fields of records that the schema does not list and whose names are flat ones: they are left out.
    """

    def __init__(self, schema: dict[str, Any], keys: tuple[str, ...], options: Flattening) -> None:
        self.flattened_objects: set[str] = set()
        self.shadowed: set[str] = set()
        self._keys = keys
        self._options = options
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        self._flat: dict[str, Any] = {}
        self._taken = set(properties)
        self._tree = self._flatten_properties(properties, [], options.max_level)
        self.schema = {**schema, "properties": self._flat}

    def _flatten_properties(self, properties: dict[str, Any], parents: list[str], levels: int) -> _Tree:
        """Fills the flat schema. Answers, by name, the flat name, and the tree of an object that is taken apart."""
        tree: _Tree = {}
        for name, schema in properties.items():
            full = self._options.name(parents, name) if parents else name
            inner = _properties(schema) if levels and full not in self._keys else {}
            names = {self._options.name([*parents, name], key) for key in inner}
            if not inner or names & self._taken or len(names) < len(inner):  # its names are others': it stays whole
                self._flat[full], tree[name] = schema, (full, None)
                continue
            self._taken |= names
            self.flattened_objects.add(full)
            tree[name] = (full, self._flatten_properties(inner, [*parents, name], levels - 1))
        return tree

    def record(self, record: msgspec.Raw) -> msgspec.Raw:
        """Flattens a record.

        Raises:
            LineError: It is no object, or not JSON.
        """
        found: dict[str, msgspec.Raw] = {}
        fields = raw_fields(record)
        self._collect(fields, self._tree, None, found)
        if DELETED_AT in fields:  # such a record touches only what it carries: of an object that it carries, all
            for name, (_, inner) in self._tree.items():
                if name in fields and inner is not None:
                    _fill_missing(found, inner)
        return _encode_object(found)

    def _collect(
        self, fields: dict[str, msgspec.Raw], tree: _Tree, object_name: str | None, found: dict[str, msgspec.Raw]
    ) -> None:
        """Finds the flat fields of an object, whose own flat name is `whole`."""
        unlisted: dict[str, msgspec.Raw] = {}
        for name, value in fields.items():
            full, inner = tree.get(name, (name, None))
            if object_name is not None and name not in tree:
                unlisted[name] = value
            elif inner is not None and bytes(value).startswith(b"{"):
                self._collect(raw_fields(value), inner, full, found)
            elif name not in tree and (name in self._flat or name in self.flattened_objects):
                self.shadowed.add(name)
            elif inner is None or bytes(value) != b"null":
                found[full] = value
        if unlisted and object_name is not None:
            found[object_name] = _encode_object(unlisted)


def _properties(schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a schema may be anything
    """The properties of an object that can be nothing else but null."""
    if not isinstance(schema, dict):
        return {}
    types, properties = schema.get("type"), schema.get("properties")
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    object_name = not names or any(name != "object" for name in names)
    return properties if not object_name and isinstance(properties, dict) else {}


def _fill_missing(found: dict[str, msgspec.Raw], tree: _Tree) -> None:
    """Makes what is missing of an object a null."""
    for full, inner in tree.values():
        if inner is None:
            found.setdefault(full, _NULL)
        else:
            _fill_missing(found, inner)


def _encode_object(fields: dict[str, msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))
