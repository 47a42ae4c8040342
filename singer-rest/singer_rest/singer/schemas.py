"""Completes every stream's schema: adds `_extra` and removes secrets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, singerlib
from singer_sdk.exceptions import SchemaNotFoundError
from singer_sdk.singerlib.catalog import StreamMetadata

from singer_rest.errors import TapError
from singer_rest.singer.secret_names import is_secret

if TYPE_CHECKING:
    from collections.abc import Collection

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from singer_rest.privacy.stream_privacy import StreamPrivacy

EXTRA = "_extra"
Schema = dict[str, Any]

LISTS_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "items", "prefixItems"})
"""Keywords whose values may be lists of schemas. Other lists, such as `type` and `enum`, hold none."""


def extra_schema() -> Schema:
    """Returns the schema of `_extra`."""
    return {
        "type": ["object", "null"],
        "description": "Fields that this schema does not list, and values of another type than their columns.",
    }


def is_reserved(name: str) -> bool:
    """Whether a vendor's field of this name would collide with one of the tap or the loader."""
    return name == EXTRA or name.startswith("_sdc_")


def complete_schema(schema: Schema, look_alikes: Collection[str] = (), free_names: Collection[str] = ()) -> Schema:
    """Adds `_extra` as the last property of a schema and removes secrets.

    Args:
        schema: The schema as the tap declares it or as a catalog has it.
        look_alikes: Fields whose names look like secrets, but are not.
        free_names: Columns in which the customer names the fields, which are not checked for secrets.
    """
    properties = {
        name: part if name in free_names else _remove_secret_properties(part, look_alikes)
        for name, part in (schema.get("properties") or {}).items()
        if name != EXTRA and (name in look_alikes or not is_secret(name))
    }
    return {**schema, "properties": {**properties, EXTRA: extra_schema()}}


def _remove_secret_properties(schema: Any, look_alikes: Collection[str]) -> Any:  # noqa: ANN401 - a part of a schema
    if isinstance(schema, list):
        return [_remove_secret_properties(part, look_alikes) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: _remove_secret_properties(part, look_alikes)
        if part.__class__ is dict or name in LISTS_OF_SCHEMAS
        else part
        for name, part in schema.items()
        if name != "properties"
    }
    if "properties" in schema:
        found["properties"] = {
            name: _remove_secret_properties(part, look_alikes)
            for name, part in schema["properties"].items()
            if name in look_alikes or not is_secret(name)
        }
    return found


class CompletedStream(Stream):
    """A stream whose schema is completed wherever it comes from: its class, the vendor or the user's catalog."""

    look_alikes: ClassVar[Collection[str]] = ()
    """Fields whose names look like secrets, but are not."""
    free_names: ClassVar[Collection[str]] = ()
    """Columns in which the customer names the fields. They are emitted whatever their names are."""

    _unprotected_schema: Schema
    _privacy: StreamPrivacy | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Completes the schema that a class declares."""
        super().__init_subclass__(**kwargs)
        if "schema" in vars(cls):
            cls.schema = CompletedSchema(vars(cls)["schema"])  # type: ignore[assignment,method-assign]

    def complete_schema(self, schema: Schema) -> Schema:
        """Adds `_extra` and what a row is, and removes secrets."""
        found = complete_schema(schema, self.look_alikes, self.free_names)
        first = (type(self).__doc__ or "").partition("\n")[0]
        return {**found, "description": first} if first.startswith("One row per ") else found

    @property
    def privacy(self) -> StreamPrivacy | None:
        """The stream under the privacy profile. None: all values are loaded."""
        # Not a cached_property: other threads would wait for its lock while a schema is requested.
        _ = self.schema
        return self._privacy

    def set_schema(self, completed: Schema) -> Schema:
        """Returns the schema of what is emitted, and remembers it and that of what is read."""
        self._unprotected_schema = completed
        self._privacy = self.privacy_of(completed)
        found = self._privacy.schema if self._privacy else completed
        vars(self)["schema"] = found
        return found

    @abstractmethod
    def privacy_of(self, schema: Schema) -> StreamPrivacy | None:
        """Returns the stream under the privacy profile, with another schema than its own."""

    @property
    def unprotected_schema(self) -> Schema:
        """The schema of what is read, of which the privacy profile may drop columns."""
        _ = self.schema
        return self._unprotected_schema

    @property
    def effective_schema(self) -> Schema:
        """The schema that records are fitted to, before the privacy profile is applied."""
        return self.unprotected_schema if self._input_schema is None else self._input_schema

    def apply_catalog(self, catalog: Catalog) -> None:
        """Applies the user's catalog and completes its schema, which may be older than some fields."""
        entry = catalog.get_stream(self.name)
        if entry:
            entry.schema = singerlib.Schema.from_dict(self.complete_schema(entry.schema.to_dict()))
        super().apply_catalog(catalog)
        if entry and self.privacy:
            self._apply_protected_catalog(entry, self.privacy)
        # The SDK prefers the method that discovery wrote to the one that the user sets.
        root = entry.metadata.get(()) if entry else None
        if isinstance(root, StreamMetadata) and root.forced_replication_method:
            self.forced_replication_method = root.forced_replication_method

    def _apply_protected_catalog(self, entry: CatalogEntry, privacy: StreamPrivacy) -> None:
        """Reads with the stream's own columns: the catalog may lack those that the privacy profile drops."""
        given, own = entry.schema.to_dict(), self.unprotected_schema["properties"]
        listed = given["properties"]
        replaced = {name: part for name, part in listed.items() if name not in own or privacy.keeps(name)}
        self._input_schema = {**given, "properties": {**own, **replaced}}
        if compiled := self.privacy_of(self._input_schema):
            self._privacy = compiled.limited_to(listed)
            entry.schema = singerlib.Schema.from_dict(self._privacy.schema)


class CompletedSchema:
    """A descriptor that completes the schema that a stream class declares.

    Args:
        declared: The schema, or a descriptor that returns it.
    """

    def __init__(self, declared: Any) -> None:  # noqa: ANN401
        self._declared = declared

    def __get__(self, stream: CompletedStream | None, owner: type[CompletedStream]) -> Any:  # noqa: ANN401
        """Returns the completed schema, cached on the stream. On the class, the declared one."""
        if stream is None:
            return self._declared
        find = getattr(self._declared, "__get__", None)
        try:
            declared = find(stream, owner) if find else self._declared
        except SchemaNotFoundError as error:
            raise TapError(
                f"{stream.name}: its schema cannot be read. Check {stream.name}.json in the tap's folder schemas."
            ) from error
        return stream.set_schema(stream.complete_schema(declared))
