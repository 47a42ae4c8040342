"""Applies a privacy profile to a stream: to its schema once, and to the records of each page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest.privacy.classes import EMAIL
from singer_rest.privacy.classification import ANY_KEY, NOT_CLASSIFIED, Protection
from singer_rest.privacy.coarsening import COARSENING, rebased

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from singer_rest.aliases import Record
    from singer_rest.privacy.classification import Classification, RowRule
    from singer_rest.privacy.profiles import Action, Profile
    from singer_rest.privacy.pseudonyms import Pseudonyms

    Schema = Mapping[str, Any]
    Transform = Callable[[Any], Any]

OTHER_SPACE = "other"
"""The space of ids that are not of people, in a column that also holds ids of people."""
EXTRA = "_extra"
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


@dataclass(frozen=True)
class Conditional:
    """The transforms of a column of ids, if another column says whether they are ids of people.

    Args:
        column: The other column.
        value: Its value if the ids are of people.
        person: Changes ids of people.
        other: Changes all others, which may still be of people if the vendor adds a value.
    """

    column: str
    value: str
    person: Transform
    other: Transform


@dataclass(frozen=True)
class Interval:
    """The start and the end of an interval.

    Args:
        list_path: The names that lead to the list of objects that hold it. Empty: the record holds it.
        start: The names that lead to its start from there.
        end: Those to its end.
    """

    list_path: tuple[str, ...]
    start: tuple[str, ...]
    end: tuple[str, ...]

    @property
    def columns(self) -> set[str]:
        """The columns in which it is."""
        return {self.list_path[0]} if self.list_path else {self.start[0], self.end[0]}

    def rebase(self, record: Record) -> None:
        """Moves the interval of a record, or those in its list, to midnight."""
        for item in _list_items_at(record, self.list_path):
            start, end = _find_parent_object(item, self.start), _find_parent_object(item, self.end)
            moved = rebased(
                start.get(self.start[-1]) if start else None,
                end.get(self.end[-1]) if end else None,
            )
            for holder, name, value in zip((start, end), (self.start[-1], self.end[-1]), moved, strict=True):
                if holder and name in holder:
                    holder[name] = value


def _list_items_at(record: Record, path: Sequence[str]) -> list[Any]:
    found: list[Any] = [record]
    for name in path:
        lists = [item.get(name) for item in found if isinstance(item, dict)]
        found = [item for part in lists for item in (part if isinstance(part, list) else [part])]
    return found


def _find_parent_object(item: Any, path: Sequence[str]) -> dict[str, Any] | None:  # noqa: ANN401 - a value of a record
    """Returns the object that holds the last name of a path."""
    for name in path[:-1]:
        item = item.get(name) if isinstance(item, dict) else None
    return item if isinstance(item, dict) else None


@dataclass
class StreamPrivacy:
    """A stream under a privacy profile.

    Args:
        schema: Its schema without what is dropped.
        transforms: The columns whose values change, with what changes them.
        conditional: The columns with ids of which another column says whether they are of people.
        intervals: The intervals that are rebased.
        row_rules: The rows that are dropped.
        item_rules: The objects in lists that are dropped.
    """

    schema: dict[str, Any]
    transforms: dict[str, Transform]
    conditional: dict[str, Conditional]
    intervals: Sequence[Interval]
    row_rules: Sequence[RowRule] = ()
    item_rules: Sequence[RowRule] = ()

    def keeps(self, column: str) -> bool:
        """Whether the values of a column stay as they are."""
        return column in self.schema["properties"] and not (
            column in self.transforms
            or column in self.conditional
            or any(column in item.columns for item in self.intervals)
            or any(column == rule.path for rule in self.item_rules)
        )

    def limited_to(self, columns: Container[str]) -> StreamPrivacy:
        """Returns the stream with some of its columns only."""
        kept = {name: part for name, part in self.schema["properties"].items() if name in columns}
        return replace(self, schema={**self.schema, "properties": kept})

    def keep_rows(self, records: list[Record]) -> list[Record]:
        """Returns the records without those that are dropped. It has to be called before `apply`."""
        for rule in self.row_rules:
            records = [record for record in records if not rule.applies_to(record)]
        return records

    def apply(self, records: Sequence[Record]) -> int:
        """Changes records in place.

        Returns:
            The number of values that were dropped although the profile does not know their columns.
        """
        self._drop_items(records)
        for name, ids in self.conditional.items():  # before the column that they depend on is dropped
            for record in records:
                if (value := record.get(name)) is not None:
                    is_person = record.get(ids.column) == ids.value
                    record[name] = (ids.person if is_person else ids.other)(value)
        unknown = self._drop_columns(records)
        for interval in self.intervals:
            for record in records:
                interval.rebase(record)
        for name, transform in self.transforms.items():
            for record in records:
                if (value := record.get(name)) is not None:
                    record[name] = transform(value)
        return unknown

    def _drop_items(self, records: Sequence[Record]) -> None:
        for rule in self.item_rules:
            for record in records:
                if isinstance(items := record.get(rule.path), list):
                    record[rule.path] = [item for item in items if not rule.applies_to(item)]

    def _drop_columns(self, records: Sequence[Record]) -> int:
        kept = self.schema["properties"].keys()
        unknown = 0
        for record in records:
            if not record.keys() <= kept:
                for name in record.keys() - kept:
                    value = record.pop(name)
                    unknown += len(value) if name == EXTRA and value else 0
        return unknown


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
        return StreamPrivacy(kept, transforms, compiler.conditional, compiler.intervals, row_rules, item_rules)

    def lost_keys(self, stream: str, keys: Sequence[str]) -> list[str]:
        """Returns the keys of a stream that cannot stay, so that the stream cannot be offered."""
        of_key = self.classification.of_key
        return [key for key in keys if self.action(stream, key, of_key(stream, key)) not in {"keep", "pseudonym"}]

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
        def pseudonym(value: Any) -> Any:  # noqa: ANN401 - a value of a record
            return self._pseudonyms().space(name).of(value)

        return pseudonym


class _StreamCompiler:
    """Compiles the schema of one stream."""

    def __init__(self, tap: PrivacyCompiler, stream: str, schema: Schema, own_columns: frozenset[str]) -> None:
        self._tap = tap
        self._stream = stream
        self._own_columns = own_columns
        self.conditional: dict[str, Conditional] = {}
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
        if self._action(path, NOT_CLASSIFIED) == "keep":
            is_kept = self._action(path, self._protection(path.removesuffix("[]"))) == "keep"
            return Part(dict(part)) if is_kept else None
        names_below = self._tap.classification.names_below
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
        if action == "drop":
            return None
        if action == "keep":
            return Part(dict(part))
        if action == "rebase":
            # A time without its counterpart is not a duration.
            return Part(dict(part)) if path in self._clocks else None
        if action == "pseudonym":
            described = {name: value for name, value in part.items() if name == "description"}
            null = ["null"] if "null" in _list_types(part) else []
            kept = {"type": ["string", *null], **described}
            person = self._tap.pseudonym_of(protection)
            if protection.condition and "." not in path and not is_list:  # deeper ids are taken for those of people
                self.conditional[path] = Conditional(*protection.condition, person, self._tap.other_ids())
                return Part(kept)
            return Part(kept, person)
        return Part(dict(part), COARSENING[action]) if "string" in _list_types(part) else None

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


def _make_scalar_transform(transform: Transform | None) -> Transform:
    """Returns a transform of fields without a schema: an object or a list, which may hold anything, becomes null."""
    if isinstance(transform, _ObjectTransform | _MapTransform):
        return transform

    def changed(value: Any) -> Any:  # noqa: ANN401 - a value of a record
        if not isinstance(value, SCALARS):
            return None
        return transform(value) if transform else value

    return changed


@dataclass(frozen=True)
class _ObjectTransform:
    """Keeps the known fields of an object."""

    kept: frozenset[str]
    transforms: Mapping[str, Transform]

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - a value of a record
        if not isinstance(value, dict):
            return None
        found = {name: inner for name, inner in value.items() if name in self.kept}
        for name, transform in self.transforms.items():
            if found.get(name) is not None:
                found[name] = transform(found[name])
        return found


@dataclass(frozen=True)
class _MapTransform:
    """Keeps the fields of an object whose names are no personal data, such as dates."""

    transform: Transform

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - a value of a record
        return {name: self.transform(inner) for name, inner in value.items()} if isinstance(value, dict) else None


@dataclass(frozen=True)
class _ListTransform:
    """Changes the items of a list."""

    transform: Transform

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - a value of a record
        return [None if item is None else self.transform(item) for item in value] if isinstance(value, list) else None
