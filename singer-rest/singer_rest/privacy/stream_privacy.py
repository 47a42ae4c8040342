"""What a privacy profile does to the records of a stream, column by column."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from singer_rest.privacy.coarsening import rebased

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence

    from singer_rest.aliases import Record
    from singer_rest.privacy.classification import Protection, RowRule
    from singer_rest.privacy.profiles import Action

    Schema = Mapping[str, Any]
    Values = list[Any]

EXTRA = "_extra"


class Treatment(NamedTuple):
    """What happens to the values at a path.

    Args:
        protection: Their class.
        action: The action that is taken, which is `drop` if that of the class is not possible.
    """

    protection: Protection
    action: Action


class Columns(Protocol):
    """The columns of a page."""

    def values(self, name: str) -> Values:
        """Returns the values of a column, as they are in JSON. Those that are missing are null."""

    def replace(self, name: str, values: Values) -> None:
        """Replaces the values of a column. Those that are missing stay so."""

    def keep_rows(self, kept: Iterable[bool]) -> None:
        """Drops the other rows."""

    def keep_columns(self, kept: Collection[str]) -> int:
        """Drops the other columns. Returns the number of dropped values that have no column."""


class RecordColumns:
    """The columns of records.

    Args:
        records: The records, which are changed in place.
    """

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def values(self, name: str) -> Values:
        """Returns the values of a column. Those that are missing are null."""
        return [record.get(name) for record in self.records]

    def replace(self, name: str, values: Values) -> None:
        """Replaces the values of a column. Those that are missing stay so."""
        for record, value in zip(self.records, values, strict=True):
            if name in record:
                record[name] = value

    def keep_rows(self, kept: Iterable[bool]) -> None:
        """Drops the other rows."""
        self.records = [record for record, is_kept in zip(self.records, kept, strict=True) if is_kept]

    def keep_columns(self, kept: Collection[str]) -> int:
        """Drops the other columns. Returns the number of values in `_extra`, if it is dropped."""
        names = frozenset(kept)
        unknown = 0
        for record in self.records:
            if not record.keys() <= names:
                for name in record.keys() - names:
                    value = record.pop(name)
                    unknown += len(value) if name == EXTRA and value else 0
        return unknown


class Transform(Protocol):
    """Changes the values of a column, which may be null."""

    def __call__(self, values: Values) -> Values:
        """Returns the changed values."""


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

    def apply(self, values: Values, kinds: Values) -> Values:
        """Returns the changed ids.

        Args:
            values: The ids.
            kinds: The values of the other column.
        """
        people = self.person([value if kind == self.value else None for value, kind in zip(values, kinds, strict=True)])
        others = self.other([None if kind == self.value else value for value, kind in zip(values, kinds, strict=True)])
        return [other if person is None else person for person, other in zip(people, others, strict=True)]


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

    def apply(self, columns: Columns) -> None:
        """Moves the intervals of a page to midnight."""
        names = list(dict.fromkeys(self.list_path[:1] or (self.start[0], self.end[0])))
        values = [columns.values(name) for name in names]
        if not self.list_path and len(self.start) == len(self.end) == 1:
            changed = [*zip(*map(rebased, *values), strict=True)] or [(), ()]
        else:
            records = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
            for record in records:
                self.rebase(record)
            changed = [tuple(record[name] for record in records) for name in names]
        for name, column in zip(names, changed, strict=True):
            columns.replace(name, [*column])

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
        treatments: What happens to the values at each path, dropped ones too, in the order of the schema.
    """

    schema: dict[str, Any]
    transforms: dict[str, Transform]
    conditional: dict[str, Conditional]
    intervals: Sequence[Interval]
    row_rules: Sequence[RowRule] = ()
    item_rules: Sequence[RowRule] = ()
    treatments: Mapping[str, Treatment] = field(default_factory=dict)

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

    def apply(self, columns: Columns) -> int:
        """Changes the columns of a page in place.

        Returns:
            The number of values that were dropped although the profile does not know their columns.
        """
        for rule in self.row_rules:
            columns.keep_rows([not rule.applies_to(value) for value in columns.values(rule.column)])
        for rule in self.item_rules:
            columns.replace(rule.path, [_without_items(value, rule) for value in columns.values(rule.path)])
        for name, ids in self.conditional.items():  # before the column that they depend on is dropped
            columns.replace(name, ids.apply(columns.values(name), columns.values(ids.column)))
        unknown = columns.keep_columns(self.schema["properties"])
        for interval in self.intervals:
            interval.apply(columns)
        for name, transform in self.transforms.items():
            columns.replace(name, transform(columns.values(name)))
        return unknown


def _without_items(value: Any, rule: RowRule) -> Any:  # noqa: ANN401 - a value of a record
    """Returns a list without the objects that a rule drops."""
    if not isinstance(value, list):
        return value
    return [item for item in value if isinstance(item, dict) and not rule.applies_to(item.get(rule.column))]
