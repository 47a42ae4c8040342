"""Compiles a privacy profile: to the schema of each stream, and to what changes the values of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from singer_rest.privacy.classes import EMAIL
from singer_rest.privacy.classification import ANY_KEY, NOT_CLASSIFIED, Protection
from singer_rest.privacy.coarsening import COARSENING
from singer_rest.privacy.stream_privacy import Conditional, Interval, RecordColumns, StreamPrivacy, Treatment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_rest.privacy.classification import Classification
    from singer_rest.privacy.profiles import Action, Profile
    from singer_rest.privacy.pseudonyms import Pseudonyms
    from singer_rest.privacy.stream_privacy import Transform

    Schema = Mapping[str, Any]

OTHER_SPACE = "other"
"""The space of ids that are not of people, in a column that also holds ids of people."""
MAX_CACHED = 100_000
"""Maximum number of values of a column that are kept in memory with what they become."""
SCALARS = (str, int, float, bool, Decimal)
START, END = "conduct.clock.start", "conduct.clock.end"


@dataclass
class Part:
    """The rest of a part of a schema after the profile is applied.

    Args:
        schema: Its schema.
        transform: Changes its values. None: they stay.
    """

    schema: dict[str, Any]
    transform: Transform | None = None


class PrivacyCompiler:
    """Compiles a privacy profile for the streams of a tap.

    Args:
        profile: The profile.
        classification: The classes of the tap's paths.
        pseudonyms: Returns what computes pseudonyms. It is called for the first value only: discovery needs no key.
    """

    def __init__(self, profile: Profile, classification: Classification, pseudonyms: Callable[[], Pseudonyms]) -> None:
        self.classification = classification
        self._profile = profile
        self._pseudonyms = pseudonyms

    def compile(
        self, stream: str, schema: Schema, keys: Sequence[str] = (), replication_key: str | None = None
    ) -> StreamPrivacy:
        """Returns a stream under the profile.

        Args:
            stream: The stream's name.
            schema: Its JSON Schema.
            keys: The primary keys.
            replication_key: The column of the bookmark, if any.
        """
        schema = {**schema, "properties": schema.get("properties") or {}}
        compiler = _StreamCompiler(self, stream, schema, frozenset({*keys, replication_key or ""}))
        kept, transforms = compiler.compile_properties("", schema)
        rules = [
            rule
            for rule in self.classification.row_rules(stream)
            if self.action(stream, rule.path, Protection(rule.name)) != "keep"
        ]
        row_rules, item_rules = ([rule for rule in rules if bool(rule.path) is in_list] for in_list in (False, True))
        return StreamPrivacy(
            kept, transforms, compiler.conditional, compiler.intervals, row_rules, item_rules, compiler.treatments
        )

    def lost_keys(self, stream: str, keys: Sequence[str]) -> list[str]:
        """Returns the keys of a stream that cannot stay, so that the stream cannot be offered."""
        of_key = self.classification.of_key
        return [key for key in keys if self.action(stream, key, of_key(stream, key)) not in {"keep", "pseudonym"}]

    def find_unmatched(self, stream: str) -> list[str]:
        """Returns what the user's profile names of a compiled stream although it is not in its schema."""
        return [*self._profile.patterns.unmatched(stream), *self.classification.own.unmatched(stream)]

    def action(self, stream: str, path: str, protection: Protection) -> Action:
        """Returns the action on the values at a path."""
        return self._profile.action(stream, path, protection.name)

    def pseudonym_of(self, protection: Protection) -> Transform:
        """Returns the function that computes the pseudonyms of the values at a path."""
        return self._make_pseudonym_transform(
            EMAIL if protection.name == "direct_id.email" else protection.space or OTHER_SPACE
        )

    def other_ids(self) -> Transform:
        """Returns the function for the pseudonyms of ids that are not of people, in a column that has both."""
        return self._make_pseudonym_transform(OTHER_SPACE)

    def _make_pseudonym_transform(self, name: str) -> Transform:
        return lambda values: self._pseudonyms().space(name).of_all(values)


