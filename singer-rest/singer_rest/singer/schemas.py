"""What the library does to the schema of every stream: `_extra` is added, and what never leaves is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, singerlib
from singer_sdk.singerlib.catalog import StreamMetadata

from singer_rest.singer.secret_names import is_secret

if TYPE_CHECKING:
    from collections.abc import Collection

    from singer_sdk.singerlib import Catalog

EXTRA = "_extra"
Schema = dict[str, Any]


def extra_schema() -> Schema:
    """The schema of `_extra`."""
    return {
        "type": ["object", "null"],
        "description": "Fields that this schema does not list, and values of another type than their columns.",
    }


def is_reserved(name: str) -> bool:
    """Whether a vendor's field of this name would be taken for one of the tap's or the loader's own."""
    return name == EXTRA or name.startswith("_sdc_")


def completed(schema: Schema, look_alikes: Collection[str] = (), free_names: Collection[str] = ()) -> Schema:
    """A stream's schema with `_extra`, which stands last, and without secrets.

    Args:
        schema: The schema as the tap declares it, or as a catalog has it.
        look_alikes: Fields that only look like secrets by their names.
        free_names: Columns in which the customer names the fields: they stay whole.
    """
    properties = {
        name: part if name in free_names else _public(part, look_alikes)
        for name, part in (schema.get("properties") or {}).items()
        if name != EXTRA and (name in look_alikes or not is_secret(name))
    }
    return {**schema, "properties": {**properties, EXTRA: extra_schema()}}


def _public(schema: Any, look_alikes: Collection[str]) -> Any:  # noqa: ANN401 - a part of a schema
    if isinstance(schema, list):
        return [_public(part, look_alikes) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _public(part, look_alikes) for name, part in schema.items() if name != "properties"}
    if "properties" in schema:
        found["properties"] = {
            name: _public(part, look_alikes)
            for name, part in schema["properties"].items()
            if name in look_alikes or not is_secret(name)
        }
    return found


class CompletedStream(Stream):
    """A stream whose schema is completed wherever it comes from: its class, the vendor, the user's catalog."""

    look_alikes: ClassVar[Collection[str]] = ()
    """Fields that only look like secrets by their names, and leave."""
    free_names: ClassVar[Collection[str]] = ()
    """Columns in which the company names the fields itself: what it put there leaves, whatever it is called."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete the schema that a class declares."""
        super().__init_subclass__(**kwargs)
        if "schema" in vars(cls):
            cls.schema = CompletedSchema(vars(cls)["schema"])  # type: ignore[assignment,method-assign]

    def completed(self, schema: Schema) -> Schema:
        """A schema with `_extra`, and without what never leaves."""
        return completed(schema, self.look_alikes, self.free_names)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over what the user's catalog says, and complete its schema: it may be older than a field of it."""
        entry = catalog.get_stream(self.name)
        if entry:
            entry.schema = singerlib.Schema.from_dict(self.completed(entry.schema.to_dict()))
        super().apply_catalog(catalog)
        # The SDK lets the method that discovery wrote win over the one that the user sets beside it.
        root = entry.metadata.get(()) if entry else None
        if isinstance(root, StreamMetadata) and root.forced_replication_method:
            self.forced_replication_method = root.forced_replication_method


class CompletedSchema:
    """Stands in the place of the schema that a class of streams declares, and gives it completed.

    Args:
        declared: The schema, or a descriptor that finds it.
    """

    def __init__(self, declared: Any) -> None:  # noqa: ANN401
        self._declared = declared

    def __get__(self, stream: CompletedStream | None, owner: type[CompletedStream]) -> Any:  # noqa: ANN401
        """The schema of a stream, which it keeps; of a class, what it declares."""
        if stream is None:
            return self._declared
        find = getattr(self._declared, "__get__", None)
        found = stream.completed(find(stream, owner) if find else self._declared)
        vars(stream)["schema"] = found
        return found
