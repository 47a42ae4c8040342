"""The rows of all views and objects: from the company, generated, or changed by controls."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from hr_sandbox.cornerstone.bulk import Bulk
from hr_sandbox.cornerstone.fake_values import FakeValues
from hr_sandbox.cornerstone.portal import CUSTOM_FIELD_TABLES, PORTAL_DATA
from hr_sandbox.cornerstone.rows import BUILDERS
from hr_sandbox.cornerstone.snapshot import Registration, Snapshot, stable_uuid
from hr_sandbox.cornerstone.tables import TOUCHED, load_entity_sets
from hr_sandbox.cornerstone.timestamps import DAY, MINUTE, SECOND, parse_timestamp, to_ticks, truncate_ticks
from hr_sandbox.stable_random import stable_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.clock import Clock
    from hr_sandbox.company import Company
    from hr_sandbox.cornerstone.portal import Portal
    from hr_sandbox.cornerstone.rows.common import Row
    from hr_sandbox.cornerstone.tables import Column, EntitySet

Key = tuple[Any, ...]
KEY, MOVED = "_key", "_moved"
# A full re-index touched most rows at the same time.
REINDEX_DAYS, REINDEX_PERCENT = 40, 64
MIN_SIZE, SIZE_RANGE = 3, 24
# How many rows generated tables have, where it matters; none in modules that the portal does not use.
SIZES: dict[str, int] = PORTAL_DATA["sizes"]
IDENTICAL_ONE_IN = 5  # one in this many tables without a key has two identical rows


class Store:
    """The rows of all tables."""

    def __init__(self, company: Company, portal: Portal, clock: Clock) -> None:
        self.company = company
        self.portal = portal
        self.clock = clock
        self.bulk = Bulk(lambda: self.snapshot)
        self._snapshot: tuple[int, Snapshot] | None = None
        self._registrations: dict[int, list[Registration]] = {}
        self._fake_values: FakeValues | None = None
        self._changes = count(1)
        self._cache: dict[str, tuple[tuple[int, int], list[Row]]] = {}
        self._edited: dict[str, int] = {}
        self._source: dict[str, dict[Key, Row]] = {}
        self._stamps: dict[str, dict[Key, tuple[int, int]]] = {}
        self._patches: dict[str, dict[Key, Row]] = {}
        self._deleted: dict[str, set[Key]] = {}
        self._log: dict[str, list[tuple[int, Key, bool]]] = {}

    @property
    def snapshot(self) -> Snapshot:
        """The company with its learning data, as it is now."""
        if self._snapshot is None or self._snapshot[0] != self.company.version:
            self._snapshot = (self.company.version, Snapshot(self.company, self._registrations))
        return self._snapshot[1]

    @property
    def fake_values(self) -> FakeValues:
        """The generated values. They stay the same when the company changes."""
        if self._fake_values is None:
            self._fake_values = FakeValues(self.snapshot)
        return self._fake_values

    # Rows

    def list_rows(self, name: str) -> list[Row]:
        """Returns the rows of a table. Changed rows are at the end, in the order of their changes."""
        version = (self.company.version if name in BUILDERS else 0, self._edited.get(name, 0))
        cached = self._cache.get(name)
        if cached is None or cached[0] != version:
            self._cache[name] = cached = (version, self._build_rows(load_entity_sets()[name]))
        return cached[1]

    def find_row(self, name: str, key: Key) -> Row | None:
        """Returns the row with this key, or None."""
        return next((row for row in self.list_rows(name) if row[KEY] == key), None)

    def find_value(self, table: EntitySet, row: Row, column: Column) -> Any:  # noqa: ANN401  any of OData
        """Returns the value of a column in a row."""
        name = column.name
        if name in row:
            return coerce_value(column, row[name])
        if "_attributes" in row and name in self._find_custom_attributes(table):
            return coerce_value(
                column, _convert_attribute(row["_attributes"].get(self._find_custom_attributes(table)[name]))
            )
        generated = self.fake_values.make_value(
            table.name, column, row.get("_like", row[KEY]), required=name in table.key
        )
        return coerce_value(column, generated)

    def _find_custom_attributes(self, table: EntitySet) -> dict[str, str]:
        """Returns the custom fields of the company by column name."""
        kind = CUSTOM_FIELD_TABLES[table.name]
        rows = (row for row in self.portal.fields if row.kind == kind and row.attribute)
        return {row.make_column(table.name).name: str(row.attribute) for row in rows}

    # Changes

    def edit_row(self, name: str, key: Key, changes: Row, *, ago: int = 0) -> None:
        """Changes a row and updates its timestamp, which may be some seconds in the past to simulate late data."""
        self._patches.setdefault(name, {}).setdefault(key, {}).update(changes)
        self._update_timestamp(name, key, deleted=False, ago=ago)

    def delete_row(self, name: str, key: Key) -> None:
        """Deletes a row."""
        self._deleted.setdefault(name, set()).add(key)
        self._update_timestamp(name, key, deleted=True)

    def add_training(self, person_id: int, index: int, *, completed: bool) -> None:
        """Assigns a training to a person, or completes it. Both appear on the transcript."""
        now = to_ticks(self.clock.now())
        rows = self._registrations.setdefault(person_id, [])
        pending = next((row for row in rows if row.index == index and row.completed is None), None)
        if completed and pending:
            pending.completed = now
        else:
            rows.append(Registration(index, now, now if completed else None))
        self.company.version += 1

    def find_last_change_number(self, name: str) -> int:
        """Returns the number of the latest change to a table."""
        self.list_rows(name)
        log = self._log.get(name)
        return log[-1][0] if log else 0

    def list_changes(self, name: str, after: int, until: int) -> list[tuple[Key, bool]]:
        """Returns the keys of rows changed between two change numbers, oldest first, with whether they were deleted."""
        self.list_rows(name)
        latest: dict[Key, bool] = {}
        for number, key, deleted in self._log.get(name, ()):
            if after < number <= until:
                latest.pop(key, None)
                latest[key] = deleted
        return list(latest.items())

    def _update_timestamp(self, name: str, key: Key, *, deleted: bool, ago: int = 0) -> None:
        number = next(self._changes)
        self._edited[name] = number
        self._log_change(name, key, number, deleted=deleted, ago=ago)

    def _log_change(self, name: str, key: Key, number: int, *, deleted: bool, ago: int = 0) -> None:
        self._log.setdefault(name, []).append((number, key, deleted))
        if not deleted:
            stamp = to_ticks(self.clock.now()) - ago * SECOND + number * 10_000 % 9_999_999 + 3
            self._stamps.setdefault(name, {})[key] = (number, stamp)

    # Building rows

    def _build_rows(self, table: EntitySet) -> list[Row]:
        name = table.name
        build: Callable[[Snapshot], Iterator[Row]] | None = BUILDERS.get(name)
        known = build(self.snapshot) if build else self._generate_keys(table)
        rows: dict[Key, Row] = {}
        for number, row in enumerate(known):
            if KEY not in row:
                row[KEY] = tuple(row[part] for part in table.key) if table.key else _make_key(row, number)
            rows[row[KEY]] = row
        if build:
            self._record_changes(name, rows)
        stamps, patches = self._stamps.get(name, {}), self._patches.get(name, {})
        deleted = self._deleted.get(name, set())
        touched = TOUCHED in table.columns
        found = []
        for key, row in rows.items():
            if key in deleted:
                continue
            number, stamp = stamps.get(key, (0, None))
            full = {**row, **patches.get(key, {}), MOVED: number}
            if touched:
                full[TOUCHED] = stamp or self._draw_timestamp(name, key)
            found.append(full)
        found.sort(key=lambda row: (row[MOVED], row[KEY]))
        return found

    def _record_changes(self, name: str, rows: dict[Key, Row]) -> None:
        """Updates timestamps for rows that changed since they were last built, and records deleted ones."""
        before = self._source.get(name)
        self._source[name] = rows
        if before is None:
            return
        for key, row in rows.items():
            if before.get(key) != row:
                self._log_change(name, key, next(self._changes), deleted=False)
        for key in before.keys() - rows.keys():
            self._log_change(name, key, next(self._changes), deleted=True)

    def _draw_timestamp(self, name: str, key: Key) -> int:
        number = stable_number(self.company.seed, "touched", name, key)
        reread = self.snapshot.latest - REINDEX_DAYS * DAY + 5_666_666
        if number % 100 < REINDEX_PERCENT:
            return reread
        # No row is older than the re-index.
        return reread + number % (REINDEX_DAYS * 1440 - 1) * MINUTE + number % 9_999_999

    def _generate_keys(self, table: EntitySet) -> Iterator[Row]:
        """Yields rows that consist only of a key."""
        size = SIZES.get(table.name, MIN_SIZE + stable_number("size", table.name) % SIZE_RANGE)
        first = 100 + stable_number("first", table.name) % 9_000
        for index in range(size):
            if not table.key:
                twin = index and index == size - 1 and stable_number("twice", table.name) % IDENTICAL_ONE_IN == 0
                # Identical rows differ in their internal key; their generated values are the same.
                yield {KEY: (index,), "_like": (index - 1 if twin else index,)}
                continue
            key: Row = {}
            # Each number occurs once per language.
            number, culture = divmod(index, 2) if "culture_id" in table.key else (index, 0)
            for place, part in enumerate(table.key):
                column = table.columns[part]
                if part == "culture_id":
                    key[part] = 1 + culture
                elif column.type == "Edm.Guid":
                    key[part] = stable_uuid(table.name, part, number)
                else:
                    key[part] = first + number if place == 0 else first % 50 + number // (place + 1)
            yield key


def _make_key(row: Row, number: int) -> Key:
    """Returns an internal key for a row of a table without one: the ids in it, or its index."""
    parts = tuple(row[name] for name in ("user_id", "ou_id", "type_id", "culture_id") if name in row)
    if parts:
        return parts
    if "curriculum_object_id" in row:
        return row["curriculum_object_id"], row["curriculum_child_object_id"]
    return (number,)


def _convert_attribute(value: object) -> object:
    """Converts the value of a custom field."""
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def coerce_value(column: Column, value: Any) -> Any:  # noqa: ANN401  any of OData
    """Converts a value to the column's type."""
    if value is None:
        return None
    kind = column.type
    if kind == "Edm.String":
        text = str(value)[: column.max_length]
        return text.ljust(column.max_length or 0) if column.is_padded else text
    if kind == "Edm.DateTimeOffset":
        ticks = parse_timestamp(value, bare_days=True) if isinstance(value, str) else value
        return None if ticks is None else truncate_ticks(ticks, column.native)
    if kind in {"Edm.Int32", "Edm.Int64", "Edm.Byte"}:
        return int(value)
    return value
