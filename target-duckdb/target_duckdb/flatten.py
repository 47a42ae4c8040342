"""Flattening: properties of nested objects become columns, such as `address__city`."""

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
    """Options for flattening.

    Attributes:
        max_level: The number of levels to flatten, 0 for none.
        separator: Separates the names of an object and its property.
        max_key_length: The maximum length of a flattened name. Object names in longer ones are shortened.
    """

    max_level: int = 0
    separator: str = SEPARATOR
    max_key_length: int = DEFAULT_MAX_KEY_LENGTH

    def flatten_name(self, parents: list[str], name: str) -> str:
        """Returns the flattened name of a property."""
        return flatten_key(name, parents, self.separator, max_key_length=self.max_key_length)


class Flattener:
    """Flattens a stream's schema, and its records. Records are flattened as JSON text, without decoding their values.

    Args:
        schema: The stream's schema.
        keys: Its key properties, which are not flattened.
        options: The options for flattening.

    Attributes:
        schema: The flattened schema.
        flattened_objects: The flattened names of the objects that were flattened. A flattened record has a field with
            the object's name if the object has keys that the schema does not list, or if the value is not an object.
        shadowed: Unlisted fields of records that have the name of a flattened column. They are left out.
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
        """Fills the flattened schema.

        Returns, by property name, the flattened name, or for a flattened object the same mapping of its properties.
        """
        tree: _Tree = {}
        for name, schema in properties.items():
            flat_name = self._options.flatten_name(parents, name) if parents else name
            inner = _find_properties(schema) if levels and flat_name not in self._keys else {}
            names = {self._options.flatten_name([*parents, name], key) for key in inner}
            if not inner or names & self._taken or len(names) < len(inner):  # names would collide
                self._flat[flat_name], tree[name] = schema, (flat_name, None)
                continue
            self._taken |= names
            self.flattened_objects.add(flat_name)
            tree[name] = (flat_name, self._flatten_properties(inner, [*parents, name], levels - 1))
        return tree

    def flatten_record(self, record: msgspec.Raw) -> msgspec.Raw:
        """Flattens a record.

        Raises:
            LineError: It is not an object, or not JSON.
        """
        found: dict[str, msgspec.Raw] = {}
        fields = raw_fields(record)
        self._collect_fields(fields, self._tree, None, found)
        if DELETED_AT in fields:  # a deletion mark updates only the fields in it, but all of an object
            for name, (_, inner) in self._tree.items():
                if name in fields and inner is not None:
                    _fill_missing(found, inner)
        return _encode_object(found)

    def _collect_fields(
        self, fields: dict[str, msgspec.Raw], tree: _Tree, object_name: str | None, found: dict[str, msgspec.Raw]
    ) -> None:
        """Finds the flattened fields of an object. `object_name` is the flattened name of the object itself."""
        unlisted: dict[str, msgspec.Raw] = {}
        for name, value in fields.items():
            flat_name, inner = tree.get(name, (name, None))
            if object_name is not None and name not in tree:
                unlisted[name] = value
            elif inner is not None and bytes(value).startswith(b"{"):
                self._collect_fields(raw_fields(value), inner, flat_name, found)
            elif name not in tree and (name in self._flat or name in self.flattened_objects):
                self.shadowed.add(name)
            elif inner is None or bytes(value) != b"null":
                found[flat_name] = value
        if unlisted and object_name is not None:
            found[object_name] = _encode_object(unlisted)


def _find_properties(schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a schema may be anything
    """Returns the properties of a schema that allows only objects and null."""
    if not isinstance(schema, dict):
        return {}
    types, properties = schema.get("type"), schema.get("properties")
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    allows_others = not names or any(name != "object" for name in names)
    return properties if not allows_others and isinstance(properties, dict) else {}


def _fill_missing(found: dict[str, msgspec.Raw], tree: _Tree) -> None:
    """Sets missing fields of an object to null."""
    for flat_name, inner in tree.values():
        if inner is None:
            found.setdefault(flat_name, _NULL)
        else:
            _fill_missing(found, inner)


def _encode_object(fields: dict[str, msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))