class _StreamCompiler:
    """Compiles the schema of one stream."""

    def __init__(self, tap: PrivacyCompiler, stream: str, schema: Schema, own_columns: frozenset[str]) -> None:
        self._tap = tap
        self._stream = stream
        self._own_columns = own_columns
        self.conditional: dict[str, Conditional] = {}
        self.treatments: dict[str, Treatment] = {}
        clocks = [
            (protection.name, path)
            for path in _scalar_paths("", schema)
            if self._action(path, protection := self._protection(path)) == "rebase"
        ]
        self.intervals = list(_find_intervals(clocks))
        self._clocks = {
            ".".join((*(f"{name}[]" for name in item.list_path), *end))
            for item in self.intervals
            for end in (item.start, item.end)
        }

    def compile_properties(self, path: str, schema: Schema) -> tuple[dict[str, Any], dict[str, Transform]]:
        """Compiles the fields that the schema of an object lists.

        Returns:
            The schema with the fields that are left, and the transforms of those whose values change.
        """
        prefix = f"{path}." if path else ""
        compiled = {name: self._compile(f"{prefix}{name}", part) for name, part in schema["properties"].items()}
        parts = {name: part for name, part in compiled.items() if part}
        found = {**schema, "properties": {name: part.schema for name, part in parts.items()}}
        if "required" in schema:
            found["required"] = [name for name in schema["required"] if name in parts]
        return found, {name: part.transform for name, part in parts.items() if part.transform}

    def _compile_object(self, path: str, schema: Schema) -> Part | None:
        """Compiles an object whose schema lists its fields. None: nothing of it is left."""
        found, transforms = self.compile_properties(path, schema)
        kept = frozenset(found["properties"])
        return Part(found, _ObjectTransform(kept, transforms)) if kept else None

    def _compile(self, path: str, part: Schema) -> Part | None:
        types = _list_types(part)
        if part.get("properties"):
            return self._compile_object(path, part)
        items = part.get("items")
        if "array" in types or items is not None:
            return self._compile_list(path, part, items if isinstance(items, dict) else {})
        if "object" in types or not types:
            return self._compile_free(path, part)
        return self._compile_scalar(path, part)

    def _compile_list(self, path: str, part: Schema, items: Schema) -> Part | None:
        types = _list_types(items)
        if types and "object" not in types and "array" not in types:
            found = self._compile_scalar(path, items, is_list=True)
        else:
            found = self._compile(f"{path}[]", items)
        if found is None:
            return None
        return Part({**part, "items": found.schema}, found.transform and _ListTransform(found.transform))

    def _compile_free(self, path: str, part: Schema) -> Part | None:
        """Compiles an object whose schema lists no fields: only those with a class that the tap ships stay."""
        container = path.removesuffix("[]")
        protection = self._protection(container)
        if self._action(path, NOT_CLASSIFIED) == "keep":
            is_kept = self._action(path, protection) == "keep"
            self.treatments[container] = Treatment(protection, "keep" if is_kept else "drop")
            return Part(dict(part)) if is_kept else None
        names_below = self._tap.classification.names_below
        if not names_below(self._stream, path):
            self.treatments[container] = Treatment(protection, "drop")
        fields: dict[str, Part] = {}
        for name in names_below(self._stream, path):
            scalar = {"type": ["string", "number", "boolean", "null"]}
            found = (
                self._compile_free(f"{path}.{name}", {"type": ["object", "null"]})
                if names_below(self._stream, f"{path}.{name}")
                else self._compile_scalar(f"{path}.{name}", scalar)
            )
            if found:
                fields[name] = found
        if not fields:
            return None
        kept = frozenset(fields)
        transforms: dict[str, Transform] = {
            name: _make_scalar_transform(found.transform) for name, found in fields.items()
        }
        if kept == {ANY_KEY}:
            return Part(dict(part), _MapTransform(transforms[ANY_KEY]))
        return Part(dict(part), _ObjectTransform(kept, transforms))

    def _compile_scalar(self, path: str, part: Schema, *, is_list: bool = False) -> Part | None:
        protection = self._protection(path)
        action = self._action(path, protection)
        # A time without its counterpart is not a duration, and only texts can be made coarser.
        is_possible = path in self._clocks if action == "rebase" else "string" in _list_types(part)
        if not is_possible and action not in {"keep", "pseudonym"}:
            action = "drop"
        self.treatments[path] = Treatment(protection, action)
        if action == "drop":
            return None
        if action in {"keep", "rebase"}:
            return Part(dict(part))
        if action == "pseudonym":
            described = {name: value for name, value in part.items() if name == "description"}
            null = ["null"] if "null" in _list_types(part) else []
            kept = {"type": ["string", *null], **described}
            person = self._tap.pseudonym_of(protection)
            if protection.condition and "." not in path and not is_list:  # deeper ids are taken for those of people
                self.conditional[path] = Conditional(*protection.condition, person, self._tap.other_ids())
                return Part(kept)
            return Part(kept, person)
        return Part(dict(part), _make_value_transform(COARSENING[action]))

    def _protection(self, path: str) -> Protection:
        classification = self._tap.classification
        return (classification.of_key if path in self._own_columns else classification.of)(self._stream, path)

    def _action(self, path: str, protection: Protection) -> Action:
        return self._tap.action(self._stream, path.removesuffix("[]"), protection)


def _scalar_paths(path: str, schema: Schema) -> Iterator[str]:
    """Yields the paths of the texts below a part of a schema."""
    for name, part in (schema.get("properties") or {}).items():
        inner = f"{path}.{name}" if path else name
        items = part.get("items")
        if part.get("properties"):
            yield from _scalar_paths(inner, part)
        elif isinstance(items, dict) and items.get("properties"):
            yield from _scalar_paths(f"{inner}[]", items)
        elif "string" in _list_types(part):
            yield inner


def _find_intervals(clocks: Sequence[tuple[str, str]]) -> Iterator[Interval]:
    """Pairs the starts and ends of a stream, in the order of its schema.

    Args:
        clocks: The class and the path of each.
    """
    by_list: dict[str, tuple[list[str], list[str]]] = {}
    for name, path in clocks:
        list_path, separator, _ = path.rpartition("[].")
        starts, ends = by_list.setdefault(list_path + separator, ([], []))
        (starts if name == START else ends).append(path)
    for list_path, (starts, ends) in by_list.items():
        names = tuple(name.removesuffix("[]") for name in list_path.split(".") if name)
        for start, end in zip(starts, ends, strict=False):
            yield Interval(names, tuple(start[len(list_path) :].split(".")), tuple(end[len(list_path) :].split(".")))


def _list_types(schema: Schema) -> list[str]:
    found = schema.get("type") or []
    return [found] if isinstance(found, str) else list(found)


def _make_value_transform(change: Callable[[Any], Any]) -> Transform:
    """Returns the transform of a column by a function of a value, which is called once for equal values."""
    cached = lru_cache(MAX_CACHED)(change)
    return lambda values: [*map(cached, values)]


def _make_scalar_transform(transform: Transform | None) -> Transform:
    """Returns a transform of fields without a schema: an object or a list, which may hold anything, becomes null."""
    if isinstance(transform, _ObjectTransform | _MapTransform):
        return transform

    def changed(values: list[Any]) -> list[Any]:
        scalars = [value if isinstance(value, SCALARS) else None for value in values]
        return transform(scalars) if transform else scalars

    return changed


@dataclass(frozen=True)
class _ObjectTransform:
    """Keeps the known fields of objects."""

    kept: frozenset[str]
    transforms: Mapping[str, Transform]

    def __call__(self, values: list[Any]) -> list[Any]:
        found = [
            {name: inner for name, inner in value.items() if name in self.kept} if isinstance(value, dict) else None
            for value in values
        ]
        objects = RecordColumns([item for item in found if item])
        for name, transform in self.transforms.items():
            objects.replace(name, transform(objects.values(name)))
        return found


@dataclass(frozen=True)
class _MapTransform:
    """Keeps the fields of objects whose names are no personal data, such as dates."""

    transform: Transform

    def __call__(self, values: list[Any]) -> list[Any]:
        return [
            dict(zip(value, self.transform([*value.values()]), strict=True)) if isinstance(value, dict) else None
            for value in values
        ]


@dataclass(frozen=True)
class _ListTransform:
    """Changes the items of lists."""

    transform: Transform

    def __call__(self, values: list[Any]) -> list[Any]:
        return [self.transform(value) if isinstance(value, list) else None for value in values]
